// Any bytes as the body of a Messages packet: read into Dmls whose images fit their columns, and
// printed as the logger does.
#include "adapter/core/dml_reader.h"
#include "adapter/core/log_writer.h"
#include "protocol/base/assert.h"

#include <cstddef>
#include <cstdint>

using namespace obcanal;
using namespace obcanal::adapter::core;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static DmlReader reader;
    const Bytes body(reinterpret_cast<const std::byte*>(data), size);
    const Result<canal::Messages> messages = canal::parse_messages(body);
    if (!messages) return 0;
    const Result<DmlBatch> batch = reader.read("fuzz", *messages);
    if (!batch) return 0;
    size_t rows = 0;
    for (const Dml& dml : batch->dmls) {
        rows += dml.rows.size();
        for (const DmlRow& row : dml.rows) {
            OBC_ASSERT(row.before.empty() || row.before.size() == dml.columns.size());
            OBC_ASSERT(row.after.empty() || row.after.size() == dml.columns.size());
        }
        OBC_ASSERT(!dml_line(dml, "fuzz", "g", 0).empty());
    }
    OBC_ASSERT(rows == batch->rows);
    return 0;
}
