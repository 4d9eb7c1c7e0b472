#include "adapter/es/select_text.h"

#include "adapter/es/row_value.h"
#include "protocol/base/text.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace obcanal::adapter::es {
namespace {

constexpr const char* kRowNumber = "`obcanal row`";

// A text with others put in.
class Edits {
 public:
    Edits(std::string_view text, uint32_t begin, uint32_t end)
        : text_(text), begin_(begin), end_(end) {}

    // Behind what is put in at the same place already.
    void insert(uint32_t at, std::string text) {
        const auto place =
            std::ranges::upper_bound(inserted_, at, {}, &std::pair<uint32_t, std::string>::first);
        inserted_.emplace(place, at, std::move(text));
    }

    // Puts a condition into a select of the text.
    void restrict(const SqlSelect& select, const std::string& condition) {
        if (condition.empty()) return;
        if (select.where) {
            insert(select.where->range.begin, "(");
            insert(select.where->range.end, ") AND " + condition);
        } else {
            insert(select.conditions_end, " WHERE " + condition);
        }
    }

    std::string text() {
        std::string result;
        uint32_t at = begin_;
        for (const auto& [place, inserted] : inserted_) {
            result += text_.substr(at, place - at);
            result += inserted;
            at = place;
        }
        result += text_.substr(at, end_ - at);
        return result;
    }

