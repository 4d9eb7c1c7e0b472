// What one mapping does with rows of one form (client-adapter, 2.4): which column goes where, by
// which key, with which statements. Made when the first event of a form comes, dropped when the
// source's or the target's table changes. Pure; one strand.
#pragma once

#include "adapter/config/rdb_mapping.h"
#include "adapter/rdb/value.h"
#include "protocol/base/result.h"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace obcanal::adapter::rdb {

struct TargetIndex {
    std::string name;
    std::vector<std::string> columns;
    bool primary = false;
};

// A table of the target as its catalogue has it.
struct TargetTable {
    std::string database;  // PostgreSQL: schema
    std::string name;
    std::vector<TargetColumn> columns;
    std::vector<TargetIndex> unique;
    // Foreign keys or triggers: the order of rows of different keys can be seen.
    bool constrained = false;
};

struct PlanColumn {
    std::string target;
    std::string quoted;
    uint16_t source = 0;  // of Dml::columns
    ValueRule rule;
    bool in_key = false;
};

enum class OpKind : uint8_t { Insert, Update, Delete };

// Columns that a statement writes, of SqlPlan::columns; several rows with the same ones share a
// statement.
struct Shape {
    std::vector<uint16_t> columns;
    std::array<std::string, 3> prepared;  // by OpKind, once it was wanted
    std::string upsert;                   // INSERT that takes the place of the row of its key
};

struct SqlPlan {
    const config::RdbMapping* mapping = nullptr;
    SqlFamily family = SqlFamily::Mysql;
    std::string task;
    std::string table;       // quoted, with its database
    std::string table_name;  // for messages
    std::string source;      // database.table
    std::vector<PlanColumn> columns;
    std::vector<PlanColumn> key;      // WHERE; empty: all columns, null-safe
    std::vector<PlanColumn> match;    // without key: what the row is found by
    std::vector<TargetIndex> unique;  // others than the key
    // The target has a unique index of just the key.
    bool enforced = false;
    // Rows keep their order, none is left out: other unique keys, foreign keys, triggers, no key.
    bool strict = false;
    // All rows in one lane that all constrained tables share.
    bool constrained = false;
    // Equal keys have equal text, so that lanes may be chosen by it.
    bool exact_keys = false;
    // The mapping fills every column of the target: a row may be deleted and written anew.
    bool covers_all = false;

    // Position in `shapes`, of one that is ready for the kind; full_shape(): for INSERT and UPDATE.
    uint32_t shape_of(const core::DmlRow& row, OpKind kind);
    uint32_t full_shape(const core::DmlRow& row);
    // The same, unless it had to be made: lanes may read the plan meanwhile.
    std::optional<uint32_t> known_shape(const core::DmlRow& row, OpKind kind);
    uint32_t shape_with(std::vector<uint16_t> columns_of_it);
    // Ready for DELETE, and for the INSERT of a whole() row. Lanes may call these two at once.
    const Shape* no_columns() const { return shapes[0].get(); }
    const Shape* all_columns() const { return shapes[1].get(); }
    // With its prepared statement's text.
    const Shape* ready_shape(uint32_t number, OpKind kind);
    // With the text of an upsert. REQUIRES: a shape of this plan, a key.
    const Shape* ready_upsert(const Shape* shape);
    bool whole(const core::DmlRow& row) const;  // `after` has a value for every column
    // The key's text changed.
    bool moves(const core::DmlRow& row) const;

    // By index, because references to them end when one is added.
    std::vector<std::unique_ptr<Shape>> shapes;

    // Makes no_columns() and all_columns(): the last step of making a plan.
    void make_shapes();

    // The form it was made for.
    std::vector<std::pair<std::string, std::string>> source_columns;  // name, mysqlType
    bool made_for(const core::Dml& dml);

 private:
    void collect(const core::DmlRow& row, OpKind kind);
    // The number of those without a shape yet is that of all shapes.
    uint32_t find_shape();
    uint32_t intern();
    std::vector<uint16_t> scratch_;
    uint32_t latest_ = 0;
    std::array<uint64_t, 4> forms_{};  // that it was found to be made for
    size_t next_form_ = 0;
};

struct PlanOptions {
    SqlFamily family = SqlFamily::Mysql;
    ZeroDate zero_date = ZeroDate::Null;
};

// The target of a table mapping: (database or "", table). "db.table" without targetDb is split.
std::pair<std::string, std::string> target_of(
    const config::RdbMapping& mapping, const core::Dml& dml
);

// An Error names the mapping file, the table and the column.
Result<std::unique_ptr<SqlPlan>> make_plan(
    const config::RdbMapping& mapping,
    const core::Dml& dml,
    const TargetTable& target,
    const PlanOptions& options
);

std::string quote_name(SqlFamily family, std::string_view name);

}  // namespace obcanal::adapter::rdb
