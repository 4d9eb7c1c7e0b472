// Values of rows as JSON text, typed as the reference types them (client-adapter, 5.2), without
// its losses: dates keep their microseconds, what does not parse stays a string. Pure functions.
#pragma once

#include "adapter/core/dml.h"

#include <string>
#include <string_view>

namespace obcanal::adapter::core {

// In quotes; bytes that are not UTF-8 become U+FFFD, control characters are escaped.
void append_json_string(std::string& to, std::string_view text);
// NULL and what upstream did not log: null.
void append_json_value(std::string& to, const DmlColumn& column, const DmlValue& value);

}  // namespace obcanal::adapter::core
