// Text of a cell in Canal's spelling (entry-format, section 4), for all types whose bytes are not
// the text themselves. The objects implement CellText of protocol/base: the entry encoder calls
// write() once per cell, which writes backwards into the entry and uses no heap; strings and blobs
// stay with the encoder's own character set paths.
#pragma once

#include "protocol/base/cell.h"
#include "protocol/base/time_zone.h"
#include "protocol/mysql/table_map.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace obcanal::mysql {

struct TextFormat {
    ColumnType type = ColumnType::Null;
    bool is_unsigned = false;
    uint8_t precision = 0;                   // Decimal
    uint8_t scale = 0;                       // Decimal: scale; temporal types: fraction digits
    std::shared_ptr<const TimeZone> zone{};  // Timestamp
    std::string name{};                      // JSON: what differences name
    bool binary = false;                     // compressed columns: bytes rather than text
    std::string charset{};                   // compressed columns of text: MySQL's name
};

// Null when the cell's bytes are the text: strings, blobs, geometry, vectors.
std::unique_ptr<const CellText> make_cell_text(const TextFormat& format);

// A DECIMAL with precision and scale in front, as variables and JSON hold it.
std::optional<std::string> packed_decimal_text(Bytes value);

// -- pieces that JSON shares; all write backwards, each reserves what it needs
bool write_decimal(Bytes stored, uint8_t precision, uint8_t scale, ReverseWriter& out);
void write_number(uint64_t value, ReverseWriter& out);
void write_signed(int64_t value, ReverseWriter& out);
// At least `digits` digits, with zeros in front.
void write_padded(uint64_t value, unsigned digits, ReverseWriter& out);

}  // namespace obcanal::mysql
