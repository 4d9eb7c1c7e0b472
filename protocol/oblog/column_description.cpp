#include "protocol/oblog/column_description.h"

#include <algorithm>
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
    offsets_ = record.describing_offsets();
    size_t begin = record.area().size();
    size_t end = 0;
    for (size_t i = 0; i < arrays.size(); ++i) {
        sizes_[i] = arrays[i].size();
        bytes_ += as_text(arrays[i]);
        if (sizes_[i] == 0) continue;
        begin = std::min<size_t>(begin, offsets_[i]);
        end = std::max(end, offsets_[i] + sizes_[i]);
    }
    constexpr size_t kBetween = 4096;
    if (!record.ok() || begin >= end || end - begin > bytes_.size() + kBetween) return;
    region_begin_ = begin;
    region_ = as_text(record.area().subspan(begin, end - begin));
}

bool ColumnDescription::matches(const LogRecord& record) const {
    const std::array<uint32_t, LogRecord::kDescribing> offsets = record.describing_offsets();
    const Bytes area = record.area();
    const bool same_place = !region_.empty() && region_begin_ + region_.size() <= area.size() &&
                            std::memcmp(&offsets, &offsets_, sizeof offsets) == 0;
    const bool same_region =
        same_place && std::memcmp(area.data() + region_begin_, region_.data(), region_.size()) == 0;
    return same_region || same_arrays(area, offsets);
}

bool ColumnDescription::same_arrays(
    Bytes area, const std::array<uint32_t, LogRecord::kDescribing>& offsets
) const {
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
