// What a source hands to the encoder: views into its packet buffer, valid until emit() completes.
// Nothing is converted yet; a TablePlan says how. Sans-I/O.
#pragma once

#include "protocol/base/cell.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

namespace obcanal::canal {

class TablePlan;

// Numbers of Canal's EventType.
enum class EventType : uint8_t {
    Insert = 1,
    Update = 2,
    Delete = 3,
    Create = 4,
    Alter = 5,
    Erase = 6,
    Query = 7,
    Truncate = 8,
    Rename = 9,
    CIndex = 10,
    DIndex = 11,
    XaCommit = 13,
    XaRollback = 14,
};

enum class RowKind : uint8_t {
    Insert = static_cast<uint8_t>(EventType::Insert),
    Update = static_cast<uint8_t>(EventType::Update),
    Delete = static_cast<uint8_t>(EventType::Delete),
};

using obcanal::Cell;
using obcanal::CellState;
using obcanal::kCellPadding;

// Where in the log a transaction stands; kept with its entries until they are acknowledged.
struct TxnMark {
    std::string_view id;    // unique id of the transaction or DDL
    int64_t commit_us = 0;  // commit time, microseconds since the epoch
    int64_t checkpoint_us =
        0;  // everything committed up to here was delivered before; microseconds since the epoch
    bool ordered = false;  // the source sends in commit order, see OblogResume

    // Of logs that consist of files: where the transaction begins.
    std::string_view log = {};
    int64_t log_offset = 0;
    int64_t server_id = 0;
    std::string_view gtid = {};   // the transaction's own; `id` is then the set that it completes
    int64_t last_committed = -1;  // logged beside a MySQL GTID; -1: none
    int64_t sequence_number = -1;
    uint8_t server = 0;  // which of the configured servers sent it
};

// Header fields that differ from entry to entry.
struct EventMark {
    int64_t offset = 0;             // logfileOffset
    int64_t execute_ms = 0;         // executeTime
    int64_t event_length = 0;       // bytes of the upstream event
    int64_t server_id = 0;          // serverId; 0: the log has none
    std::string_view logfile = {};  // logfileName, where the log consists of files
};

// XA statements: XA_TYPE and XA_XID of the entry's props.
struct XaMark {
    std::string_view type;  // "XA START"; empty: none of XA
    std::string_view xid;
};

struct TxnBegin {
    EventMark mark;
    TxnMark txn;
    int64_t thread_id = 0;
    bool resumed =
        false;  // clients have its begin already: only the rest of the transaction follows
    XaMark xa = {};
};

// Columns in the order of the plan. Insert: no before; Delete: no after.
struct RowImages {
    std::span<const Cell> before;
    std::span<const Cell> after;
};

struct RowsChange {
    const TablePlan* plan = nullptr;
    RowKind kind = RowKind::Insert;
    std::span<const RowImages> rows;
    EventMark mark;
    std::string_view row_id;  // upstream's own id of the row; empty: none
    // How much of the transaction is done with these, filtered ones included, in what its source
    // counts when it resumes inside one: rows, or events of a binlog.
    uint64_t rows_done = 0;
    int64_t table_id = 0;  // upstream's number of the table; 0: none
};

struct DdlChange {
    EventMark mark;
    // Set: a transaction of its own; otherwise part of the open one (CREATE TABLE ... SELECT).
    std::optional<TxnMark> txn;
    EventType type = EventType::Query;
    std::string_view schema;
    std::string_view table;
    std::string_view sql;
    std::string_view default_schema;  // ddlSchemaName
    uint64_t rows_done = 0;           // inside an open transaction, see RowsChange
};

// A statement that is no DDL: what a row event was made by, changes logged as statements, settings.
struct StatementChange {
    EventMark mark;
    std::optional<TxnMark> txn;  // set: a transaction of its own; otherwise part of the open one
    EventType type = EventType::Query;  // Insert, Update or Delete: the change itself
    std::string_view schema;
    std::string_view table;
    std::string_view sql;
    std::string_view default_schema;
    uint64_t rows_done = 0;  // inside an open transaction, see RowsChange
    XaMark xa = {};
};

struct TxnEnd {
    EventMark mark;
    std::string_view transaction_id = {};  // empty: the id it began with
    XaMark xa = {};
};

// Upstream lives, and everything committed up to checkpoint_us was delivered.
struct Heartbeat {
    int64_t checkpoint_us = 0;
    // Which one is later, where checkpoint_us is of a clock that may be set back; 0: it says so.
    int64_t number = 0;

    int64_t order() const { return number != 0 ? number : checkpoint_us; }
};

using Change = std::variant<TxnBegin, RowsChange, DdlChange, StatementChange, TxnEnd, Heartbeat>;

}  // namespace obcanal::canal