 private:
    std::string_view text_;
    uint32_t begin_;
    uint32_t end_;
    std::vector<std::pair<uint32_t, std::string>> inserted_;
};

std::string operand(const MappingPlan& plan, uint32_t source, const std::string& column) {
    return quote_name(plan.sql.select.sources[source].alias) + "." + quote_name(column);
}

std::string list_of(const Condition& condition, size_t operand) {
    std::vector<std::string> literals;
    literals.reserve(condition.values.size());
    for (const auto& values : condition.values) {
        if (!values[operand].is_null()) append_literal(literals.emplace_back(), values[operand]);
    }
    std::ranges::sort(literals);
    const auto again = std::ranges::unique(literals);
    literals.erase(again.begin(), again.end());
    std::string list;
    for (const std::string& literal : literals) {
        if (!list.empty()) list.push_back(',');
        list += literal;
    }
    return list.empty() ? "NULL" : list;
}

// "BETWEEN 3 AND 70": of many numbers without a gap, as changes of neighbouring rows have them.
// The source reads them at once where it would look up each of a list.
std::optional<std::string> range_of(const Condition& condition) {
    constexpr size_t kMany = 16;
    if (!condition.own || condition.operands.size() != 1 || condition.values.size() < kMany)
        return std::nullopt;
    std::vector<int64_t> numbers;
    numbers.reserve(condition.values.size());
    for (const auto& values : condition.values) {
        const FieldValue& value = values.front();
        const auto number = value.kind == ValueKind::Integer ? parse_int(value.text) : std::nullopt;
        if (!number) return std::nullopt;
        numbers.push_back(*number);
    }
    std::ranges::sort(numbers);
    const auto has_gap = [](int64_t a, int64_t b) {
        return static_cast<uint64_t>(b) - static_cast<uint64_t>(a) != 1;
    };
    if (std::ranges::adjacent_find(numbers, has_gap) != numbers.end()) return std::nullopt;
    return "BETWEEN " + std::to_string(numbers.front()) + " AND " + std::to_string(numbers.back());
}

// May a condition on this field stand in front of the grouping?
bool can_push(const SqlSelect& inner, const SelectItem& item) {
    if (!inner.grouped) return true;
    return std::ranges::any_of(inner.group_by, [&item](const SqlExpression& group) {
        return group.kind == SqlExpression::Kind::Column &&
               (equals_ignore_case(group.columns[0].column, item.value.columns[0].column) ||
                equals_ignore_case(group.columns[0].column, item.name));
    });
}

// What a derived table may be restricted to, when the outer rows are.
std::string derived_condition(
    const MappingPlan& plan, uint32_t number, const Condition& condition
) {
    if (condition.empty() || condition.last_source >= number) return {};
    const SqlSelect& select = plan.sql.select;
    const SqlSource& source = select.sources[number];
    for (const JoinEquality& equality : source.equal) {
        const ColumnUse& own = source.on.columns[equality.own];
        const ColumnUse& other = source.on.columns[equality.other];
        const auto item = std::ranges::find_if(source.derived->items, [&](const SelectItem& one) {
            return equals_ignore_case(one.name, own.column);
        });
        if (item == source.derived->items.end() || !can_push(*source.derived, *item)) continue;
        const std::string inner(item->value.range.of(plan.sql.text));
        const auto other_source = static_cast<uint32_t>(other.source);
        const std::string parent = operand(plan, other_source, other.column);
        for (size_t i = 0; i < condition.operands.size(); ++i) {
            if (equals_ignore_case(condition.operands[i], parent)) {
                return inner + " IN (" + list_of(condition, i) + ")";
            }
        }
        const uint32_t last = std::max(other_source, condition.last_source);
        if (last >= number) continue;
        const SqlRange prefix{select.from.begin, select.sources[last].joined.end};
        return inner + " IN (SELECT " + parent + " FROM " + std::string(prefix.of(plan.sql.text)) +
               " WHERE " + condition.text() + ")";
    }
    return {};
}

std::string head(
    const MappingPlan& plan, const FloatFields& floats, const std::vector<std::string>& order
) {
    const SqlSelect& select = plan.sql.select;
    std::string sql = select.distinct ? "SELECT DISTINCT " : "SELECT ";
    for (size_t i = 0; i < select.items.size(); ++i) {
        const SelectItem& item = select.items[i];
        const std::string expression(item.value.range.of(plan.sql.text));
        sql += i > 0 ? "," : "";
        sql += i < floats.size() && floats[i] ? "(" + expression + ")+0E0" : expression;
        sql += " AS " + quote_name(item.name);
    }
    size_t number = 0;
    for (const auto* columns : {&plan.key, &order}) {
        for (const std::string& column : *columns) {
            sql += "," + operand(plan, 0, column) + " AS `obcanal key " + std::to_string(number++) +
                   "`";
        }
    }
    return sql + " FROM ";
}

std::string null_safe(const Condition& condition) {
    std::string sql;
    for (const auto& values : condition.values) {
        sql += sql.empty() ? "((" : " OR (";
        for (size_t i = 0; i < values.size(); ++i) {
            sql += (i > 0 ? " AND " : "") + condition.operands[i] + "<=>";
            append_literal(sql, values[i]);
        }
        sql += ")";
    }
    return sql + ")";
}

// "(a,b) > (1,2)", in the form that indexes are used for.
std::string behind(const std::vector<std::string>& operands, const std::vector<FieldValue>& after) {
    std::string sql;
    std::string equal;
    for (size_t i = 0; i < operands.size(); ++i) {
        std::string literal;
        append_literal(literal, after[i]);
        sql += (i > 0 ? " OR (" : "(") + equal + operands[i] + ">" + literal + ")";
        equal += operands[i] + "=" + literal + " AND ";
    }
    return "(" + sql + ")";
}

}  // namespace

std::string Condition::text() const {
    const bool nulls = std::ranges::any_of(values, [](const auto& one) {
        return std::ranges::any_of(one, [](const FieldValue& value) { return value.is_null(); });
    });
    if (nulls) return null_safe(*this);
    if (const auto range = range_of(*this)) return operands[0] + " " + *range;
    if (operands.size() == 1) return operands[0] + " IN (" + list_of(*this, 0) + ")";
    std::string sql = "(";
    for (size_t i = 0; i < operands.size(); ++i) sql += (i > 0 ? "," : "") + operands[i];
    sql += ") IN (";
    for (size_t row = 0; row < values.size(); ++row) {
        sql += row > 0 ? ",(" : "(";
        for (size_t i = 0; i < operands.size(); ++i) {
            sql += i > 0 ? "," : "";
            append_literal(sql, values[row][i]);
        }
        sql += ")";
    }
    return sql + ")";
}

