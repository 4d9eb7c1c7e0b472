// The select of a mapping file (client-adapter, 3.3), read as far as it has to be understood: which
// columns each field, condition and join needs. Expressions are kept as ranges of the user's own
// text, of which read-back statements are made. Plain data; read once, then by any thread.
#pragma once

#include "adapter/es/sql_lexer.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::adapter::es {

// A column that an expression names.
struct ColumnUse {
    SqlRange range;  // with its qualifiers
    std::string qualifier;
    std::string column;
    int source = -1;  // of Select::sources; -1: only the source's columns tell
};

// "own = other" that an ON demands: a column of the joined table, and one that stands before it.
struct JoinEquality {
    uint32_t own = 0;    // of Expression::columns
    uint32_t other = 0;  // of Expression::columns
};

struct SqlExpression {
    enum class Kind : uint8_t { Column, Text, Number, Null, Other };

    SqlRange range;
    Kind kind = Kind::Other;
    std::string literal;  // of Text (its value) and Number
    std::vector<ColumnUse> columns;
    // col = col that holds whenever the whole holds: indexes into `columns`.
    std::vector<std::pair<uint32_t, uint32_t>> equal;
    bool aggregate = false;
};

struct SelectItem {
    SqlExpression value;
    std::string name;  // alias, else the column's
};

struct SqlSelect;

// A table or derived table behind FROM or JOIN.
struct SqlSource {
    enum class Join : uint8_t { Main, Left, Inner };

    Join join = Join::Main;
    SqlRange range;     // "user a", "(select ...) c"
    SqlRange joined;    // from LEFT or JOIN to the end of ON; of the main one as `range`
    std::string alias;  // the table's name if it has none
    std::string schema;
    std::string table;
    std::unique_ptr<SqlSelect> derived;
    SqlExpression on;
    std::vector<JoinEquality> equal;  // own column = column of an earlier source
};

struct SqlSelect {
    SqlRange range;
    bool distinct = false;
    bool grouped = false;  // GROUP BY, or aggregates without it
    std::vector<SelectItem> items;
    SqlRange item_list;
    std::vector<SqlSource> sources;
    SqlRange from;  // "user a left join role b on ..."
    std::optional<SqlExpression> where;
    std::vector<SqlExpression> group_by;
    uint32_t conditions_end = 0;  // where " WHERE ..." or " AND ..." can be put in
};

struct MappingSql {
    std::string text;
    SqlSelect select;
};

// Null: `fault` says what isn't understood.
std::shared_ptr<MappingSql> parse_mapping_sql(std::string_view text, SqlFault& fault);

// Settles `source` of the columns without qualifier in joins. `has`: does the source, a plain
// table, have the column? False: `fault` names one that nobody or more than one has.
class SourceColumns {
 public:
    virtual ~SourceColumns() = default;
    virtual bool has(const SqlSource& source, const std::string& column) const = 0;
};
bool resolve_columns(MappingSql& sql, const SourceColumns& columns, SqlFault& fault);
// Is there a column that resolve_columns has to settle?
bool needs_columns(const MappingSql& sql);

// "what:" and beneath it the line of the SQL with a caret under the place.
std::string describe_fault(std::string_view sql, const SqlFault& fault);

}  // namespace obcanal::adapter::es
