#include "protocol/canal/table_plan.h"

#include "protocol/canal/wire_fields.h"

#include <algorithm>

namespace obcanal::canal {
namespace {

// A place in the arena whose address is known only when the arena stops growing.
struct Span {
    size_t begin;
    size_t end;
};

}  // namespace

TablePlan::TablePlan(const TableSpec& spec) : schema_(spec.schema), table_(spec.table) {
    arena_.assign(kPadding, '\0');

    const auto close = [this](size_t begin) { return Span{begin, arena_.size()}; };

    size_t begin = arena_.size();
    append_varint_field(arena_, header_field::kSourceType, kSourceTypeMysql);
    append_bytes_field(arena_, header_field::kSchemaName, spec.schema);
    append_bytes_field(arena_, header_field::kTableName, spec.table);
    const Span names = close(begin);

    struct ColumnSpans {
        std::array<Span, 3> head;
        Span tail;
    };

    std::vector<ColumnSpans> spans;
    spans.reserve(spec.columns.size());
    for (const ColumnSpec& column : spec.columns) {
        ColumnSpans at{};
        const std::array<int32_t, 3> sql_types{
            column.sql_type, column.promoted_sql_type, column.null_sql_type
        };
        for (size_t head = 0; head < sql_types.size(); ++head) {
            begin = arena_.size();
            append_varint_field(arena_, column_field::kIndex, signed_varint(column.index));
            append_varint_field(arena_, column_field::kSqlType, signed_varint(sql_types[head]));
            append_bytes_field(arena_, column_field::kName, column.name);
            append_varint_field(arena_, column_field::kIsKey, column.is_key ? 1 : 0);
            at.head[head] = close(begin);
        }
        begin = arena_.size();
        append_bytes_field(arena_, column_field::kMysqlType, column.mysql_type);
        at.tail = close(begin);
        spans.push_back(at);
    }

    const auto resolve = [this](Span span) {
        return PaddedBytes{
            as_bytes(arena_).data() + span.end, static_cast<uint32_t>(span.end - span.begin)
        };
    };
    names_ = resolve(names);
    columns_.reserve(spec.columns.size());
    for (size_t i = 0; i < spec.columns.size(); ++i) {
        const ColumnSpec& column = spec.columns[i];
        ColumnPlan plan{};
        for (size_t head = 0; head < plan.head.size(); ++head) {
            plan.head[head] = resolve(spans[i].head[head]);
            largest_column_ = std::max<size_t>(
                largest_column_, plan.head[head].size + spans[i].tail.end - spans[i].tail.begin
            );
        }
        plan.tail = resolve(spans[i].tail);
        plan.promote_above = column.promote_above;
        plan.kind = column.kind;
        plan.unique_key = column.unique_key;
        plan.fraction_digits = column.fraction_digits;
        plan.zone_offset_seconds = column.zone_offset_seconds;
        plan.charset = column.charset;
        plan.name = column.name;
        plan.text = column.text;
        columns_.push_back(std::move(plan));
    }
}

}  // namespace obcanal::canal
