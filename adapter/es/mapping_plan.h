// What a mapping's SQL means for changes of its tables: which fields a column reaches, when the
// image of a row is all that is needed, which columns say what documents are touched. Made when the
// mapping is taken over and the source has said what columns its tables have; plain data then.
#pragma once

#include "adapter/es/es_task.h"
#include "adapter/es/mapping_sql.h"

#include <bitset>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::adapter::es {

inline constexpr size_t kMaxFields = 1024;
using FieldSet = std::bitset<kMaxFields>;

struct PlanField {
    std::string name;
    bool written = true;  // not the id, and none of `skips`
};

// Of a row of a table that the SQL names, once for each time it does.
struct TableUse {
    // What a change of one column means.
    struct Column {
        FieldSet fields;      // that have another value then
        bool join = false;    // other rows are joined: as if the row had gone and another come
        bool select = false;  // the document may come or go
        bool reread = false;  // of the main table: its new value alone does not tell the fields
        std::vector<uint32_t> copies;  // fields that are this column of the main table
    };

    std::string schema;  // lower case, as `table`
    std::string table;
    uint32_t source = 0;  // of the outer select
    bool derived = false;
    std::map<std::string, Column> columns;  // by lower-case name
    FieldSet fields;                        // that a whole row reaches
    bool select = false;                    // a row that comes or goes makes documents come or go
    // Columns of this table, and the expressions of earlier ones that they are equal to: the main
    // rows with such values are touched. Not of the main table.
    std::vector<std::string> own;     // lower case
    std::vector<std::string> parent;  // "`a`.`role_id`"
    uint32_t last_parent = 0;         // the last source of these
};

struct MappingPlan {
    const EsTask* task = nullptr;
    MappingSql sql;
    std::vector<PlanField> fields;  // as the select list
    uint32_t id_field = 0;          // of `_id`, or of `pk`
    bool by_pk = false;
    std::optional<uint32_t> parent_field;
    // Columns of the main table that id and parent are made of, lower case.
    std::vector<std::string> key;
    bool id_is_column = false;  // the id is the text of key.front()
    bool parent_is_column = false;
    uint32_t parent_key = 0;  // of `key`, where parent_is_column
    // A row's image is all that its document needs.
    bool local = false;
    // A document is a row of the main table, there as long as that is.
    bool row_is_document = false;
    std::vector<TableUse> uses;  // the main table's first
};

std::string quote_name(std::string_view name);

// What doesn't depend on the source's catalogue. False: `fault` says what isn't understood.
bool check_task(const config::EsMapping& mapping, const MappingSql& sql, SqlFault& fault);

// `schema`: of tables without one. REQUIRES: check_task(), no column that is still to be settled.
std::unique_ptr<MappingPlan> make_plan(
    const EsTask& task, MappingSql sql, const std::string& schema
);

}  // namespace obcanal::adapter::es
