// The status of a server, as its admin port gives it in JSON, as a table for people. Pure.
#pragma once

#include "protocol/base/result.h"

#include <string>
#include <string_view>

namespace obcanal::cli {

Result<std::string> status_table(std::string_view json);

}  // namespace obcanal::cli
