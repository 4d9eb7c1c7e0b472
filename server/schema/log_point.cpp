#include "server/schema/log_point.h"

#include <algorithm>
#include <string_view>

namespace obcanal::schema {
namespace {

struct FileName {
    std::string_view base;
    std::string_view number;  // without leading zeros
};

FileName split(std::string_view file) {
    const size_t digits = file.find_last_not_of("0123456789") + 1;
    std::string_view number = file.substr(digits);
    number.remove_prefix(std::min(number.find_first_not_of('0'), number.size()));
    return {file.substr(0, digits), number};
}

}  // namespace

std::strong_ordering LogPoint::operator<=>(const LogPoint& other) const {
    const FileName mine = split(file);
    const FileName theirs = split(other.file);
    if (const auto by = mine.base <=> theirs.base; by != 0) return by;
    if (const auto by = mine.number.size() <=> theirs.number.size(); by != 0) return by;
    if (const auto by = mine.number <=> theirs.number; by != 0) return by;
    return offset <=> other.offset;
}

}  // namespace obcanal::schema