Condition key_condition(const MappingPlan& plan) {
    Condition condition;
    for (const std::string& column : plan.key) {
        condition.operands.push_back(operand(plan, 0, column));
    }
    condition.own = true;
    return condition;
}

Condition parent_condition(const TableUse& use) {
    Condition condition;
    condition.operands = use.parent;
    condition.last_source = use.last_parent;
    return condition;
}

std::string select_documents(
    const MappingPlan& plan, const FloatFields& floats, const Condition& condition
) {
    const SqlSelect& select = plan.sql.select;
    Edits edits(plan.sql.text, select.from.begin, select.range.end);
    for (size_t i = 0; i < select.sources.size(); ++i) {
        if (!select.sources[i].derived) continue;
        const auto number = static_cast<uint32_t>(i);
        edits.restrict(*select.sources[i].derived, derived_condition(plan, number, condition));
    }
    if (!condition.empty()) edits.restrict(select, condition.text());
    return head(plan, floats, {}) + edits.text();
}

std::string select_part(
    const MappingPlan& plan,
    const FloatFields& floats,
    const std::string& filter,
    const std::vector<std::string>& order,
    const std::vector<FieldValue>& after,
    size_t limit
) {
    const SqlSelect& select = plan.sql.select;
    std::vector<std::string> operands;
    for (const std::string& column : order) operands.push_back(operand(plan, 0, column));
    std::string condition = filter;
    if (!after.empty()) condition += (filter.empty() ? "" : " AND ") + behind(operands, after);
    // An ORDER BY of the mapping's own means nothing for documents.
    const uint32_t end =
        select.group_by.empty() ? select.conditions_end : select.group_by.back().range.end;
    Edits edits(plan.sql.text, select.from.begin, end);
    edits.restrict(select, condition);
    std::string sql = head(plan, floats, order) + edits.text() + " ORDER BY ";
    for (size_t i = 0; i < operands.size(); ++i) sql += (i > 0 ? "," : "") + operands[i];
    return sql + " LIMIT " + std::to_string(limit);
}

std::string probe_types(const MappingPlan& plan) {
    const SqlSelect& select = plan.sql.select;
    Edits edits(plan.sql.text, select.from.begin, select.range.end);
    edits.restrict(select, "1=0");
    return head(plan, {}, {}) + edits.text() + " LIMIT 0";
}

std::string select_keys(const MappingPlan& plan, const Condition& condition) {
    const SqlSelect& select = plan.sql.select;
    const SqlRange prefix{select.from.begin, select.sources[condition.last_source].joined.end};
    std::string sql = "SELECT DISTINCT ";
    for (size_t i = 0; i < plan.key.size(); ++i) {
        sql += (i > 0 ? "," : "") + operand(plan, 0, plan.key[i]);
    }
    return sql + " FROM " + std::string(prefix.of(plan.sql.text)) + " WHERE " + condition.text();
}

std::string evaluate_ids(const MappingPlan& plan, std::span<const std::vector<FieldValue>> keys) {
    const SqlSelect& select = plan.sql.select;
    const auto expression = [&](uint32_t field) {
        return std::string(select.items[field].value.range.of(plan.sql.text));
    };
    std::string sql = "SELECT " + expression(plan.id_field) + "," +
                      (plan.parent_field ? expression(*plan.parent_field) : "NULL") + "," +
                      kRowNumber + " FROM (SELECT ";
    for (const std::string& column : plan.key) sql += quote_name(column) + ",";
    const SqlSource& main = select.sources[0];
    // With the table itself the columns get their types.
    sql += "0 AS ";
    sql += kRowNumber;
    sql += " FROM ";
    if (!main.schema.empty()) sql += quote_name(main.schema) + ".";
    sql += quote_name(main.table) + " WHERE 1=0";
    for (size_t row = 0; row < keys.size(); ++row) {
        sql += " UNION ALL SELECT ";
        for (const FieldValue& value : keys[row]) {
            append_literal(sql, value);
            sql += ",";
        }
        sql += std::to_string(row);
    }
    return sql + ") " + quote_name(main.alias);
}

}  // namespace obcanal::adapter::es
