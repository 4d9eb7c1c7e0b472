// Statements that read back what a mapping's SQL says of some documents: the user's own text with a
// condition put in, also into derived tables, so that the source's indexes are used. Pure.
#pragma once

#include "adapter/es/document_change.h"
#include "adapter/es/mapping_plan.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace obcanal::adapter::es {

// Operands, and the values that they have to be equal to, together.
struct Condition {
    std::vector<std::string> operands;  // "`a`.`id`"
    std::vector<std::vector<FieldValue>> values;
    uint32_t last_source = 0;  // of those that the operands are of
    bool own = false;          // the values come from the columns that the operands are

    bool empty() const { return values.empty(); }
    std::string text() const;
};

// By the columns that id and parent are made of.
Condition key_condition(const MappingPlan& plan);
// By the columns that a joined table is joined to.
Condition parent_condition(const TableUse& use);

// Of the fields, those of FLOAT columns, which text would round.
using FloatFields = std::vector<bool>;

// The fields, then the key's columns. Without condition: of all documents.
std::string select_documents(
    const MappingPlan& plan, const FloatFields& floats, const Condition& condition
);
// The same for a full load: rows behind `after` in the order of `order` (columns of the main
// table), whose values follow the key's. `filter`: a condition of its own in brackets, or empty.
std::string select_part(
    const MappingPlan& plan,
    const FloatFields& floats,
    const std::string& filter,
    const std::vector<std::string>& order,
    const std::vector<FieldValue>& after,
    size_t limit
);
// No row, but what types they would have.
std::string probe_types(const MappingPlan& plan);
// Keys of the main rows that a joined table's rows are joined to, or were.
std::string select_keys(const MappingPlan& plan, const Condition& condition);
// Id and parent of rows of the main table that need not be there any more, and the row's number.
std::string evaluate_ids(const MappingPlan& plan, std::span<const std::vector<FieldValue>> keys);

}  // namespace obcanal::adapter::es
