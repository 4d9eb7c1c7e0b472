#include "adapter/core/column_type.h"

#include "protocol/base/text.h"

namespace obcanal::adapter::core {

std::string base_type(std::string_view mysql_type) {
    const auto end = mysql_type.find_first_of("( ");
    return to_lower(mysql_type.substr(0, end));
}

bool is_unsigned_type(std::string_view mysql_type) {
    const std::string lower = to_lower(mysql_type);
    return lower.find("unsigned") != std::string::npos ||
           lower.find("zerofill") != std::string::npos || lower.starts_with("year");
}

std::optional<uint32_t> type_width(std::string_view mysql_type) {
    const auto open = mysql_type.find('(');
    const auto close = mysql_type.find(')');
    if (open == std::string_view::npos || close == std::string_view::npos || close < open) {
        return std::nullopt;
    }
    const auto width = parse_uint(mysql_type.substr(open + 1, close - open - 1));
    return width ? std::optional(static_cast<uint32_t>(*width)) : std::nullopt;
}

std::vector<std::string> type_members(std::string_view mysql_type) {
    std::vector<std::string> members;
    size_t i = mysql_type.find('(');
    while (i != std::string_view::npos) {
        i = mysql_type.find('\'', i);
        if (i == std::string_view::npos) {
            break;
        }
        std::string member;
        for (i++; i < mysql_type.size(); i++) {
            if (mysql_type[i] == '\'') {
                if (i + 1 >= mysql_type.size() || mysql_type[i + 1] != '\'') {
                    break;
                }
                i++;
            }
            member += mysql_type[i];
        }
        members.push_back(std::move(member));
        i = i < mysql_type.size() ? i + 1 : std::string_view::npos;
    }
    return members;
}

std::optional<std::string_view> enum_label(
    std::string_view index, const std::vector<std::string>& members
) {
    const auto number = parse_uint(index);
    if (!number || *number > members.size()) return std::nullopt;
    return *number == 0 ? std::string_view() : members[*number - 1];
}

std::optional<std::string> set_labels(
    std::string_view mask, const std::vector<std::string>& members
) {
    const auto number = parse_uint(mask);
    if (!number) return std::nullopt;
    std::string text;
    bool first = true;
    for (size_t i = 0; i < members.size() && i < 64; i++) {
        if ((*number >> i & 1U) == 0) continue;
        text += first ? "" : ",";
        text += members[i];
        first = false;
    }
    return text;
}

std::string latin1_bytes(std::string_view text) {
    std::string bytes;
    bytes.reserve(text.size());
    for (size_t i = 0; i < text.size(); i++) {
        const auto lead = static_cast<uint8_t>(text[i]);
        if (lead < 0x80 || i + 1 >= text.size()) {
            bytes += text[i];
            continue;
        }
        const auto next = static_cast<uint8_t>(text[++i]);
        bytes += static_cast<char>(((lead & 0x03U) << 6U) | (next & 0x3FU));
    }
    return bytes;
}

}  // namespace obcanal::adapter::core
