#include "server/filter/column_filter.h"

#include "protocol/base/text.h"

namespace obcanal::filter {
namespace {

using Columns = std::map<std::string, std::set<std::string, std::less<>>, std::less<>>;

Result<Columns> parse_list(std::string_view list, std::string_view name) {
    Columns out;
    for (const std::string_view item : split(list, ',')) {
        if (trim(item).empty()) continue;
        const std::vector<std::string_view> parts = split(item, ':');
        const std::string_view table = trim(parts[0]);
        const size_t dot = table.find('.');
        if (parts.size() != 2 || dot == std::string_view::npos || dot == 0 ||
            dot + 1 == table.size() || trim(parts[1]).empty()) {
            return Error{
                Errc::BadConfig,
                Retry::Never,
                std::string(name) + " list: \"" + printable(item) +
                    "\" has not the form schema.table:column/column"
            };
        }
        auto& columns = out[to_upper(table)];
        for (const std::string_view column : split(parts[1], '/')) {
            if (!trim(column).empty()) columns.insert(to_upper(trim(column)));
        }
    }
    return out;
}

}  // namespace

Result<ColumnFilter> ColumnFilter::parse(std::string_view white, std::string_view black) {
    Result<Columns> wanted = parse_list(white, "white");
    if (!wanted) return std::move(wanted).error();
    Result<Columns> unwanted = parse_list(black, "black");
    if (!unwanted) return std::move(unwanted).error();
    ColumnFilter out;
    out.white_ = std::move(wanted).value();
    out.black_ = std::move(unwanted).value();
    return out;
}

bool ColumnFilter::keeps(std::string_view schema, std::string_view table, std::string_view column)
    const {
    if (empty()) return true;
    const std::string key = to_upper(schema) + "." + to_upper(table);
    const std::string upper = to_upper(column);
    const auto wanted = white_.find(key);
    if (wanted != white_.end() && !wanted->second.empty()) return wanted->second.contains(upper);
    const auto unwanted = black_.find(key);
    return unwanted == black_.end() || !unwanted->second.contains(upper);
}

}  // namespace obcanal::filter
