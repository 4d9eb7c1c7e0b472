// A column's bytes as an upstream sent them, and how they become text. Protocols fill and implement
// these, the entry encoder uses them; so neither needs to know the other.
#pragma once

#include "protocol/base/bytes.h"

#include <cstddef>
#include <cstdint>

namespace obcanal {

// Unknown: upstream did not log the value (an unchanged large object), which is not SQL's NULL.
// Absent: the column is not part of this row image. Difference: the value is given as changes of
// the one before.
enum class CellState : uint8_t { Value, Null, Unknown, Absent, Difference };

// The kCellPadding bytes in front of `data` must be readable, whatever they hold: short values are
// moved by fixed-size copies.
inline constexpr size_t kCellPadding = 16;

struct Cell {
    const std::byte* data = nullptr;
    uint32_t size = 0;
    CellState state = CellState::Null;

    Bytes bytes() const { return {data, size}; }
};

// What a CellText found. Promoted: an unsigned integer that the signed type of the same size does
// not hold. Malformed: the bytes are no value of the type.
enum class TextOutcome : uint8_t { Normal, Promoted, Malformed };

// Turns the bytes of one column's cells into text. Immutable, any thread.
class CellText {
 public:
    virtual ~CellText() = default;

    // Writes the text in front of what `out` holds and reserves what it needs itself; nothing is
    // written when the cell is malformed. REQUIRES: state is Value or Difference.
    virtual TextOutcome write(const Cell& cell, ReverseWriter& out) const = 0;

    // Whether two different cells may have the same text, so that a change must be looked for in
    // the texts.
    virtual bool ambiguous() const { return false; }
};

}  // namespace obcanal
