#include "server/source/oblog_tables.h"

#include "protocol/base/text.h"
#include "server/source/oblog_columns.h"

#include <algorithm>
#include <utility>

namespace obcanal::source {
namespace {

// Column positions of the first group in "(1,2),(3)".
std::vector<uint32_t> first_group(std::string_view text) {
    std::vector<uint32_t> positions;
    const size_t end = text.find(')');
    if (!text.starts_with('(') || end == std::string_view::npos) return positions;
    for (const std::string_view part : split(text.substr(1, end - 1), ',')) {
        if (const auto number = parse_uint(trim(part)))
            positions.push_back(static_cast<uint32_t>(*number));
    }
    return positions;
}

// "+08:00" in seconds; 0 when it is no such text.
int32_t zone_offset(std::string_view zone) {
    if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':') return 0;
    const auto hours = parse_uint(zone.substr(1, 2));
    const auto minutes = parse_uint(zone.substr(4, 2));
    if (!hours || !minutes) return 0;
    const auto seconds = static_cast<int32_t>(*hours * 3600 + *minutes * 60);
    return zone[0] == '-' ? -seconds : seconds;
}

bool asks_for_unix_timestamps(const config::OblogConfig& config) {
    for (const auto& [key, value] : config.extra_configs) {
        if (key == "enable_convert_timestamp_to_unix_timestamp") return value == "1";
    }
    return false;
}

}  // namespace

std::string_view database_of(std::string_view db_name) {
    const size_t dot = db_name.find('.');
    return dot == std::string_view::npos ? std::string_view() : db_name.substr(dot + 1);
}

OblogTables::OblogTables(
    const config::OblogConfig& config, filter::ColumnFilter columns, const LiveFilter& filter
)
    : filter_(filter),
      columns_(std::move(columns)),
      unix_timestamps_(asks_for_unix_timestamps(config)),
      zone_offset_seconds_(zone_offset(config.timezone)) {
    forget();
}

void OblogTables::forget() {
    filter_version_ = filter_.version();
    current_ = filter_.current();
    tables_.clear();
    recent_ = {};
}

OblogTable* OblogTables::known(std::string_view db_name, std::string_view table_name) {
    for (OblogTable* table : recent_) {
        if (table != nullptr && table->table_name == table_name && table->db_name == db_name)
            return table;
    }
    key_.assign(db_name).append(1, '\0').append(table_name);
    const auto found = tables_.find(key_);
    if (found == tables_.end()) return nullptr;
    recent_[next_recent_++ % recent_.size()] = &found->second;
    return &found->second;
}

const OblogTable* OblogTables::find(oblog::LogRecord& record) {
    const OblogTable* table = known(record.db_name(), record.table_name());
    if (table == nullptr) return nullptr;
    // A table that nobody wants needs no plan, so its columns do not matter.
    if (!table->wanted) return table;
    return table->columns_seen.matches(record) ? table : nullptr;
}

const OblogTable& OblogTables::renew(oblog::LogRecord& record) {
    key_.assign(record.db_name()).append(1, '\0').append(record.table_name());
    OblogTable& table = tables_[key_];
    table = OblogTable{};
    table.db_name = record.db_name();
    table.table_name = record.table_name();
    table.columns_seen = oblog::ColumnDescription(record);
    const std::string_view schema = database_of(record.db_name());
    table.wanted = current_->passes(schema, record.table_name());
    if (!table.wanted) return table;

    const oblog::StringArray names = record.column_names();
    const auto types = record.column_types();
    const oblog::StringArray encodings = record.column_encodings();
    const auto is_signed = record.is_signed();
    const auto lengths = record.lengths();
    const auto precisions = record.precisions();
    const auto scales = record.scales();
    const auto primary = record.primary_key();
    std::vector<uint32_t> unique;
    if (primary.size() == 0 && record.key_info().size() > 0)
        unique = first_group(record.key_info()[0].text());

    canal::TableSpec spec{std::string(schema), std::string(record.table_name()), {}};
    for (uint32_t i = 0; i < names.size(); ++i) {
        OblogColumn column;
        column.name = names[i].text();
        column.type = types.get(i, 255);
        if (i < encodings.size()) column.encoding = encodings[i].text();
        column.is_signed = is_signed.get(i, 1) != 0;
        column.length = lengths.get(i, 0);
        column.precision = precisions.get(i, -1);
        column.scale = scales.get(i, -1);
        if (!columns_.keeps(schema, record.table_name(), column.name)) continue;
        canal::ColumnSpec made = oblog_column(column, unix_timestamps_, zone_offset_seconds_);
        made.index = static_cast<int32_t>(i);
        for (uint32_t k = 0; k < primary.size(); ++k)
            made.is_key = made.is_key || primary[k] == made.index;
        made.unique_key = std::find(unique.begin(), unique.end(), i) != unique.end();
        made.is_key = made.is_key || made.unique_key;
        spec.columns.push_back(std::move(made));
        table.kept.push_back(i);
    }
    table.plan = std::make_unique<canal::TablePlan>(spec);
    return table;
}

}  // namespace obcanal::source
