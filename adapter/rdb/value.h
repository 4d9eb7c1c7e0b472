// How one column's values get from a Dml into a target column without loss: settled once for each
// pair of columns from the source's mysqlType and the target's type, then applied to every value.
// Pure; any thread.
#pragma once

#include "adapter/config/jdbc_url.h"
#include "adapter/core/column_type.h"
#include "adapter/core/dml.h"

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::adapter::rdb {

using config::SqlFamily;
using core::base_type;
using core::is_unsigned_type;
using core::type_members;

// What a target that knows no zero date gets for one.
enum class ZeroDate : uint8_t { Null, Epoch, Refuse };

// A column of the target as its catalogue has it.
struct TargetColumn {
    std::string name;
    std::string type;       // lower case, without length: "bigint", "jsonb"
    std::string full_type;  // "bigint(20) unsigned"
    bool generated = false;
    bool wkb = false;  // a geometry that takes no bytes of MySQL's (OceanBase)
};

// The literal or parameter that a value becomes.
enum class BindAs : uint8_t {
    Signed,    // 64 bits
    Unsigned,  // 64 bits
    Number,    // decimal and floating point, as text that is a number
    Text,
    Bytes,
    Wkb,  // a function's argument
};

struct ValueRule {
    enum class Decode : uint8_t {
        None,
        Bytes,      // Latin-1 widened to UTF-8; at least `width` of them
        Enum,       // 1-based index
        Set,        // mask
        BitString,  // number to PostgreSQL's 0101, `width` digits
        Boolean,    // number to true and false
        Date,       // zero dates by policy
        Geometry,   // to MySQL's SRID and WKB
        Ewkb,       // SRID and WKB to PostGIS's hex
        RawEwkb,    // the same, of bytes as they are
    };

    BindAs bind = BindAs::Text;
    Decode decode = Decode::None;
    ZeroDate zero_date = ZeroDate::Null;
    uint32_t width = 0;
    std::string enum_member;  // a member of the target's ENUM (MySQL)
    std::vector<std::string> labels;
};

ValueRule make_rule(
    std::string_view source_type, const TargetColumn& target, SqlFamily family, ZeroDate zero_date
);

// A value ready to be bound; the view lives as long as the Dml and the Arena.
struct Arg {
    std::string_view text;
    bool null = false;
};

using Arena = std::deque<std::string>;

Arg read_value(const ValueRule& rule, const core::DmlValue& value, Arena& arena);

}  // namespace obcanal::adapter::rdb
