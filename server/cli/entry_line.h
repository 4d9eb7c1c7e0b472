// Entries for the eye: one line per row, keys first, then what changed as `old -> new`; colours and
// a cut at the terminal's width where asked for. Times are local.
#pragma once

#include "protocol/canal/entry_reader.h"
#include "server/cli/entry_format.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace obcanal::cli {

struct LineStyle {
    bool colour = false;
    size_t width = 0;        // cut lines there; 0: never
    size_t value_width = 0;  // cut values there; 0: never
};

class EntryLine : public EntryFormat {
 public:
    explicit EntryLine(LineStyle style) : style_(style) {}

    void set_width(size_t width) { style_.width = width; }
    Result<uint64_t> append(Bytes entry, uint64_t row_limit, std::string& to) override;

 private:
    LineStyle style_;
    canal::RowView row_;
    std::string day_;                // of the last line, to announce a new one
    uint64_t transaction_rows_ = 0;  // since the last boundary
};

}  // namespace obcanal::cli
