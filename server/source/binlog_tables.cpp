#include "server/source/binlog_tables.h"

#include <utility>

namespace obcanal::source {

BinlogTables::BinlogTables(
    const schema::Catalog& catalog,
    filter::ColumnFilter columns,
    const LiveFilter& filter,
    BinlogColumnOptions options,
    bool leave_out_unknown
)
    : catalog_(catalog),
      filter_(filter),
      current_(filter.current()),
      filter_version_(filter.version()),
      columns_(std::move(columns)),
      options_(std::move(options)),
      leave_out_unknown_(leave_out_unknown) {}

void BinlogTables::refresh_filter() {
    if (filter_.version() == filter_version_) return;
    filter_version_ = filter_.version();
    current_ = filter_.current();
    forget();
}

const BinlogTable* BinlogTables::find(uint64_t id) const {
    const auto found = tables_.find(id);
    return found == tables_.end() ? nullptr : &found->second;
}

Result<void> BinlogTables::add(
    const mysql::Event& event, const mysql::BinlogFormat& format, bool last_try
) {
    missing_.reset();
    const auto id = mysql::table_map_id(event, format);
    if (!id) return id.error();
    const auto known = tables_.find(*id);
    if (known != tables_.end() && known->second.seen == as_text(event.body)) return {};
    const auto map = mysql::parse_table_map(event, format);
    if (!map) return map.error();
    BinlogTable table;
    table.seen = as_text(event.body);
    table.name = map->schema + "." + map->table;
    table.wanted = current_->passes(map->schema, map->table);
    if (table.wanted) {
        auto described = describe(*map, table, last_try);
        if (!described) return described;
    }
    tables_.insert_or_assign(*id, std::move(table));
    return {};
}

Result<void> BinlogTables::describe(const mysql::TableMap& map, BinlogTable& table, bool last_try) {
    const schema::TableDefinition* definition = catalog_.find(map.schema, map.table);
    const size_t known = definition == nullptr ? 0 : definition->columns.size();
    // Fewer columns in the log than in the catalog: the rest was added at the end.
    if (map.columns.size() > known) {
        if (leave_out_unknown_ && last_try) {
            table.wanted = false;
            return {};
        }
        missing_ = schema::TableName{map.schema, map.table};
        return Error{
            Errc::NotFound,
            Retry::Backoff,
            "table " + table.name + ": its rows have " + std::to_string(map.columns.size()) +
                " columns, and its definition " +
                (definition == nullptr ? "is not known" : "has " + std::to_string(known))
        };
    }
    std::vector<uint8_t> old_fractions;
    canal::TableSpec spec{map.schema, map.table, {}};
    for (uint32_t i = 0; i < map.columns.size(); ++i) {
        const schema::ColumnDefinition& column = definition->columns[i];
        old_fractions.push_back(fraction_digits(column.type));
        if (!columns_.keeps(map.schema, map.table, column.name)) continue;
        canal::ColumnSpec made = binlog_column(map.columns[i], column, options_);
        made.index = static_cast<int32_t>(i);
        spec.columns.push_back(std::move(made));
        table.kept.push_back(i);
    }
    table.layout = mysql::RowLayout(map, old_fractions);
    table.plan = std::make_unique<canal::TablePlan>(spec);
    return {};
}

}  // namespace obcanal::source
