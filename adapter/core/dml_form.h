// How the columns of a table's rows are encoded in entries, all but their values: most entries
// repeat those of the one before byte for byte, which is cheaper to see than to decode. Part of
// DmlReader; sans-I/O, one thread.
#pragma once

#include "adapter/core/dml.h"
#include "protocol/base/bytes.h"
#include "protocol/canal/wire_fields.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace obcanal::adapter::core {

// A walk over one message that takes one-byte tags, lengths and numbers, which nearly all are, in
// a compare each. ok is false from the first fault on.
struct Walk {
    const std::byte* at;
    const std::byte* end;
    bool ok = true;

    explicit Walk(Bytes bytes) : at(bytes.data()), end(bytes.data() + bytes.size()) {}

    bool more() const { return ok && at != end; }

    uint64_t varint() {
        if (at != end && std::to_integer<uint8_t>(*at) < 0x80)
            return std::to_integer<uint8_t>(*at++);
        return long_varint();
    }

    uint64_t long_varint();

    Bytes bytes() {
        const uint64_t size = varint();
        if (!ok || size > static_cast<size_t>(end - at)) {
            ok = false;
            return {};
        }
        const Bytes part{at, static_cast<size_t>(size)};
        at += size;
        return part;
    }

    std::string_view text() { return as_text(bytes()); }

    // Passes over the value of a tag that nobody knows.
    void skip(uint64_t tag);

    void fixed(ptrdiff_t size) {
        if (end - at < size) {
            ok = false;
        } else {
            at += size;
        }
    }
};

constexpr uint8_t tag_of(uint32_t number) { return canal::varint_tag(number); }

constexpr uint8_t bytes_tag_of(uint32_t number) { return canal::bytes_tag(number); }

// One column of an image. False: malformed.
bool read_column(Bytes bytes, DmlColumn& column, DmlValue& value);

// A column as it was encoded last: what stands before and behind its flags and value.
class FormColumn {
 public:
    // Of bytes that read_column() took.
    explicit FormColumn(Bytes bytes);
    FormColumn(const FormColumn&) = delete;
    FormColumn& operator=(const FormColumn&) = delete;

    // Its fields come in the order of their numbers, as encoders write them. Of another column
    // nothing else here holds.
    bool ordered() const { return ordered_; }

    // Views into this.
    const DmlColumn& named() const { return named_; }
    // False when it is another column, or the same of another type.
    bool read(Bytes bytes, DmlValue& value) const;

 private:
    std::string bytes_;  // without flags and value
    DmlColumn named_;
    std::string_view front_;  // of bytes_
    std::string_view tail_;
    int32_t sql_type_ = 0;
    bool ordered_ = true;
};

struct DmlForm {
    uint64_t number = 0;  // of no other form in this process
    std::string database;
    std::string table;
    std::deque<FormColumn> columns;
    std::vector<DmlColumn> named;  // views into `columns`
    uint32_t hits = 0;
    uint32_t misses = 0;  // its predecessors' too; many hits make up for one
    uint32_t misses_in_a_row = 0;

    void hit() {
        misses_in_a_row = 0;
        if (++hits % 16 == 0 && misses > 0) --misses;
    }
};

// The latest form of each table.
class DmlForms {
 public:
    // What the last batch referred to goes.
    void begin() { retired_.clear(); }
    // Of the Dml's table; null: none is known.
    DmlForm* find(const Dml& dml);
    // An image was not of the form `known`, if there is one: the next one may be as this is, whose
    // columns the Dml has. The new form's number; 0: none was made, because the table's images are
    // of several forms in turns or have fields in an order of their own.
    uint64_t learn(DmlForm* known, Dml& dml, Bytes image);

 private:
    std::unordered_map<std::string, std::unique_ptr<DmlForm>> forms_;  // by database NUL table
    std::vector<std::unique_ptr<DmlForm>> retired_;
    DmlForm* latest_ = nullptr;
    std::string key_;
};

}  // namespace obcanal::adapter::core
