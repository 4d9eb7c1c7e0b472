// Row changes and DDL as the adapter hands them to its targets: the reference's Dml
// (client-adapter, 5.1), read from Canal entries. Views into the batch's frame, which whoever holds
// a DmlBatch keeps alive. Plain data; read by any thread once it is made.
#pragma once

#include "protocol/canal/change.h"
#include "protocol/canal/ids.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::adapter::core {

// A column as the first row of its Dml has it; all rows of a Dml have these columns in this order.
struct DmlColumn {
    std::string_view name;
    std::string_view mysql_type;  // "int(11) unsigned"; enum and set with their members
    bool key = false;
};

enum class ValueState : uint8_t {
    Value,
    Null,
    Unknown,  // upstream did not log it; never written to a target
};

struct DmlValue {
    std::string_view text;  // as Canal writes it; binary columns: Latin-1 bytes widened to UTF-8
    int32_t sql_type = 0;   // java.sql.Types
    ValueState state = ValueState::Value;
    bool updated = false;
};

// Aligned with Dml::columns. INSERT has no `before`, DELETE no `after`.
struct DmlRow {
    std::span<const DmlValue> before;
    std::span<const DmlValue> after;
};

// One entry: the rows that one statement changed in one table, or one DDL.
struct Dml {
    canal::EventType type = canal::EventType::Query;
    bool is_ddl = false;
    std::string_view database;  // of a DDL: the table's
    std::string_view table;
    std::string_view sql;         // DDL only
    std::string_view ddl_schema;  // the session's default schema when the DDL ran
    int64_t execute_ms = 0;       // when the source ran it, milliseconds since the epoch
    // Where it stands in the source's log.
    std::string_view log_file;
    int64_t log_offset = 0;
    std::string_view gtid;
    uint32_t entry = 0;  // index in the batch, of a cause that names it
    std::vector<DmlColumn> columns;
    // Dmls of equal forms, also of different batches, are of one table and have equal columns; 0:
    // nothing is known.
    uint64_t form = 0;
    std::vector<DmlRow> rows;
};

// What one get() brought: transaction marks left out, order kept.
struct DmlBatch {
    std::string_view destination;
    canal::BatchId id{-1};
    uint64_t session = 0;  // of the adapter with the server: another one may bring batches again
    std::span<const Dml> dmls;
    size_t rows = 0;
    bool whole = true;  // its last transaction ends with it
    // Set: a dead letter of this mapping file is tried again. Only that mapping takes it, nothing
    // is parked, and the cause of a refusal comes back as the Error.
    std::string_view only_task;
};

}  // namespace obcanal::adapter::core
