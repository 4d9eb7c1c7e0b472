#include "adapter/core/key_ranges.h"

#include "protocol/base/text.h"

namespace obcanal::adapter::core {
namespace {

bool is_number(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789+-.") == std::string_view::npos;
}

bool is_numeric(const SourceColumn& column) {
    return column.base.ends_with("int") || column.base == "decimal" || column.base == "bit" ||
           column.base == "year";
}

// What is selected, ordered by and compared.
std::string key_expression(const SourceColumn& column) {
    const std::string name = quote_source_name(column.name);
    return column.base == "bit" ? name + "+0" : name;
}

void append_key_value(std::string& sql, const SourceColumn& column, std::string_view value) {
    if (is_numeric(column) && is_number(value)) {
        sql += value;
    } else if (column.base.ends_with("binary")) {
        sql += "X'" + to_hex(as_bytes(value)) + "'";
    } else {
        append_sql_value(sql, value);
    }
}

// (a,b,c) behind (or not behind) the values, in the form that servers find a range of an index in.
std::string compared(
    const SourceTable& table, const std::vector<std::string>& values, bool behind, size_t at = 0
) {
    const SourceColumn& column = table.columns[table.paging_key[at]];
    const std::string name = quote_source_name(column.name);
    const bool last = at + 1 == values.size();
    std::string value;
    append_key_value(value, column, values[at]);
    const char* const strictly = behind ? ">" : "<";
    if (last) return name + (behind ? ">" : "<=") + value;
    return name + strictly + "=" + value + " AND (" + name + strictly + value + " OR (" + name +
           "=" + value + " AND " + compared(table, values, behind, at + 1) + "))";
}

}  // namespace

Result<std::string> condition_in_brackets(std::string_view condition) {
    condition = trim(condition);
    if (condition.empty()) return std::string();
    constexpr std::string_view kWhere = "where";
    const std::string_view rest = condition.substr(std::min(condition.size(), kWhere.size()));
    const bool word = !rest.empty() && (rest[0] == '(' || trim(rest.substr(0, 1)).empty());
    if (!word || !equals_ignore_case(condition.substr(0, kWhere.size()), kWhere)) {
        return Error{
            Errc::BadConfig,
            Retry::Never,
            "etlCondition \"" + printable(condition) + "\" does not begin with WHERE"
        };
    }
    return "(" + std::string(trim(rest)) + ")";
}

KeyRanges::KeyRanges(
    SourceTable table, const std::string& condition, size_t rows, std::vector<std::string> after
)
    : table_(std::move(table)),
      condition_(condition),
      rows_(rows),
      given_(after),
      frontier_{std::move(after), 0, false} {}

std::string KeyRanges::order() const {
    std::string sql = " ORDER BY ";
    for (size_t i = 0; i < table_.paging_key.size(); ++i) {
        sql += (i > 0 ? "," : "") + quote_source_name(table_.columns[table_.paging_key[i]].name);
    }
    return sql;
}

std::string KeyRanges::bounds(
    const std::vector<std::string>& after, const std::vector<std::string>& up_to
) const {
    std::string sql;
    const auto add = [&sql](const std::string& part) {
        if (!part.empty()) sql += (sql.empty() ? " WHERE " : " AND ") + part;
    };
    add(condition_);
    if (!after.empty()) add(compared(table_, after, true));
    if (!up_to.empty()) add(compared(table_, up_to, false));
    return sql;
}

std::string KeyRanges::where(const KeyRange& range) const {
    return bounds(range.after, range.up_to) + order();
}

Result<std::optional<KeyRange>> KeyRanges::next(client::MysqlSession& session) {
    const std::lock_guard lock(mutex_);
    if (last_given_) return std::optional<KeyRange>();
    std::string sql = "SELECT ";
    for (size_t i = 0; i < table_.paging_key.size(); ++i) {
        sql += (i > 0 ? "," : "") + key_expression(table_.columns[table_.paging_key[i]]);
    }
    sql += " FROM " + table_.quoted() + bounds(given_, {}) + order() + " LIMIT 1 OFFSET " +
           std::to_string(rows_ - 1);
    client::SqlRows found;
    if (const auto failed = session.query(sql, found)) {
        return source_error("reading keys of " + table_.database + "." + table_.name, *failed);
    }
    KeyRange range;
    range.number = next_number_++;
    range.after = given_;
    if (found.rows.empty()) {
        last_given_ = true;
    } else {
        for (const auto& value : found.rows.front()) range.up_to.push_back(value.value_or(""));
        given_ = range.up_to;
    }
    return std::optional(std::move(range));
}

void KeyRanges::done(const KeyRange& range, uint64_t rows) {
    const std::lock_guard lock(mutex_);
    ahead_[range.number] = {range.up_to, rows};
    while (!ahead_.empty() && ahead_.begin()->first == frontier_number_) {
        Done& first = ahead_.begin()->second;
        frontier_.rows += first.rows;
        if (first.up_to.empty()) {
            frontier_.all = true;
        } else {
            frontier_.after = std::move(first.up_to);
        }
        ahead_.erase(ahead_.begin());
        ++frontier_number_;
    }
}

KeyRanges::Frontier KeyRanges::frontier() const {
    const std::lock_guard lock(mutex_);
    return frontier_;
}

}  // namespace obcanal::adapter::core
