// TIMESTAMP text as libobcdc prints it when enable_convert_timestamp_to_unix_timestamp is on,
// turned into MySQL's text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace obcanal::canal {

// "1700000000.120000" with 3 digits at +08:00 -> "2023-11-15 06:13:20.120". The zero date arrives
// as a large negative number and becomes "0000-00-00 00:00:00". Text of another form is returned as
// it is.
std::string unix_timestamp_text(
    std::string_view text, int32_t fraction_digits, int32_t zone_offset_seconds
);

}  // namespace obcanal::canal
