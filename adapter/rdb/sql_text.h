// Statements as text, per dialect: literals, multi-row INSERT, UPDATE and DELETE. Pure.
#pragma once

#include "adapter/rdb/target_session.h"

#include <string>
#include <string_view>

namespace obcanal::adapter::rdb {

void append_literal(std::string& sql, SqlFamily family, BindAs bind, const Arg& arg);
std::string literal(SqlFamily family, std::string_view text);

// "INSERT INTO t (a,b) VALUES " and "(1,'x')".
void append_insert_head(std::string& sql, const SqlPlan& plan, const Shape& shape);
void append_insert_row(
    std::string& sql,
    SqlFamily family,
    const SqlPlan& plan,
    const Shape& shape,
    const core::DmlRow& row
);
// " ON DUPLICATE KEY UPDATE a=VALUES(a)", " ON CONFLICT (k) DO UPDATE SET a=excluded.a"; columns of
// the key aren't set.
void append_upsert_tail(
    std::string& sql, SqlFamily family, const SqlPlan& plan, const Shape& shape
);
// One UPDATE or DELETE.
void append_update(
    std::string& sql,
    SqlFamily family,
    const SqlPlan& plan,
    const Shape& shape,
    const core::DmlRow& row
);
void append_delete(
    std::string& sql, SqlFamily family, const SqlPlan& plan, const core::DmlRow& row
);

// The row that holds this one's values of a unique index, unless it is of the same key. False: the
// index has columns that the mapping doesn't fill.
bool append_delete_holder(
    std::string& sql,
    SqlFamily family,
    const SqlPlan& plan,
    const TargetIndex& index,
    const core::DmlRow& row
);

// With "?" for the values: for one prepared statement. Keyed plans of MySQL only, or null-safe over
// all columns.
std::string prepared_sql(const SqlPlan& plan, OpKind kind, const Shape& shape);

// "id=5, name='x'": the row's key for messages.
std::string key_text(const SqlPlan& plan, const core::DmlRow& row);

}  // namespace obcanal::adapter::rdb
