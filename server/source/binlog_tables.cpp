#include "server/source/binlog_tables.h"

#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "server/source/mapped_definition.h"

#include <algorithm>
#include <utility>

namespace obcanal::source {

BinlogTables::BinlogTables(
    schema::SchemaLog& schemas,
    filter::ColumnFilter columns,
    const LiveFilter& filter,
    BinlogColumnOptions options,
    bool leave_out_unknown,
    SourceState& state
)
    : schemas_(schemas),
      filter_(filter),
      current_(filter.current()),
      filter_version_(filter.version()),
      columns_(std::move(columns)),
      options_(std::move(options)),
      leave_out_unknown_(leave_out_unknown),
      state_(state) {}

void BinlogTables::refresh_filter() {
    if (filter_.version() == filter_version_) return;
    filter_version_ = filter_.version();
    current_ = filter_.current();
    forget();
}

void BinlogTables::forget(const std::vector<schema::TableChange>& touched) {
    for (const schema::TableChange& change : touched) {
        if (!change.late) continue;
        const std::string name = change.name.schema + "." + change.name.table;
        const bool read = std::ranges::any_of(tables_, [&name](const auto& one) {
            return one.second.wanted && equals_ignore_case(one.second.name, name);
        });
        if (!read) continue;
        Logger("binlog").warn(
            "rows of a table were read by a definition from after the statement that follows them",
            {{"table", name}}
        );
    }
    tables_.clear();
}

const BinlogTable* BinlogTables::find(uint64_t id) const {
    const auto found = tables_.find(id);
    return found == tables_.end() ? nullptr : &found->second;
}

Result<std::optional<schema::TableName>> BinlogTables::add(
    const mysql::Event& event, const mysql::BinlogFormat& format, bool asked
) {
    using Missing = std::optional<schema::TableName>;
    const auto id = mysql::table_map_id(event, format);
    if (!id) return id.error();
    const auto known = tables_.find(*id);
    if (known != tables_.end() && known->second.seen == as_text(event.body)) return Missing();
    const auto map = mysql::parse_table_map(event, format);
    if (!map) return map.error();
    BinlogTable table;
    table.seen = as_text(event.body);
    table.name = map->schema + "." + map->table;
    table.wanted = current_->passes(map->schema, map->table);
    if (table.wanted) {
        if (const schema::TableDefinition* definition = definition_of(*map)) {
            describe(*map, *definition, table);
        } else if (!asked) {
            return Missing({map->schema, map->table});
        } else {
            auto described = describe_unknown(*map, format, table);
            if (!described) return std::move(described).error();
        }
    }
    tables_.insert_or_assign(*id, std::move(table));
    return Missing();
}

const schema::TableDefinition* BinlogTables::definition_of(const mysql::TableMap& map) {
    const auto fitting = [&]() -> const schema::TableDefinition* {
        const schema::TableDefinition* found = schemas_.find(map.schema, map.table);
        return found != nullptr && fits(map, *found) ? found : nullptr;
    };
    if (const schema::TableDefinition* found = fitting()) return found;
    if (map.has_names) {
        schemas_.define(mapped_definition(map));
        return schemas_.find(map.schema, map.table);
    }
    return schemas_.recall({map.schema, map.table}) ? fitting() : nullptr;
}

Result<void> BinlogTables::describe_unknown(
    const mysql::TableMap& map, const mysql::BinlogFormat& format, BinlogTable& table
) {
    if (leave_out_unknown_) {
        table.wanted = false;
        return {};
    }
    const schema::TableDefinition* stale = schemas_.find(map.schema, map.table);
    const std::string why =
        stale == nullptr ? "is not known"
                         : "has other columns (" + std::to_string(stale->columns.size()) + ")";
    // How long a row of the old temporal types is stands nowhere but in the definition.
    if (format.mariadb && std::ranges::any_of(map.columns, is_old_temporal)) {
        return Error{
            Errc::NotFound,
            Retry::Backoff,
            "table " + table.name + ": its rows have " + std::to_string(map.columns.size()) +
                " columns, and its definition " + why
        };
    }
    state_.unnamed_tables.fetch_add(1, std::memory_order_relaxed);
    Logger("binlog").error(
        "the rows of a table have other columns than its definition: names are @1, @2, ...",
        {{"table", table.name}, {"columns", map.columns.size()}, {"definition", why}}
    );
    describe(map, mapped_definition(map), table);
    return {};
}

void BinlogTables::describe(
    const mysql::TableMap& map, const schema::TableDefinition& definition, BinlogTable& table
) {
    std::vector<uint8_t> old_fractions;
    canal::TableSpec spec{map.schema, map.table, {}};
    for (uint32_t i = 0; i < map.columns.size(); ++i) {
        const schema::ColumnDefinition& column = definition.columns[i];
        old_fractions.push_back(fraction_digits(column.type));
        if (!columns_.keeps(map.schema, map.table, column.name)) continue;
        canal::ColumnSpec made = binlog_column(map.columns[i], column, options_);
        made.index = static_cast<int32_t>(i);
        spec.columns.push_back(std::move(made));
        table.kept.push_back(i);
    }
    table.layout = mysql::RowLayout(map, old_fractions);
    table.plan = std::make_unique<canal::TablePlan>(spec);
}

}  // namespace obcanal::source
