// MySQL's binary JSON as text, the way Java Canal prints it, and differences between documents
// (binlog_row_value_options=PARTIAL_JSON) as the function calls they stand for. Written backwards,
// without memory of its own; work and output are bounded by the size of the document, which hostile
// offsets cannot stretch.
#pragma once

#include "protocol/base/bytes.h"

#include <string_view>

namespace obcanal::mysql {

// False and nothing written when the document is malformed. An empty one has an empty text.
bool write_json(Bytes document, ReverseWriter& out);

// JSON_REPLACE(column, '$.a', 1), ...; `column`: the name to print.
bool write_json_difference(Bytes difference, std::string_view column, ReverseWriter& out);

}  // namespace obcanal::mysql
