// What a column of a LogMessage is in Canal's terms: type code, encoding, sign and widths to
// mysqlType and java.sql.Types. Sources: OceanBase's type codes (oblogproxy-protocol, 6.1) and what
// Canal's MySQL path writes for the same column.
#pragma once

#include "protocol/canal/table_plan.h"

#include <cstdint>
#include <string_view>

namespace obcanal::source {

// As the record's arrays tell it; -1 or 0 where they do not.
struct OblogColumn {
    std::string_view name;
    uint8_t type = 0;
    std::string_view encoding;
    bool is_signed = true;
    int64_t length = 0;  // characters for text, bytes for binary
    int64_t precision = -1;
    int64_t scale = -1;
};

// `unix_timestamps`: TIMESTAMP comes as seconds since the epoch and is printed at
// `zone_offset_seconds`.
canal::ColumnSpec oblog_column(
    const OblogColumn& column, bool unix_timestamps, int32_t zone_offset_seconds
);

}  // namespace obcanal::source
