#include "protocol/canal/unix_timestamp.h"

#include "protocol/base/text.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

namespace obcanal::canal {

std::string unix_timestamp_text(
    std::string_view text, int32_t fraction_digits, int32_t zone_offset_seconds
) {
    constexpr int64_t kYear9999 = 253'402'300'799;
    constexpr int64_t kZeroDate = -1'000'000'000'000;  // far below any date that MySQL holds
    const size_t point = text.find('.');
    const auto seconds = parse_int(text.substr(0, point));
    if (!seconds || *seconds > kYear9999) return std::string(text);
    const std::string_view digits =
        point == std::string_view::npos ? std::string_view() : text.substr(point + 1);
    if (digits.find_first_not_of("0123456789") != std::string_view::npos) return std::string(text);

    const auto wanted = static_cast<size_t>(std::clamp(fraction_digits, 0, 6));
    std::string fraction(digits.substr(0, wanted));
    fraction.append(wanted - fraction.size(), '0');

    std::string out;
    if (*seconds < kZeroDate) {
        out = "0000-00-00 00:00:00";
        std::fill(fraction.begin(), fraction.end(), '0');
    } else {
        const std::chrono::sys_seconds local{std::chrono::seconds{*seconds + zone_offset_seconds}};
        const auto day = std::chrono::floor<std::chrono::days>(local);
        const std::chrono::year_month_day date{day};
        const std::chrono::hh_mm_ss time{local - day};
        std::array<char, 64> buffer;
        const int length = std::snprintf(
            buffer.data(),
            buffer.size(),
            "%04d-%02u-%02u %02d:%02d:%02d",
            static_cast<int>(date.year()),
            static_cast<unsigned>(date.month()),
            static_cast<unsigned>(date.day()),
            static_cast<int>(time.hours().count()),
            static_cast<int>(time.minutes().count()),
            static_cast<int>(time.seconds().count())
        );
        out.assign(buffer.data(), static_cast<size_t>(length));
    }
    if (!fraction.empty()) out.append(".").append(fraction);
    return out;
}

}  // namespace obcanal::canal
