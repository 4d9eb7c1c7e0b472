// Values of rows as JSON text, typed as the reference types them (client-adapter, 5.2), without
// its losses: dates keep their microseconds, what does not parse stays a string. Pure functions.
#pragma once

#include "adapter/core/dml.h"

#include <string>
#include <string_view>

namespace obcanal::adapter::core {

// In quotes; bytes that are not UTF-8 become U+FFFD, control characters are escaped.
void append_json_string(std::string& to, std::string_view text);
// In quotes.
void append_base64(std::string& to, std::string_view bytes);
// Bytes of a text that holds them as the characters of the same numbers; `good` becomes false when
// it holds others.
std::string narrow_latin1(std::string_view text, bool& good);
// Does JSON take the text for a number?
bool is_json_number(std::string_view text);
// NULL and what upstream did not log: null.
void append_json_value(std::string& to, const DmlColumn& column, const DmlValue& value);

}  // namespace obcanal::adapter::core
