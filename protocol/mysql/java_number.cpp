#include "protocol/mysql/java_number.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <string_view>

namespace obcanal::mysql {
namespace {

char* append(char* to, std::string_view text) {
    std::memcpy(to, text.data(), text.size());
    return to + text.size();
}

char* append_zeros(char* to, int count) { return count > 0 ? std::fill_n(to, count, '0') : to; }

// Digits without point and exponent: value = 0.d1d2d3... * 10^(exponent + 1)
struct Decimal {
    std::array<char, 24> digits;
    int count = 0;
    int exponent = 0;
};

template <class Float>
Decimal shortest(Float value) {
    std::array<char, 48> buffer;
    char* const begin = buffer.data();
    char* const limit = begin + buffer.size();
    char* end = std::to_chars(begin, limit, value, std::chars_format::scientific).ptr;
    // Java prints two digits at least, and then the two that come closest.
    if (begin[1] == 'e')
        end = std::to_chars(begin, limit, value, std::chars_format::scientific, 1).ptr;
    Decimal decimal;
    const char* at = begin;
    for (; *at != 'e'; ++at) {
        if (*at != '.') decimal.digits[static_cast<size_t>(decimal.count++)] = *at;
    }
    ++at;
    std::from_chars(*at == '+' ? at + 1 : at, end, decimal.exponent);
    while (decimal.count > 1 && decimal.digits[static_cast<size_t>(decimal.count) - 1] == '0')
        --decimal.count;
    return decimal;
}

template <class Float>
char* write(Float value, char* to) {
    if (std::isnan(value)) return append(to, "NaN");
    if (std::signbit(value)) {
        *to++ = '-';
        value = -value;
    }
    if (std::isinf(value)) return append(to, "Infinity");
    if (value == 0) return append(to, "0.0");

    const Decimal decimal = shortest(value);
    const std::string_view digits(decimal.digits.data(), static_cast<size_t>(decimal.count));
    constexpr int kSmallestPlain = -3;
    constexpr int kLargestPlain = 6;
    if (decimal.exponent < kSmallestPlain || decimal.exponent > kLargestPlain) {
        *to++ = digits[0];
        *to++ = '.';
        to = digits.size() > 1 ? append(to, digits.substr(1)) : append(to, "0");
        *to++ = 'E';
        return std::to_chars(to, to + 8, decimal.exponent).ptr;
    }
    if (decimal.exponent < 0) {
        to = append(to, "0.");
        to = append_zeros(to, -decimal.exponent - 1);
        return append(to, digits);
    }
    const auto whole = static_cast<size_t>(decimal.exponent) + 1;
    to = append(to, digits.substr(0, whole));
    to = append_zeros(to, static_cast<int>(whole) - decimal.count);
    *to++ = '.';
    return digits.size() > whole ? append(to, digits.substr(whole)) : append(to, "0");
}

}  // namespace

char* write_java(double value, char* to) { return write(value, to); }

char* write_java(float value, char* to) { return write(value, to); }

std::string java_text(double value) {
    std::array<char, kLongestJavaNumber> buffer;
    return std::string(buffer.data(), write_java(value, buffer.data()));
}

}  // namespace obcanal::mysql
