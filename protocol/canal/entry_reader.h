// Reads Canal entries: a light scan that counts rows, and a full reading into views, one row at a
// time, so that memory stays bounded by the entry's own size whatever it claims. Views point into
// the entry's bytes. Presence on the wire is kept. Sans-I/O; a reader object belongs to one thread.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

namespace obcanal::canal {

// Numbers of Canal's EntryType beyond those that we write.
namespace entry_type {
inline constexpr int32_t kTransactionBegin = 1, kRowData = 2, kTransactionEnd = 3, kHeartbeat = 4,
                         kGtidLog = 5;
}

// Names of the protocol's enums; empty for a number that it does not know.
std::string_view entry_type_name(int32_t number);
std::string_view event_type_name(int32_t number);
std::string_view source_type_name(int32_t number);

// -- light scan

struct EntryTotals {
    uint64_t entries = 0;
    uint64_t bytes = 0;  // of serialised entries
    uint64_t rows = 0;   // RowData elements of ROWDATA entries
    uint64_t inserts = 0;
    uint64_t updates = 0;
    uint64_t deletes = 0;
    uint64_t other = 0;         // ROWDATA entries of other event types: DDL, queries
    uint64_t transactions = 0;  // TRANSACTIONEND entries
};

// Adds one serialised Entry. Touches tags and lengths only.
Result<void> count_entry(Bytes entry, EntryTotals& totals);

// -- full reading

struct PairView {
    std::optional<std::string_view> key;
    std::optional<std::string_view> value;
};

struct HeaderView {
    std::optional<int32_t> version;
    std::optional<std::string_view> logfile_name;
    std::optional<int64_t> logfile_offset;
    std::optional<int64_t> server_id;
    std::optional<std::string_view> server_encode;
    std::optional<int64_t> execute_time;
    std::optional<int32_t> source_type;
    std::optional<std::string_view> schema_name;
    std::optional<std::string_view> table_name;
    std::optional<int64_t> event_length;
    std::optional<int32_t> event_type;
    std::vector<PairView> props;
    std::optional<std::string_view> gtid;
};

struct ColumnView {
    std::optional<int32_t> index;
    std::optional<int32_t> sql_type;
    std::optional<std::string_view> name;
    std::optional<bool> is_key;
    std::optional<bool> updated;
    std::optional<bool> is_null;
    std::vector<PairView> props;
    std::optional<std::string_view> value;
    std::optional<int32_t> length;
    std::optional<std::string_view> mysql_type;

    // Upstream did not log the value: column prop unknown=true.
    bool unknown() const;
};

struct RowView {
    std::vector<ColumnView> before;
    std::vector<ColumnView> after;
    std::vector<PairView> props;
};

struct RowChangeView {
    std::optional<int64_t> table_id;
    std::optional<int32_t> event_type;
    std::optional<bool> is_ddl;
    std::optional<std::string_view> sql;
    std::vector<Bytes> rows;  // each for read_row()
    std::vector<PairView> props;
    std::optional<std::string_view> ddl_schema_name;
};

// TransactionBegin and TransactionEnd; the end has no thread id.
struct TransactionView {
    std::optional<int64_t> execute_time;
    std::optional<std::string_view> transaction_id;
    std::vector<PairView> props;
    std::optional<int64_t> thread_id;
};

struct EntryView {
    std::optional<HeaderView> header;
    std::optional<int32_t> entry_type;
    std::optional<Bytes> store_value;
    // The store value decoded as the entry type says (absent: ROWDATA, the protocol's default).
    // Nothing for types whose content is not defined.
    std::variant<std::monostate, RowChangeView, TransactionView, PairView> content;

    int32_t type() const { return entry_type.value_or(entry_type::kRowData); }
};

// A table has at most 4096 columns in every database that Canal knows.
inline constexpr size_t kMaxColumns = 16 * 1024;
inline constexpr size_t kMaxProps = 4 * 1024;

Result<EntryView> read_entry(Bytes entry);
// Replaces `row`, keeping its memory for the next one.
Result<void> read_row(Bytes row_data, RowView& row);

}  // namespace obcanal::canal
