// How a column of a binlog table becomes a Canal column: java.sql.Types, unsigned values, character
// set, and what makes its text (entry-format, section 4). Pure functions, any thread.
#pragma once

#include "protocol/base/time_zone.h"
#include "protocol/canal/table_plan.h"
#include "protocol/mysql/table_map.h"
#include "server/schema/table_definition.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace obcanal::source {

struct BinlogColumnOptions {
    std::shared_ptr<const TimeZone> zone = TimeZone::utc();  // of TIMESTAMP texts
    std::string charset = "utf8mb4";                         // where nobody knows a column's own
};

canal::ColumnSpec binlog_column(
    const mysql::MappedColumn& mapped,
    const schema::ColumnDefinition& definition,
    const BinlogColumnOptions& options
);

// Digits of "TIME(3)"; 0 when the type says none.
uint8_t fraction_digits(std::string_view mysql_type);

}  // namespace obcanal::source
