// One user of users.yml.
#pragma once

#include <string>
#include <vector>

namespace obcanal::config {

struct UserConfig {
    std::string name;
    std::string password_hash;              // hex of SHA1(SHA1(password))
    std::vector<std::string> destinations;  // what the user may read; "*": all
};

}  // namespace obcanal::config
