// Row events split into cells: where each column's bytes lie, nothing converted. A RowLayout is
// made once per table map; a RowReader walks the rows of one event and fills arrays that the caller
// owns, so a row needs no heap. Sans-I/O.
//
//   rows  := table_id(6) u16 flags [u16 extra_size extra] count columns [columns_after] row*
//   row   := image [[options partial_bits] image]          (an update has two)
//   image := null_bits value*
//
// Cells point into the event. The header in front of them is readable (kCellPadding).
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/cell.h"
#include "protocol/base/result.h"
#include "protocol/mysql/binlog_event.h"
#include "protocol/mysql/table_map.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace obcanal::mysql {

// How many bytes a column's values take.
struct CellWidth {
    enum Kind : uint8_t { Fixed, Prefix1, Prefix2, Prefix3, Prefix4 };

    Kind kind = Fixed;
    uint8_t size = 0;  // Fixed
    bool json = false;
};

class RowLayout {
 public:
    RowLayout() = default;
    // `old_fractions`: MariaDB's columns in the format before 5.6 do not log their fraction digits;
    // of these columns (Time, Timestamp, Datetime) the digits as the schema knows them, or empty.
    explicit RowLayout(const TableMap& table, std::span<const uint8_t> old_fractions = {});

    std::span<const CellWidth> columns() const { return columns_; }
    size_t json_columns() const { return json_columns_; }

 private:
    std::vector<CellWidth> columns_;
    size_t json_columns_ = 0;
};

// Bytes of a stored DECIMAL.
size_t decimal_size(uint8_t precision, uint8_t scale);

enum class RowsKind : uint8_t { Insert, Update, Delete };

struct RowsEvent {
    static constexpr uint16_t kStatementEnd = 1;

    RowsKind kind = RowsKind::Insert;
    bool partial = false;  // updates of JSON documents may be differences
    uint64_t table_id = 0;
    uint16_t flags = 0;
    size_t columns = 0;
    Bytes present;        // a bit per column: is it in the (before) image
    Bytes present_after;  // the same for the after image of an update
    Bytes rows;
};

bool is_rows_event(EventType type);

// `text`: keeps the rows of a compressed event.
Result<RowsEvent> parse_rows(const Event& event, const BinlogFormat& format, std::string& text);

class RowReader {
 public:
    // REQUIRES: both live as long as the reader.
    RowReader(const RowsEvent& event, const RowLayout& layout);

    // Whether the event has as many columns as the table; if not, no row can be read.
    bool fits() const { return event_.columns == layout_.columns().size(); }

    bool at_end() const { return at_ == end_; }

    // Fills one cell per column of the table; columns that are not in the image become Absent.
    // An insert has only `after`, a delete only `before`. False when the row is malformed: nothing
    // behind it can be read. REQUIRES: fits(), !at_end(), spans of that many cells.
    bool next(std::span<Cell> before, std::span<Cell> after);

    // Where the next row begins, counted in bytes from the first one.
    size_t offset() const { return static_cast<size_t>(at_ - event_.rows.data()); }

 private:
    // Which columns an image has.
    struct Image {
        const std::byte* present = nullptr;
        size_t count = 0;
    };

    static Image image(Bytes present, size_t columns);
    // `partial`: a bit per JSON column of the table whether its value is a difference; null: none.
    bool read_image(const Image& image, std::span<Cell> cells, const std::byte* partial);
    bool read_row(std::span<Cell> before, std::span<Cell> after);

    const RowsEvent& event_;
    const RowLayout& layout_;
    Image first_;
    Image second_;
    const std::byte* at_;
    const std::byte* end_;
};

}  // namespace obcanal::mysql
