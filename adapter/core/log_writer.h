// The target "logger": each Dml as the line that the reference's logger adapter writes, into the
// program's log (client-adapter, 5.2 and 5.3). Owned by its pipeline, on its strand.
#pragma once

#include "adapter/core/writer.h"

#include <memory>
#include <string>

namespace obcanal::adapter::core {

// `DML: {"data":[...],...}` without a line end. Pure.
std::string dml_line(
    const Dml& dml, std::string_view destination, std::string_view group, int64_t now_ms
);

Result<std::unique_ptr<Writer>> make_log_writer(const WriterContext& context);

}  // namespace obcanal::adapter::core
