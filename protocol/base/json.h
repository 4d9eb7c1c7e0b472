// Boost.JSON for files and figures: cold paths only. Text from outside is bounded in depth.
#pragma once

#include "protocol/base/result.h"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <string>
#include <string_view>

namespace obcanal {

Result<boost::json::value> parse_json(std::string_view text);
std::string to_json_text(const boost::json::value& value);

}  // namespace obcanal
