// What a schema history is made of, and its bytes. Pure functions, any thread.
//
//   record     := kind:u8 moment body
//   kind       := 1 checkpoint | 2 statement | 3 definition
//   moment     := text(file) varint(offset) varint(time_ms)
//   checkpoint := text(origin) varint(n) { text(database) text(charset) }*n
//                 varint(n) { table }*n
//   table      := text(schema) text(table) known:u8 text(create statement) asked
//   asked      := 0:u8 | 1:u8 text(file) varint(offset) text(file) varint(offset)
//   statement  := text(default schema) text(sql)
//   definition := text(schema) text(table) there:u8 text(create statement) asked
//   text       := varint(size) bytes
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"
#include "server/schema/definition_source.h"
#include "server/schema/log_point.h"
#include "server/schema/names.h"

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace obcanal::schema {

struct KeptTable {
    TableName name;
    std::optional<std::string> create_sql;  // nothing: Unknown, or (in an answer) not there
    std::optional<AskedBetween> asked;

    bool operator==(const KeptTable&) const = default;
};

// All tables as they are right before the events from `at` on.
struct Checkpoint {
    LogMoment at;
    std::string origin;  // whose log the points of this and of all that follows belong to
    std::vector<DatabaseAnswer> databases;
    std::vector<KeptTable> tables;

    bool operator==(const Checkpoint&) const = default;
};

// A statement of the log that concerns tables, at the beginning of its event.
struct LoggedStatement {
    LogMoment at;
    std::string default_schema;
    std::string sql;

    bool operator==(const LoggedStatement&) const = default;
};

// What the source answered when the event at `at` needed a table.
struct LoggedAnswer {
    LogMoment at;
    KeptTable table;

    bool operator==(const LoggedAnswer&) const = default;
};

using SchemaRecord = std::variant<Checkpoint, LoggedStatement, LoggedAnswer>;

const LogMoment& moment_of(const SchemaRecord& record);
std::string to_bytes(const SchemaRecord& record);
Result<SchemaRecord> parse_schema_record(Bytes bytes);

}  // namespace obcanal::schema
