// Values of documents out of the two places that they come from, an event's image and a result read
// back from the source: the same kind and text from both (client-adapter, 3.8). And back into SQL.
// Pure; any thread.
#pragma once

#include "adapter/core/dml.h"
#include "adapter/es/document_change.h"
#include "adapter/es/mapping_sql.h"
#include "protocol/client/mysql_session.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::adapter::es {

// How the values of one column come in events.
class EventColumn {
 public:
    EventColumn() = default;
    explicit EventColumn(std::string_view mysql_type);

    // REQUIRES: its state is not Unknown.
    FieldValue read(const core::DmlValue& value) const;

 private:
    enum class Decode : uint8_t { None, Number, Float, Double, Bytes, Enum, Set, Json };

    ValueKind kind_ = ValueKind::Text;
    Decode decode_ = Decode::None;
    uint32_t width_ = 0;  // of BINARY, whose zeros at the end the log leaves out
    std::vector<std::string> members_;
};

// A cell of a result in the text protocol. `exact_float`: a FLOAT that was selected as a DOUBLE.
FieldValue read_cell(client::SqlType type, std::optional<std::string_view> cell, bool exact_float);

// Of a field that is a literal.
FieldValue literal_value(const SqlExpression& expression);

// As an operand that compares with a column of the type that the value came from. Texts are written
// in hexadecimal digits: nothing in them can end the literal.
void append_literal(std::string& sql, const FieldValue& value);

// Of the values of a key's columns, whichever way they came: equal texts are equal keys.
bool same_key(std::span<const FieldValue> a, std::span<const FieldValue> b);
size_t hash_key(std::span<const FieldValue> key);

}  // namespace obcanal::adapter::es
