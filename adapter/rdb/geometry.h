// Geometry values as the targets take them, from MySQL's bytes (four of SRID, and a WKB) or from
// the EWKT text that an OceanBase log has ("SRID=4326;POINT(1 2)"). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace obcanal::adapter::rdb {

// MySQL's bytes of an EWKT text; nothing when it is none.
std::optional<std::string> geometry_of_text(std::string_view ewkt);
// PostGIS's EWKB in hex, of MySQL's bytes.
std::string geometry_ewkb(std::string_view bytes);

}  // namespace obcanal::adapter::rdb
