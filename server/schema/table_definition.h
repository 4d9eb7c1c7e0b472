// What is known of a table's columns. Plain values, any thread.
#pragma once

#include <string>
#include <vector>

namespace obcanal::schema {

struct ColumnDefinition {
    std::string name;
    // mysqlType: as the statement spells it, arguments without blanks, then " unsigned", "
    // zerofill"
    std::string type;
    // Of text, ENUM and SET columns, in lower case; empty: neither column nor table nor database
    // say.
    std::string charset;
    std::vector<std::string> members;  // of ENUM and SET
    bool is_unsigned = false;
    bool nullable = true;
    bool is_key = false;  // member of the primary key

    bool operator==(const ColumnDefinition&) const = default;
};

struct TableDefinition {
    std::string schema;
    std::string table;
    std::string charset;  // default for columns that are added later; empty: nobody said
    std::vector<ColumnDefinition> columns;

    bool operator==(const TableDefinition&) const = default;
};

}  // namespace obcanal::schema
