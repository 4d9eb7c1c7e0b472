#include "server/cli/table.h"

#include "protocol/base/text.h"

#include <algorithm>
#include <cstddef>

namespace obcanal::cli {

namespace json = boost::json;

const json::object& object_at(const json::object& in, std::string_view key) {
    static const json::object nothing;
    const json::value* const found = in.if_contains(key);
    return found != nullptr && found->is_object() ? found->get_object() : nothing;
}

int64_t number_at(const json::object& in, std::string_view key) {
    const json::value* const found = in.if_contains(key);
    if (found == nullptr) return 0;
    if (found->is_int64()) return found->get_int64();
    return found->is_uint64() ? static_cast<int64_t>(found->get_uint64()) : 0;
}

std::string text_at(const json::object& in, std::string_view key) {
    const json::value* const found = in.if_contains(key);
    if (found == nullptr || !found->is_string()) return {};
    constexpr size_t kLongText = 4'000;
    return printable(std::string_view(found->get_string()), kLongText);
}

bool flag_at(const json::object& in, std::string_view key) {
    const json::value* const found = in.if_contains(key);
    return found != nullptr && found->is_bool() && found->get_bool();
}

void append_rows(std::string& to, const std::vector<Row>& rows) {
    std::vector<size_t> widths(rows.front().size());
    for (const Row& row : rows) {
        for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    for (const Row& row : rows) {
        std::string line;
        for (size_t i = 0; i < row.size(); ++i)
            line += row[i] + std::string(widths[i] - row[i].size() + 2, ' ');
        line.erase(line.find_last_not_of(' ') + 1);
        to += line + "\n";
    }
}

std::string cursor_text(const json::object& cursor) {
    const json::object& position = object_at(cursor, "postion");
    if (position.empty()) return "-";
    return text_at(position, "journalName") + ":" +
           std::to_string(number_at(position, "position")) + " at " +
           std::to_string(number_at(position, "timestamp"));
}

}  // namespace obcanal::cli
