// Entries as `obcanal tail` and `drain` read them: both readings agree on the rows.
#include "protocol/base/assert.h"
#include "protocol/canal/entry_reader.h"

#include <cstddef>
#include <cstdint>
#include <variant>

namespace obcanal::canal {
namespace {

void read(Bytes bytes) {
    EntryTotals totals;
    const bool counted = count_entry(bytes, totals).ok();
    const auto entry = read_entry(bytes);
    if (!entry) return;
    entry_type_name(entry->type());
    const auto* change = std::get_if<RowChangeView>(&entry->content);
    if (change == nullptr) return;
    OBC_ASSERT(!counted || totals.rows == change->rows.size());
    RowView row;
    for (const Bytes data : change->rows) {
        if (!read_row(data, row)) return;
        OBC_ASSERT(row.before.size() <= kMaxColumns && row.after.size() <= kMaxColumns);
        for (const ColumnView& column : row.after) static_cast<void>(column.unknown());
    }
}

}  // namespace
}  // namespace obcanal::canal

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    obcanal::canal::read({reinterpret_cast<const std::byte*>(data), size});
    return 0;
}
