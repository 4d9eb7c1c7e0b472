// What a record says of its table's columns, kept to tell whether another record says the same: by
// comparing bytes, so that arrays which were checked once are not checked again in every row. Owned
// by who keeps a table, one strand.
#pragma once

#include "protocol/oblog/log_record.h"

#include <array>
#include <cstdint>
#include <string>

namespace obcanal::oblog {

class ColumnDescription {
 public:
    // Matches no record.
    ColumnDescription() = default;
    // Checks each array: what is wrong with them is the record's fault from then on.
    explicit ColumnDescription(LogRecord& record);

    // Whether the record's arrays hold the same bytes, and so are as sound as those that were
    // checked.
    bool matches(const LogRecord& record) const;

 private:
    static constexpr size_t kNothing = ~size_t{0};

    bool same_arrays(Bytes area, const std::array<uint32_t, LogRecord::kDescribing>& offsets) const;

    std::array<size_t, LogRecord::kDescribing> sizes_{kNothing};  // 0: the array is missing
    std::string bytes_;                                           // of all arrays
    // Writers put the arrays side by side in front of the values, so that most records have them in
    // the same place: then one comparison does. Empty: they lie too far apart.
    std::array<uint32_t, LogRecord::kDescribing> offsets_{};
    size_t region_begin_ = 0;
    std::string region_;
};

}  // namespace obcanal::oblog
