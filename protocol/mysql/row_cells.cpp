#include "protocol/mysql/row_cells.h"

#include "protocol/mysql/compression.h"
#include "protocol/mysql/wire.h"

#include <algorithm>
#include <array>

namespace obcanal::mysql {
namespace {

bool bit_at(const std::byte* bits, size_t i) {
    return (std::to_integer<unsigned>(bits[i / 8]) >> (i % 8) & 1) != 0;
}

// MariaDB's temporal formats before MySQL 5.6, by fraction digits.
constexpr std::array<uint8_t, 7> kOldTimeSize{3, 4, 4, 5, 5, 5, 6};
constexpr std::array<uint8_t, 7> kOldTimestampSize{4, 5, 5, 6, 6, 7, 7};
constexpr std::array<uint8_t, 7> kOldDatetimeSize{8, 6, 6, 7, 7, 7, 8};

CellWidth prefixed(size_t bytes) { return {static_cast<CellWidth::Kind>(bytes), 0, false}; }

CellWidth width_of(const MappedColumn& column, uint8_t old_fraction) {
    const auto fixed = [](size_t size) {
        return CellWidth{CellWidth::Fixed, static_cast<uint8_t>(size), false};
    };
    const size_t fraction = (column.scale + size_t{1}) / 2;
    switch (column.type) {
        case ColumnType::Tiny:
        case ColumnType::Year: return fixed(1);
        case ColumnType::Short: return fixed(2);
        case ColumnType::Int24:
        case ColumnType::Date:
        case ColumnType::NewDate: return fixed(3);
        case ColumnType::Long:
        case ColumnType::Float: return fixed(4);
        case ColumnType::LongLong:
        case ColumnType::Double: return fixed(8);
        case ColumnType::Time: return fixed(kOldTimeSize[old_fraction]);
        case ColumnType::Timestamp: return fixed(kOldTimestampSize[old_fraction]);
        case ColumnType::Datetime: return fixed(kOldDatetimeSize[old_fraction]);
        case ColumnType::Timestamp2: return fixed(4 + fraction);
        case ColumnType::Datetime2: return fixed(5 + fraction);
        case ColumnType::Time2: return fixed(3 + fraction);
        case ColumnType::NewDecimal: return fixed(decimal_size(column.precision, column.scale));
        case ColumnType::Bit: return fixed((column.length + 7) / 8);
        case ColumnType::Enum:
        case ColumnType::Set: return fixed(column.length);
        case ColumnType::VarChar:
        case ColumnType::VarCharCompressed:
        case ColumnType::VarString:
        case ColumnType::String: return prefixed(column.length > 255 ? 2 : 1);
        case ColumnType::TinyBlob:
        case ColumnType::MediumBlob:
        case ColumnType::LongBlob:
        case ColumnType::Blob:
        case ColumnType::BlobCompressed:
        case ColumnType::Vector:
        case ColumnType::Geometry: return prefixed(column.length);
        case ColumnType::Json: {
            CellWidth width = prefixed(column.length);
            width.json = true;
            return width;
        }
        case ColumnType::Null:
        case ColumnType::Decimal:
        case ColumnType::TypedArray: return fixed(0);
    }
    return fixed(0);
}

struct RowsForm {
    RowsKind kind;
    bool extra;  // has the field of version 2
    bool partial;
    bool compressed;
};

bool rows_form(EventType type, RowsForm& form) {
    switch (type) {
        case EventType::WriteRowsV1: form = {RowsKind::Insert, false, false, false}; return true;
        case EventType::UpdateRowsV1: form = {RowsKind::Update, false, false, false}; return true;
        case EventType::DeleteRowsV1: form = {RowsKind::Delete, false, false, false}; return true;
        case EventType::WriteRows: form = {RowsKind::Insert, true, false, false}; return true;
        case EventType::UpdateRows: form = {RowsKind::Update, true, false, false}; return true;
        case EventType::DeleteRows: form = {RowsKind::Delete, true, false, false}; return true;
        case EventType::PartialUpdateRows:
            form = {RowsKind::Update, true, true, false};
            return true;
        case EventType::WriteRowsCompressedV1:
            form = {RowsKind::Insert, false, false, true};
            return true;
        case EventType::UpdateRowsCompressedV1:
            form = {RowsKind::Update, false, false, true};
            return true;
        case EventType::DeleteRowsCompressedV1:
            form = {RowsKind::Delete, false, false, true};
            return true;
        case EventType::WriteRowsCompressed:
            form = {RowsKind::Insert, true, false, true};
            return true;
        case EventType::UpdateRowsCompressed:
            form = {RowsKind::Update, true, false, true};
            return true;
        case EventType::DeleteRowsCompressed:
            form = {RowsKind::Delete, true, false, true};
            return true;
        default: return false;
    }
}

}  // namespace

size_t decimal_size(uint8_t precision, uint8_t scale) {
    constexpr size_t kDigits = 9;  // of a group of four bytes
    constexpr std::array<uint8_t, kDigits + 1> kRest{0, 1, 1, 2, 2, 3, 3, 4, 4, 4};
    const size_t whole = static_cast<size_t>(precision) - scale;
    return whole / kDigits * 4 + kRest[whole % kDigits] + scale / kDigits * 4 +
           kRest[scale % kDigits];
}

RowLayout::RowLayout(const TableMap& table, std::span<const uint8_t> old_fractions) {
    columns_.reserve(table.columns.size());
    for (size_t i = 0; i < table.columns.size(); ++i) {
        const uint8_t digits =
            i < old_fractions.size() ? std::min<uint8_t>(old_fractions[i], 6) : 0;
        columns_.push_back(width_of(table.columns[i], digits));
        if (columns_.back().json) ++json_columns_;
    }
}

bool is_rows_event(EventType type) {
    RowsForm form;
    return rows_form(type, form);
}

Result<RowsEvent> parse_rows(const Event& event, const BinlogFormat& format, std::string& text) {
    constexpr size_t kOldPostHeader = 6;
    RowsForm form;
    if (!rows_form(event.header.type, form)) return bad_event(event, "has no rows");
    ByteReader in(event.body);
    RowsEvent rows;
    rows.kind = form.kind;
    rows.partial = form.partial;
    rows.table_id = read_le(in, format.post_header(event.header.type) == kOldPostHeader ? 4 : 6);
    rows.flags = in.u16_le();
    if (form.extra) {
        const uint16_t extra = in.u16_le();
        if (extra < 2) in.fail();
        in.skip(extra - size_t{2});
    }
    rows.columns = read_length(in);
    const size_t bitmap = rows.columns / 8 + (rows.columns % 8 != 0 ? 1 : 0);
    rows.present = in.take(bitmap);
    rows.present_after = form.kind == RowsKind::Update ? in.take(bitmap) : rows.present;
    if (!in.ok()) return bad_event(event, "truncated");
    if (form.compressed) {
        // Cells may be read from somewhat before their begin.
        static constexpr std::array<std::byte, kCellPadding> kFront{};
        const auto inflated = inflate_event_part(in.take(in.remaining()), kFront, text);
        if (!inflated) return bad_event(event, inflated.error().detail);
        rows.rows = as_bytes(text).subspan(kFront.size());
    } else {
        rows.rows = in.take(in.remaining());
    }
    return rows;
}

RowReader::Image RowReader::image(Bytes present, size_t columns) {
    size_t count = 0;
    for (size_t i = 0; i < columns; ++i) count += bit_at(present.data(), i) ? 1 : 0;
    return {present.data(), count};
}

RowReader::RowReader(const RowsEvent& event, const RowLayout& layout)
    : event_(event),
      layout_(layout),
      first_(image(event.present, event.columns)),
      second_(image(event.present_after, event.columns)),
      at_(event.rows.data()),
      end_(at_ + event.rows.size()) {}

bool RowReader::read_image(const Image& image, std::span<Cell> cells, const std::byte* partial) {
    const std::span<const CellWidth> columns = layout_.columns();
    const size_t null_bytes = (image.count + 7) / 8;
    if (static_cast<size_t>(end_ - at_) < null_bytes) return false;
    const std::byte* const nulls = at_;
    const std::byte* at = at_ + null_bytes;
    size_t null_at = 0;
    size_t json_at = 0;
    const bool complete = image.count == columns.size();
    for (size_t i = 0; i < columns.size(); ++i) {
        const CellWidth width = columns[i];
        bool difference = false;
        if (partial != nullptr && width.json) {
            // Counted whether the column is in the image or not.
            difference = bit_at(partial, json_at++);
        }
        if (!complete && !bit_at(image.present, i)) {
            cells[i] = {nulls, 0, CellState::Absent};
            continue;
        }
        if (bit_at(nulls, null_at++)) {
            cells[i] = {nulls, 0, CellState::Null};
            continue;
        }
        const auto left = static_cast<size_t>(end_ - at);
        const auto prefix = static_cast<size_t>(width.kind);
        size_t size = width.size;
        if (left < prefix) return false;
        switch (width.kind) {
            case CellWidth::Fixed: break;
            case CellWidth::Prefix1: size = std::to_integer<size_t>(*at); break;
            case CellWidth::Prefix2: size = load_le<uint16_t>(at); break;
            case CellWidth::Prefix3:
            case CellWidth::Prefix4: size = load_le_bytes(at, prefix); break;
        }
        if (left - prefix < size) return false;
        at += prefix;
        cells[i] = {
            at, static_cast<uint32_t>(size), difference ? CellState::Difference : CellState::Value
        };
        at += size;
    }
    at_ = at;
    return true;
}

bool RowReader::next(std::span<Cell> before, std::span<Cell> after) {
    const std::byte* begin = at_;
    // A row without bytes would never come to an end.
    return read_row(before, after) && at_ != begin;
}

bool RowReader::read_row(std::span<Cell> before, std::span<Cell> after) {
    switch (event_.kind) {
        case RowsKind::Insert: return read_image(first_, after, nullptr);
        case RowsKind::Delete: return read_image(first_, before, nullptr);
        case RowsKind::Update: break;
    }
    if (!read_image(first_, before, nullptr)) return false;
    const std::byte* partial = nullptr;
    if (event_.partial) {
        constexpr uint64_t kPartialJson = 1;
        ByteReader in({at_, static_cast<size_t>(end_ - at_)});
        const uint64_t options = read_length(in);
        if ((options & kPartialJson) != 0) {
            const Bytes bits = in.take((layout_.json_columns() + 7) / 8);
            partial = bits.data();
        }
        if (!in.ok()) return false;
        at_ += in.position();
    }
    return read_image(second_, after, partial);
}

}  // namespace obcanal::mysql
