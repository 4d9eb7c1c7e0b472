// What a column's type, as MySQL writes it ("int(11) unsigned", "enum('a','b')"), says of its
// values as Canal writes them. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::adapter::core {

// "bigint" of "bigint(20) unsigned".
std::string base_type(std::string_view mysql_type);
bool is_unsigned_type(std::string_view mysql_type);
// 4 of "binary(4)".
std::optional<uint32_t> type_width(std::string_view mysql_type);
// Members of "enum('a','b''c')" and "set(...)"; none when the type names none.
std::vector<std::string> type_members(std::string_view mysql_type);

// The label of an enum's index; nothing when it has no such member. 0, MySQL's mark of a value that
// was none of them, is the empty text.
std::optional<std::string_view> enum_label(
    std::string_view index, const std::vector<std::string>& members
);
// "x,z" of a set's mask; nothing when that is no number.
std::optional<std::string> set_labels(
    std::string_view mask, const std::vector<std::string>& members
);
// Bytes of a text that has them as the characters of the same numbers.
std::string latin1_bytes(std::string_view text);

}  // namespace obcanal::adapter::core
