#include "adapter/rdb/sql_text.h"

#include "protocol/base/text.h"

#include <algorithm>

namespace obcanal::adapter::rdb {

namespace {

using core::DmlRow;
using core::DmlValue;

constexpr size_t kMessageValue = 80;

bool is_number(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789+-.eE") == std::string_view::npos &&
           text.find_first_of("0123456789") != std::string_view::npos;
}

void append_quoted(std::string& sql, SqlFamily family, std::string_view text) {
    sql += '\'';
    for (const char c : text) {
        if (c == '\'') {
            sql += "''";
        } else if (family == SqlFamily::Mysql && c == '\\') {
            sql += "\\\\";
        } else if (family == SqlFamily::Mysql && c == '\0') {
            sql += "\\0";
        } else {
            sql += c;
        }
    }
    sql += '\'';
}

// The row's old key: from the before image, where it has one.
const DmlValue& key_value(const PlanColumn& column, const DmlRow& row) {
    if (!row.before.empty() && row.before[column.source].state != core::ValueState::Unknown) {
        return row.before[column.source];
    }
    return row.after.empty() ? row.before[column.source] : row.after[column.source];
}

void append_value(
    std::string& sql, SqlFamily family, const PlanColumn& column, const DmlValue& value
) {
    Arena arena;
    append_literal(sql, family, column.rule.bind, read_value(column.rule, value, arena));
}

void append_where(std::string& sql, SqlFamily family, const SqlPlan& plan, const DmlRow& row) {
    const bool keyed = !plan.key.empty();
    const auto& columns = keyed ? plan.key : plan.match;
    const bool wrapped = !keyed && family == SqlFamily::Postgres;
    sql += " WHERE ";
    if (wrapped) {
        sql += "ctid=(SELECT ctid FROM " + plan.table + " WHERE ";
    }
    const char* equals = "=";
    if (!keyed) {
        equals = family == SqlFamily::Mysql ? "<=>" : " IS NOT DISTINCT FROM ";
    }
    bool first = true;
    for (const PlanColumn& column : columns) {
        const DmlValue& value = key_value(column, row);
        if (!keyed && value.state == core::ValueState::Unknown) {
            continue;
        }
        sql += first ? "" : " AND ";
        first = false;
        sql += column.quoted;
        sql += equals;
        append_value(sql, family, column, value);
    }
    if (!keyed) {
        sql += " LIMIT 1";
    }
    if (wrapped) {
        sql += ')';
    }
}

}  // namespace

void append_literal(std::string& sql, SqlFamily family, BindAs bind, const Arg& arg) {
    if (arg.null) {
        sql += "NULL";
        return;
    }
    if (bind == BindAs::Wkb && arg.text.size() > 4) {
        uint32_t srid = 0;
        for (size_t i = 4; i-- > 0;) {
            srid = srid << 8U | static_cast<uint8_t>(arg.text[i]);
        }
        sql += "ST_GeomFromWKB(_binary";
        append_quoted(sql, family, arg.text.substr(4));
        sql += "," + std::to_string(srid) + ")";
        return;
    }
    if (bind == BindAs::Bytes || bind == BindAs::Wkb) {
        if (family == SqlFamily::Postgres) {
            sql += "'\\x" + to_hex(as_bytes(arg.text)) + "'";
            return;
        }
        sql += "_binary";
        append_quoted(sql, family, arg.text);
        return;
    }
    if (bind != BindAs::Text && family == SqlFamily::Mysql && is_number(arg.text)) {
        sql += arg.text;
        return;
    }
    append_quoted(sql, family, arg.text);
}

std::string literal(SqlFamily family, std::string_view text) {
    std::string sql;
    append_quoted(sql, family, text);
    return sql;
}

void append_insert_head(std::string& sql, const SqlPlan& plan, const Shape& shape) {
    sql += "INSERT INTO " + plan.table + " (";
    for (size_t i = 0; i < shape.columns.size(); i++) {
        sql += i > 0 ? "," : "";
        sql += plan.columns[shape.columns[i]].quoted;
    }
    sql += ") VALUES ";
}

void append_insert_row(
    std::string& sql, SqlFamily family, const SqlPlan& plan, const Shape& shape, const DmlRow& row
) {
    sql += '(';
    for (size_t i = 0; i < shape.columns.size(); i++) {
        sql += i > 0 ? "," : "";
        const PlanColumn& column = plan.columns[shape.columns[i]];
        append_value(sql, family, column, row.after[column.source]);
    }
    sql += ')';
}

void append_upsert_tail(
    std::string& sql, SqlFamily family, const SqlPlan& plan, const Shape& shape
) {
    const bool mysql = family == SqlFamily::Mysql;
    std::string sets;
    for (const uint16_t i : shape.columns) {
        const PlanColumn& column = plan.columns[i];
        if (!column.in_key) {
            sets += sets.empty() ? "" : ",";
            sets += column.quoted + "=" +
                    (mysql ? "VALUES(" + column.quoted + ")" : "excluded." + column.quoted);
        }
    }
    if (mysql) {
        const std::string& key = plan.key.front().quoted;
        sql += " ON DUPLICATE KEY UPDATE " + (sets.empty() ? key + "=" + key : sets);
        return;
    }
    sql += " ON CONFLICT (";
    for (size_t i = 0; i < plan.key.size(); i++) {
        sql += (i > 0 ? "," : "") + plan.key[i].quoted;
    }
    sql += sets.empty() ? ") DO NOTHING" : ") DO UPDATE SET " + sets;
}

void append_update(
    std::string& sql, SqlFamily family, const SqlPlan& plan, const Shape& shape, const DmlRow& row
) {
    sql += "UPDATE " + plan.table + " SET ";
    for (size_t i = 0; i < shape.columns.size(); i++) {
        const PlanColumn& column = plan.columns[shape.columns[i]];
        sql += i > 0 ? "," : "";
        sql += column.quoted + "=";
        append_value(sql, family, column, row.after[column.source]);
    }
    append_where(sql, family, plan, row);
}

void append_delete(std::string& sql, SqlFamily family, const SqlPlan& plan, const DmlRow& row) {
    sql += "DELETE FROM " + plan.table;
    append_where(sql, family, plan, row);
}

bool append_delete_holder(
    std::string& sql,
    SqlFamily family,
    const SqlPlan& plan,
    const TargetIndex& index,
    const DmlRow& row
) {
    sql += "DELETE FROM " + plan.table + " WHERE ";
    for (const std::string& name : index.columns) {
        const auto column = std::ranges::find_if(plan.columns, [&name](const PlanColumn& mapped) {
            return equals_ignore_case(mapped.target, name);
        });
        if (column == plan.columns.end()) {
            return false;
        }
        sql += column->quoted + "=";
        append_value(sql, family, *column, row.after[column->source]);
        sql += " AND ";
    }
    sql += "NOT (";
    for (size_t i = 0; i < plan.key.size(); i++) {
        sql += (i > 0 ? " AND " : "") + plan.key[i].quoted + "=";
        append_value(sql, family, plan.key[i], row.after[plan.key[i].source]);
    }
    sql += ')';
    return !plan.key.empty();
}

std::string prepared_sql(const SqlPlan& plan, OpKind kind, const Shape& shape) {
    std::string sql;
    if (kind == OpKind::Insert) {
        append_insert_head(sql, plan, shape);
        sql += '(';
        for (size_t i = 0; i < shape.columns.size(); i++) {
            sql += i > 0 ? ",?" : "?";
        }
        return sql + ")";
    }
    if (kind == OpKind::Update) {
        sql = "UPDATE " + plan.table + " SET ";
        for (size_t i = 0; i < shape.columns.size(); i++) {
            sql += i > 0 ? "," : "";
            sql += plan.columns[shape.columns[i]].quoted + "=?";
        }
    } else {
        sql = "DELETE FROM " + plan.table;
    }
    for (size_t i = 0; i < plan.key.size(); i++) {
        sql += (i > 0 ? " AND " : " WHERE ") + plan.key[i].quoted + "=?";
    }
    return sql;
}

std::string key_text(const SqlPlan& plan, const DmlRow& row) {
    std::string text;
    for (const PlanColumn& column : plan.key.empty() ? plan.match : plan.key) {
        Arena arena;
        const Arg arg = read_value(column.rule, key_value(column, row), arena);
        text += (text.empty() ? "" : ", ") + column.target + "=" +
                (arg.null ? "NULL" : printable(arg.text, kMessageValue));
    }
    return text;
}

}  // namespace obcanal::adapter::rdb
