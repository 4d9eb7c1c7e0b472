// Any bytes as the SQL of a mapping: understood with every range inside of the text, or refused
// with a place.
#include "adapter/es/mapping_plan.h"
#include "adapter/es/mapping_sql.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

using namespace obcanal::adapter::es;

namespace {

void check(bool holds) {
    if (!holds) std::abort();
}

void check_expression(const MappingSql& sql, const SqlExpression& expression, size_t sources) {
    check(expression.range.begin < expression.range.end);
    check(expression.range.end <= sql.text.size());
    for (const ColumnUse& use : expression.columns) {
        check(use.range.begin >= expression.range.begin && use.range.end <= expression.range.end);
        check(!use.range.empty() && use.source < static_cast<int>(sources));
    }
    for (const auto& [a, b] : expression.equal) {
        check(a < expression.columns.size() && b < expression.columns.size());
    }
}

void check_select(const MappingSql& sql, const SqlSelect& select) {
    check(!select.items.empty() && !select.sources.empty());
    check(select.from.end <= select.conditions_end && select.conditions_end <= select.range.end);
    for (const SelectItem& item : select.items) {
        check_expression(sql, item.value, select.sources.size());
    }
    for (size_t i = 0; i < select.sources.size(); ++i) {
        const SqlSource& source = select.sources[i];
        check(source.range.end <= select.from.end);
        if (source.derived) check_select(sql, *source.derived);
        if (i > 0) check_expression(sql, source.on, i + 1);
    }
    if (select.where) check_expression(sql, *select.where, select.sources.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size > 16 * 1024) return 0;
    const std::string text(reinterpret_cast<const char*>(data), size);
    SqlFault fault;
    auto sql = parse_mapping_sql(text, fault);
    if (!sql) {
        check(!fault.what.empty() && fault.at <= text.size());
        check(describe_fault(text, fault).find('^') != std::string::npos);
        return 0;
    }
    check_select(*sql, sql->select);
    if (needs_columns(*sql)) return 0;
    EsTask task;
    task.id = sql->select.items.front().name;
    if (!check_task(task, *sql, fault)) {
        check(!fault.what.empty());
        return 0;
    }
    const auto plan = make_plan(task, std::move(*sql), "db");
    check(plan->uses.size() == plan->sql.select.sources.size());
    return 0;
}
