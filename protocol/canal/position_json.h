// Canal's JSON dialect for those that nest a LogPosition in a larger document (meta.dat,
// PositionRange). Pure functions, any thread. Cold path, except append_json: once per ack, no heap
// use beyond the target.
#pragma once

#include "protocol/base/result.h"
#include "protocol/canal/position.h"

#include <boost/json/value.hpp>

#include <string>
#include <string_view>

namespace obcanal::canal {

// JSON as fastjson reads it: integers may carry a type letter ("4567L").
Result<boost::json::value> parse_canal_json(std::string_view text);

// The position in `value`; an error names the member that is wrong.
Result<LogPosition> read_log_position(const boost::json::value& value);

void append_json(std::string& to, const LogPosition& position, bool with_type);
// A quoted JSON string; bytes that are not UTF-8 become U+FFFD.
void append_json_string(std::string& to, std::string_view text);

}  // namespace obcanal::canal
