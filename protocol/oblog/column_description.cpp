#include "protocol/oblog/column_description.h"

#include <cstring>

namespace obcanal::oblog {

ColumnDescription::ColumnDescription(LogRecord& record) {
    // In the order of describing_offsets().
    const std::array<Bytes, LogRecord::kDescribing> arrays{
        record.column_names().raw(),
        record.column_types().raw(),
        record.column_encodings().raw(),
        record.is_signed().raw(),
        record.lengths().raw(),
        record.precisions().raw(),
        record.scales().raw(),
        record.primary_key().raw(),
        record.key_info().raw()
    };
    for (size_t i = 0; i < arrays.size(); ++i) {
        sizes_[i] = arrays[i].size();
        bytes_ += as_text(arrays[i]);
    }
}

bool ColumnDescription::matches(const LogRecord& record) const {
    const std::array<uint32_t, LogRecord::kDescribing> offsets = record.describing_offsets();
    const Bytes area = record.area();
    const char* seen = bytes_.data();
    for (size_t i = 0; i < offsets.size(); ++i) {
        const size_t size = sizes_[i];
        if ((offsets[i] == LogRecord::kUnset) != (size == 0)) return false;
        if (size == 0) continue;
        if (offsets[i] > area.size() || size > area.size() - offsets[i]) return false;
        if (std::memcmp(area.data() + offsets[i], seen, size) != 0) return false;
        seen += size;
    }
    return true;
}

}  // namespace obcanal::oblog
