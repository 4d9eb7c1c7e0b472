#include "server/cli/entry_json.h"

#include "protocol/base/text.h"

#include <concepts>
#include <optional>
#include <string_view>
#include <vector>

namespace obcanal::cli {

using canal::ColumnView;
using canal::EntryView;
using canal::PairView;
using canal::RowChangeView;
using canal::RowView;
using canal::TransactionView;

namespace {

// JSON text as it grows; objects and arrays are opened and closed by the caller.
class JsonLine {
 public:
    explicit JsonLine(std::string& to) : to_(to) {}

    void open(char bracket) {
        separate();
        to_ += bracket;
        first_ = true;
    }

    void open(std::string_view name, char bracket) {
        key(name);
        to_ += bracket;
        first_ = true;
    }

    void close(char bracket) {
        to_ += bracket;
        first_ = false;
    }

    void field(std::string_view name, const std::optional<std::string_view>& value) {
        if (!value) return;
        key(name);
        text(*value);
    }

    void field(std::string_view name, const std::optional<bool>& value) {
        if (!value) return;
        key(name);
        to_ += *value ? "true" : "false";
    }

    template <std::integral Integer>
        requires(!std::same_as<Integer, bool>)
    void field(std::string_view name, const std::optional<Integer>& value) {
        if (!value) return;
        key(name);
        to_ += std::to_string(*value);
    }

    // An enum by its name, or by its number where the protocol has no name for it.
    void name_of(
        std::string_view name,
        const std::optional<int32_t>& number,
        std::string_view (*name_for)(int32_t)
    ) {
        if (!number) return;
        const std::string_view known = name_for(*number);
        if (known.empty()) return field(name, number);
        field(name, std::optional(known));
    }

 private:
    void separate() {
        if (!first_) to_ += ',';
        first_ = false;
    }

    void key(std::string_view name) {
        separate();
        to_.append("\"").append(name).append("\":");
    }

    void text(std::string_view value) {
        to_ += '"';
        if (is_utf8(as_bytes(value))) {
            escape(value);
        } else {
            escape(repair_utf8(as_bytes(value)));
        }
        to_ += '"';
    }

    void escape(std::string_view value) {
        constexpr std::string_view kHex = "0123456789abcdef";
        size_t plain = 0;
        for (size_t i = 0; i < value.size(); ++i) {
            const auto byte = static_cast<unsigned char>(value[i]);
            if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
            to_.append(value, plain, i - plain);
            plain = i + 1;
            if (byte == '"' || byte == '\\') {
                to_ += {'\\', value[i]};
            } else {
                to_.append("\\u00");
                to_ += {kHex[byte >> 4], kHex[byte & 15]};
            }
        }
        to_.append(value, plain);
    }

    std::string& to_;
    bool first_ = true;
};

// Repeated fields have no presence beyond their elements.
void append_props(JsonLine& line, const std::vector<PairView>& props) {
    if (props.empty()) return;
    line.open("props", '[');
    for (const PairView& pair : props) {
        line.open('{');
        line.field("key", pair.key);
        line.field("value", pair.value);
        line.close('}');
    }
    line.close(']');
}

void append_header(JsonLine& line, const canal::HeaderView& header) {
    line.open("header", '{');
    line.field("version", header.version);
    line.field("logfileName", header.logfile_name);
    line.field("logfileOffset", header.logfile_offset);
    line.field("serverId", header.server_id);
    line.field("serverenCode", header.server_encode);
    line.field("executeTime", header.execute_time);
    line.name_of("sourceType", header.source_type, canal::source_type_name);
    line.field("schemaName", header.schema_name);
    line.field("tableName", header.table_name);
    line.field("eventLength", header.event_length);
    line.name_of("eventType", header.event_type, canal::event_type_name);
    append_props(line, header.props);
    line.field("gtid", header.gtid);
    line.close('}');
}

void append_columns(JsonLine& line, std::string_view name, const std::vector<ColumnView>& columns) {
    if (columns.empty()) return;
    line.open(name, '[');
    for (const ColumnView& column : columns) {
        line.open('{');
        line.field("index", column.index);
        line.field("sqlType", column.sql_type);
        line.field("name", column.name);
        line.field("isKey", column.is_key);
        line.field("updated", column.updated);
        line.field("isNull", column.is_null);
        append_props(line, column.props);
        line.field("value", column.value);
        line.field("length", column.length);
        line.field("mysqlType", column.mysql_type);
        line.close('}');
    }
    line.close(']');
}

Result<void> append_rows(JsonLine& line, const RowChangeView& change, RowView& row) {
    if (change.rows.empty()) return {};
    line.open("rowDatas", '[');
    for (const Bytes bytes : change.rows) {
        if (Result<void> read = canal::read_row(bytes, row); !read) return read;
        line.open('{');
        append_columns(line, "beforeColumns", row.before);
        append_columns(line, "afterColumns", row.after);
        append_props(line, row.props);
        line.close('}');
    }
    line.close(']');
    return {};
}

Result<void> append_row_change(JsonLine& line, const RowChangeView& change, RowView& row) {
    line.open("rowChange", '{');
    line.field("tableId", change.table_id);
    line.name_of("eventType", change.event_type, canal::event_type_name);
    line.field("isDdl", change.is_ddl);
    line.field("sql", change.sql);
    if (Result<void> rows = append_rows(line, change, row); !rows) return rows;
    append_props(line, change.props);
    line.field("ddlSchemaName", change.ddl_schema_name);
    line.close('}');
    return {};
}

void append_transaction(JsonLine& line, const EntryView& entry, const TransactionView& about) {
    const bool begin = entry.type() == canal::entry_type::kTransactionBegin;
    line.open(begin ? "transactionBegin" : "transactionEnd", '{');
    line.field("executeTime", about.execute_time);
    line.field("transactionId", about.transaction_id);
    append_props(line, about.props);
    line.field("threadId", about.thread_id);
    line.close('}');
}

}  // namespace

Result<uint64_t> EntryJson::append(Bytes bytes, uint64_t, std::string& to) {
    Result<EntryView> entry = canal::read_entry(bytes);
    if (!entry) return std::move(entry).error();
    JsonLine line(to);
    uint64_t rows = 0;
    line.open('{');
    if (entry->header) append_header(line, *entry->header);
    line.name_of("entryType", entry->entry_type, canal::entry_type_name);
    if (const auto* change = std::get_if<RowChangeView>(&entry->content)) {
        if (Result<void> read = append_row_change(line, *change, row_); !read)
            return std::move(read).error();
        rows = change->rows.size();
    } else if (const auto* about = std::get_if<TransactionView>(&entry->content)) {
        append_transaction(line, *entry, *about);
    } else if (const auto* pair = std::get_if<PairView>(&entry->content)) {
        line.open("gtidLog", '{');
        line.field("key", pair->key);
        line.field("value", pair->value);
        line.close('}');
    } else if (entry->store_value) {  // of a type whose content is not defined
        const std::string hex = to_hex(*entry->store_value);
        line.field("storeValueHex", std::optional<std::string_view>(hex));
    }
    line.close('}');
    to += '\n';
    return rows;
}

}  // namespace obcanal::cli
