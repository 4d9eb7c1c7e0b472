#include "protocol/canal/entry_reader.h"

#include "protocol/base/wire_reader.h"
#include "protocol/canal/change.h"
#include "protocol/canal/wire_fields.h"

#include <array>
#include <string>

namespace obcanal::canal {
namespace {

namespace props_field {  // where each message keeps its props
constexpr uint32_t kRowData = 3, kRowChange = 13, kTransaction = 3;
}

constexpr uint32_t kColumnLength = 9;
constexpr uint32_t kTransactionExecuteTime = 1;

template <size_t Count>
std::string_view name_of(const std::array<std::string_view, Count>& names, int32_t number) {
    const auto index = static_cast<uint32_t>(number);
    return index < Count ? names[index] : std::string_view();
}

Error too_many(std::string_view what, size_t limit) {
    return {
        Errc::BadPacket, Retry::Never, std::string(what) + ": more than " + std::to_string(limit)
    };
}

Result<PairView> read_pair(Bytes bytes) {
    PairView pair;
    WireReader field(bytes);
    while (field.next()) {
        if (field.is_bytes(pair_field::kKey)) pair.key = field.text();
        if (field.is_bytes(pair_field::kValue)) pair.value = field.text();
    }
    if (!field.ok()) return field.error("Pair");
    return pair;
}

Result<void> add_prop(Bytes bytes, std::vector<PairView>& props) {
    if (props.size() == kMaxProps) return too_many("props", kMaxProps);
    Result<PairView> pair = read_pair(bytes);
    if (!pair) return std::move(pair).error();
    props.push_back(*pair);
    return {};
}

Result<void> read_header(Bytes bytes, HeaderView& header) {
    WireReader field(bytes);
    while (field.next()) {
        using namespace header_field;
        if (field.is_varint(kVersion)) header.version = field.int32();
        if (field.is_bytes(kLogfileName)) header.logfile_name = field.text();
        if (field.is_varint(kLogfileOffset)) header.logfile_offset = field.int64();
        if (field.is_varint(kServerId)) header.server_id = field.int64();
        if (field.is_bytes(kServerEncode)) header.server_encode = field.text();
        if (field.is_varint(kExecuteTime)) header.execute_time = field.int64();
        if (field.is_varint(kSourceType)) header.source_type = field.int32();
        if (field.is_bytes(kSchemaName)) header.schema_name = field.text();
        if (field.is_bytes(kTableName)) header.table_name = field.text();
        if (field.is_varint(kEventLength)) header.event_length = field.int64();
        if (field.is_varint(kEventType)) header.event_type = field.int32();
        if (field.is_bytes(kGtid)) header.gtid = field.text();
        if (!field.is_bytes(kProps)) continue;
        if (Result<void> added = add_prop(field.bytes(), header.props); !added) return added;
    }
    if (!field.ok()) return field.error("Header");
    return {};
}

Result<RowChangeView> read_row_change(Bytes bytes) {
    RowChangeView change;
    WireReader field(bytes);
    while (field.next()) {
        using namespace row_change_field;
        if (field.is_varint(kTableId)) change.table_id = field.int64();
        if (field.is_varint(kEventType)) change.event_type = field.int32();
        if (field.is_varint(kIsDdl)) change.is_ddl = field.boolean();
        if (field.is_bytes(kSql)) change.sql = field.text();
        if (field.is_bytes(kRowDatas)) change.rows.push_back(field.bytes());
        if (field.is_bytes(kDdlSchemaName)) change.ddl_schema_name = field.text();
        if (!field.is_bytes(props_field::kRowChange)) continue;
        if (Result<void> added = add_prop(field.bytes(), change.props); !added)
            return std::move(added).error();
    }
    if (!field.ok()) return field.error("RowChange");
    return change;
}

Result<TransactionView> read_transaction(Bytes bytes) {
    TransactionView transaction;
    WireReader field(bytes);
    while (field.next()) {
        using namespace transaction_field;
        if (field.is_varint(kTransactionExecuteTime)) transaction.execute_time = field.int64();
        if (field.is_bytes(kTransactionId)) transaction.transaction_id = field.text();
        if (field.is_varint(kThreadId)) transaction.thread_id = field.int64();
        if (!field.is_bytes(props_field::kTransaction)) continue;
        if (Result<void> added = add_prop(field.bytes(), transaction.props); !added)
            return std::move(added).error();
    }
    if (!field.ok()) return field.error("transaction boundary");
    return transaction;
}

// The memory of `column`'s props is kept.
Result<void> read_column(Bytes bytes, ColumnView& column) {
    std::vector<PairView> props = std::move(column.props);
    props.clear();
    column = ColumnView();
    column.props = std::move(props);
    WireReader field(bytes);
    while (field.next()) {
        using namespace column_field;
        if (field.is_varint(kIndex)) column.index = field.int32();
        if (field.is_varint(kSqlType)) column.sql_type = field.int32();
        if (field.is_bytes(kName)) column.name = field.text();
        if (field.is_varint(kIsKey)) column.is_key = field.boolean();
        if (field.is_varint(kUpdated)) column.updated = field.boolean();
        if (field.is_varint(kIsNull)) column.is_null = field.boolean();
        if (field.is_bytes(kValue)) column.value = field.text();
        if (field.is_varint(kColumnLength)) column.length = field.int32();
        if (field.is_bytes(kMysqlType)) column.mysql_type = field.text();
        if (!field.is_bytes(kProps)) continue;
        if (Result<void> added = add_prop(field.bytes(), column.props); !added) return added;
    }
    if (!field.ok()) return field.error("Column");
    return {};
}

// Fills columns[used], growing the list where it is too short.
Result<void> add_column(Bytes bytes, std::vector<ColumnView>& columns, size_t& used) {
    if (used == kMaxColumns) return too_many("columns", kMaxColumns);
    if (used == columns.size()) columns.emplace_back();
    return read_column(bytes, columns[used++]);
}

template <class View>
Result<void> keep(Result<View> view, EntryView& entry) {
    if (!view) return std::move(view).error();
    entry.content = std::move(view).value();
    return {};
}

Result<void> read_content(EntryView& entry) {
    const Bytes bytes = entry.store_value.value_or(Bytes());
    switch (entry.type()) {
        case entry_type::kRowData: return keep(read_row_change(bytes), entry);
        case entry_type::kTransactionBegin:
        case entry_type::kTransactionEnd: return keep(read_transaction(bytes), entry);
        case entry_type::kGtidLog: return keep(read_pair(bytes), entry);
        default: return {};
    }
}

}  // namespace

std::string_view entry_type_name(int32_t number) {
    constexpr std::array<std::string_view, 6> kNames{
        "PROTO2COMPATIBLETYPE",
        "TRANSACTIONBEGIN",
        "ROWDATA",
        "TRANSACTIONEND",
        "HEARTBEAT",
        "GTIDLOG"
    };
    return name_of(kNames, number);
}

std::string_view event_type_name(int32_t number) {
    constexpr std::array<std::string_view, 16> kNames{
        "EVENTTYPECOMPATIBLEPROTO2",
        "INSERT",
        "UPDATE",
        "DELETE",
        "CREATE",
        "ALTER",
        "ERASE",
        "QUERY",
        "TRUNCATE",
        "RENAME",
        "CINDEX",
        "DINDEX",
        "GTID",
        "XACOMMIT",
        "XAROLLBACK",
        "MHEARTBEAT"
    };
    return name_of(kNames, number);
}

std::string_view source_type_name(int32_t number) {
    constexpr std::array<std::string_view, 4> kNames{
        "TYPECOMPATIBLEPROTO2", "ORACLE", "MYSQL", "PGSQL"
    };
    return name_of(kNames, number);
}

Result<void> count_entry(Bytes entry, EntryTotals& totals) {
    int32_t type = entry_type::kRowData;
    Bytes store_value;
    WireReader field(entry);
    while (field.next()) {
        if (field.is_varint(entry_field::kEntryType)) type = field.int32();
        if (field.is_bytes(entry_field::kStoreValue)) store_value = field.bytes();
    }
    if (!field.ok()) return field.error("Entry");

    uint64_t rows = 0;
    auto event = static_cast<int32_t>(EventType::Update);  // the protocol's default
    if (type == entry_type::kRowData) {
        WireReader change(store_value);
        while (change.next()) {
            if (change.is_varint(row_change_field::kEventType)) event = change.int32();
            if (change.is_bytes(row_change_field::kRowDatas)) ++rows;
        }
        if (!change.ok()) return change.error("RowChange");
        totals.rows += rows;
        switch (event) {
            case static_cast<int32_t>(EventType::Insert): totals.inserts += rows; break;
            case static_cast<int32_t>(EventType::Update): totals.updates += rows; break;
            case static_cast<int32_t>(EventType::Delete): totals.deletes += rows; break;
            default: ++totals.other;
        }
    }
    if (type == entry_type::kTransactionEnd) ++totals.transactions;
    ++totals.entries;
    totals.bytes += entry.size();
    return {};
}

bool ColumnView::unknown() const {
    for (const PairView& prop : props) {
        if (prop.key == "unknown" && prop.value == "true") return true;
    }
    return false;
}

Result<EntryView> read_entry(Bytes bytes) {
    EntryView entry;
    WireReader field(bytes);
    while (field.next()) {
        if (field.is_varint(entry_field::kEntryType)) entry.entry_type = field.int32();
        if (field.is_bytes(entry_field::kStoreValue)) entry.store_value = field.bytes();
        if (!field.is_bytes(entry_field::kHeader)) continue;
        if (!entry.header) entry.header.emplace();
        if (Result<void> read = read_header(field.bytes(), *entry.header); !read)
            return std::move(read).error();
    }
    if (!field.ok()) return field.error("Entry");
    if (Result<void> read = read_content(entry); !read) return std::move(read).error();
    return entry;
}

Result<void> read_row(Bytes row_data, RowView& row) {
    size_t before = 0;
    size_t after = 0;
    row.props.clear();
    WireReader field(row_data);
    while (field.next()) {
        Result<void> added;
        if (field.is_bytes(row_data_field::kBeforeColumns))
            added = add_column(field.bytes(), row.before, before);
        if (field.is_bytes(row_data_field::kAfterColumns))
            added = add_column(field.bytes(), row.after, after);
        if (field.is_bytes(props_field::kRowData)) added = add_prop(field.bytes(), row.props);
        if (!added) return added;
    }
    if (!field.ok()) return field.error("RowData");
    row.before.resize(before);
    row.after.resize(after);
    return {};
}

}  // namespace obcanal::canal
