// conf/users.yml: further users of the client port, each with the destinations it may read. The
// only place that knows yaml-cpp on the server's side.
//   users:
//     - name: reader
//       password: 40 hex digits of SHA1(SHA1(password))
//       destinations: [shop, orders]      # "*": all
#pragma once

#include "protocol/base/finding.h"
#include "server/config/user_config.h"

#include <string>
#include <string_view>
#include <vector>

namespace obcanal::config {

// The users that the file names; a file that is not there names none. What is wrong goes to
// `findings`, with file and line.
std::vector<UserConfig> read_users(const std::string& path, FindingList& findings);
// The same for a text that was read already.
std::vector<UserConfig> parse_users(
    const std::string& name, std::string_view text, FindingList& findings
);

}  // namespace obcanal::config
