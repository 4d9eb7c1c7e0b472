// How rows of one table version become Canal columns: everything that does not depend on the row is
// encoded once, here. Immutable after construction, so any thread may read it; a source makes a new
// plan when a table changes.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/cell.h"

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::canal {

// How a cell's bytes become the text of Column.value.
enum class ValueKind : uint8_t {
    Utf8,           // as they are; what is not UTF-8 is repaired as Java decodes it
    Latin1,         // binary: each byte as the character of that number, as Canal does
    Charset,        // text of another character set
    UnixTimestamp,  // "seconds.microseconds" (libobcdc's
                    // enable_convert_timestamp_to_unix_timestamp)
};

struct ColumnSpec {
    int32_t index = 0;  // position in the table
    std::string name;
    std::string mysql_type;
    int32_t sql_type = 0;       // java.sql.Types
    int32_t null_sql_type = 0;  // the type written beside a NULL
    // An unsigned integer that does not fit the signed type is sent with the next larger type, as
    // Canal does.
    uint64_t promote_above = std::numeric_limits<uint64_t>::max();
    int32_t promoted_sql_type = 0;
    bool is_key = false;
    bool unique_key =
        false;  // key because of a unique index, there being no primary key: marked in props
    ValueKind kind = ValueKind::Utf8;
    std::string charset = {};                   // ValueKind::Charset: MySQL's name
    int32_t fraction_digits = 0;                // ValueKind::UnixTimestamp
    int32_t zone_offset_seconds = 0;            // ValueKind::UnixTimestamp: east of Greenwich
    std::shared_ptr<const CellText> text = {};  // makes the text, whatever `kind` says
};

struct TableSpec {
    std::string schema;
    std::string table;
    std::vector<ColumnSpec> columns;
};

// Encoded bytes with readable memory in front, so that short copies are fixed-size moves.
struct PaddedBytes {
    const std::byte* end = nullptr;
    uint32_t size = 0;
};

struct ColumnPlan {
    enum Head : uint8_t { Normal, Promoted, Null };

    std::array<PaddedBytes, 3> head;  // index, sqlType, name, isKey
    PaddedBytes tail;                 // mysqlType
    uint64_t promote_above;
    ValueKind kind;
    bool unique_key;
    int32_t fraction_digits;
    int32_t zone_offset_seconds;
    std::string charset;
    std::string name;
    std::shared_ptr<const CellText> text;
};

class TablePlan {
 public:
    static constexpr size_t kPadding = 32;

    explicit TablePlan(const TableSpec& spec);

    TablePlan(const TablePlan&) = delete;
    TablePlan& operator=(const TablePlan&) = delete;

    const std::vector<ColumnPlan>& columns() const { return columns_; }
    const PaddedBytes& names() const {
        return names_;
    }  // Header: sourceType, schemaName, tableName
    size_t largest_column() const { return largest_column_; }
    std::string_view schema() const { return schema_; }
    std::string_view table() const { return table_; }

 private:
    std::string schema_;
    std::string table_;
    std::string arena_;
    PaddedBytes names_;
    std::vector<ColumnPlan> columns_;
    size_t largest_column_ = 0;
};

}  // namespace obcanal::canal
