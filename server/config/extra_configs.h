// canal.instance.oceanbase.obcdc.extraConfigs: settings that a log proxy hands to libobcdc.
#pragma once

#include "protocol/base/result.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace obcanal::config {

using ExtraConfigs = std::vector<std::pair<std::string, std::string>>;

// "{'key': 'value', key: 1}": an inline map of Spring's expression language, of texts and bare
// words only. Blank: empty.
Result<ExtraConfigs> parse_map_text(std::string_view text);

// What obcanal needs the log to look like, first and overridden by `user`, then the rest of `user`.
// BadConfig for keys that have a key of their own and for what the protocol can't carry.
Result<ExtraConfigs> with_our_defaults(ExtraConfigs user);

}  // namespace obcanal::config
