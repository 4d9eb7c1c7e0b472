// Values of fields as JSON, by the type that the index gives the field (client-adapter, 3.8) and by
// the mapping's objFields (3.9). One conversion for rows of the stream and rows that were read
// back. What the index refuses is for the index to say: no value is dropped here. Pure functions.
#pragma once

#include "adapter/es/document_change.h"
#include "protocol/base/time_zone.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace obcanal::adapter::es {

enum class EsType : uint8_t {
    Unknown,  // the index has no such field yet
    Number,   // integer, long, short, byte, unsigned_long, double, float, half_float, scaled_float
    Boolean,
    Date,
    DateNanos,
    Binary,
    GeoPoint,
    Object,  // nested and flattened, too
    Text,    // all others
};

// Of "type" in an index's mapping; empty: a field with properties of its own.
EsType es_type(std::string_view name);

// `zone`: of dates and times, which have none in the source.
void append_es_value(std::string& to, EsType type, const FieldValue& value, const TimeZone& zone);

// objFields: {field: "array:;"}.
struct ObjectField {
    enum class Kind : uint8_t { Array, Json, Null };

    Kind kind = Kind::Null;
    std::string separator;  // of Array; empty: every character is an item
};

ObjectField read_object_field(std::string_view spec);
void append_object_field(std::string& to, const ObjectField& field, const FieldValue& value);

}  // namespace obcanal::adapter::es
