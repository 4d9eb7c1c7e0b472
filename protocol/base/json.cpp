#include "protocol/base/json.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace obcanal {

Result<boost::json::value> parse_json(std::string_view text) {
    boost::system::error_code error;
    boost::json::parse_options options;
    options.max_depth = 32;
    boost::json::value value = boost::json::parse({text.data(), text.size()}, error, {}, options);
    if (error) return Error{Errc::BadPacket, Retry::Never, "JSON: " + error.message()};
    return value;
}

std::string to_json_text(const boost::json::value& value) { return boost::json::serialize(value); }

}  // namespace obcanal
