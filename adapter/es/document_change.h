// What has to be done to a document: between the planner, which knows which documents a change of
// the source touches and what stands in them, and the writer, which renders them for an index.
// Values are the same whichever way they came, by an event's image or read back from the source.
// Plain data; one thread at a time.
#pragma once

#include "adapter/core/dml.h"

#include <cstdint>
#include <string>
#include <vector>

namespace obcanal::adapter::es {

struct MappingPlan;

enum class ValueKind : uint8_t {
    Null,
    Integer,   // "-12"; tinyint to bigint, bit(n) and year
    Decimal,   // exact digits, "12.340"
    Float,     // shortest text that is the same float or double
    Text,      // UTF-8; enum and set as labels
    Json,      // without blanks between its parts
    Bytes,     // as they are: blob, binary, geometry
    Date,      // "2024-01-02"; zero dates stay as they are
    Time,      // "-01:30:00.5"
    DateTime,  // "2024-01-02 03:04:05.123456", in the source session's time zone
};

struct FieldValue {
    ValueKind kind = ValueKind::Null;
    std::string text;

    bool is_null() const { return kind == ValueKind::Null; }
    bool operator==(const FieldValue&) const = default;
};

struct DocumentField {
    uint32_t field = 0;  // of MappingPlan::fields
    FieldValue value;
};

enum class ChangeKind : uint8_t {
    Whole,     // has all fields of the document
    Update,    // has only fields that change; the document should be there
    Delete,    // by id and routing
    Truncate,  // all documents of the mapping
};

struct DocumentChange {
    const MappingPlan* plan = nullptr;
    ChangeKind kind = ChangeKind::Whole;
    std::string id;       // text of the id's value; of the pk's in mappings without id
    std::string routing;  // the parent's value; empty: none
    std::vector<DocumentField> fields;
    // Of the columns of the main table that id and routing are made of; the planner's.
    std::vector<FieldValue> key;
    // A change that is a cause of this, for dead letters and messages. Lives as long as its batch;
    // null in a full load.
    const core::Dml* cause = nullptr;
    uint32_t row = 0;  // of cause->rows
};

// A part of a full load, in the order of the main table's key.
struct LoadedDocuments {
    std::vector<DocumentChange> documents;
    std::vector<std::string> after_key;  // where the next part begins; text that JSON takes
    bool end = false;
};

}  // namespace obcanal::adapter::es
