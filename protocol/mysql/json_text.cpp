#include "protocol/mysql/json_text.h"

#include "protocol/base/text.h"
#include "protocol/mysql/cell_text.h"
#include "protocol/mysql/java_number.h"
#include "protocol/mysql/wire.h"

#include <array>
#include <bit>
#include <string>
#include <vector>

namespace obcanal::mysql {
namespace {

// First byte of a document, and type in the entry of a value.
enum class JsonType : uint8_t {
    SmallObject = 0,
    LargeObject = 1,
    SmallArray = 2,
    LargeArray = 3,
    Literal = 4,
    Int16 = 5,
    Uint16 = 6,
    Int32 = 7,
    Uint32 = 8,
    Int64 = 9,
    Uint64 = 10,
    Double = 11,
    String = 12,
    Opaque = 15,
};

constexpr size_t kDeepest = 100;  // MySQL's limit
constexpr std::string_view kHexDigits = "0123456789abcdef";

// Whether a character needs an escape, by its last byte and the one before.
bool is_escaped(uint8_t last, uint8_t before) {
    if (last < 0x20 || last == '"' || last == '\\' || last == 0x7F) return true;
    return before == 0xC2 && last >= 0x80 && last <= 0xA0;
}

// Writes a character that needs it; returns how many bytes of text it stands for.
size_t put_escape(uint8_t last, ReverseWriter& out) {
    switch (last) {
        case '"': out.copy("\\\""); return 1;
        case '\\': out.copy("\\\\"); return 1;
        case '\n': out.copy("\\n"); return 1;
        case '\r': out.copy("\\r"); return 1;
        case '\t': out.copy("\\t"); return 1;
        default: break;
    }
    out.byte(static_cast<uint8_t>(kHexDigits[last & 15]));
    out.byte(static_cast<uint8_t>(kHexDigits[last >> 4]));
    out.copy("\\u00");
    return last < 0x80 ? 1 : 2;
}

void put_quoted(std::string_view text, ReverseWriter& out) {
    std::string repaired;
    if (!is_utf8(as_bytes(text))) {
        repaired = repair_utf8(as_bytes(text));
        text = repaired;
    }
    constexpr size_t kLongestEscape = 6;
    out.reserve(text.size() + 2 * kLongestEscape);
    out.byte('"');
    size_t end = text.size();  // of what is not written yet
    size_t at = end;
    while (at > 0) {
        const auto last = static_cast<uint8_t>(text[at - 1]);
        const auto before = at > 1 ? static_cast<uint8_t>(text[at - 2]) : uint8_t{0};
        if (!is_escaped(last, before)) {
            --at;
            continue;
        }
        out.copy(text.substr(at, end - at));
        at -= put_escape(last, out);
        end = at;
        out.reserve(text.size() + 2 * kLongestEscape);
    }
    out.copy(text.substr(0, end));
    out.byte('"');
}

// A value whose size stands in front, seven bits a byte.
bool read_sized(Bytes bytes, Bytes& value) {
    ByteReader in(bytes);
    const uint64_t size = in.varint();
    value = in.take(size);
    return in.ok();
}

void put_moment(std::string_view text, ReverseWriter& out) {
    out.reserve(text.size() + 2);
    out.byte('"');
    out.copy(text);
    out.byte('"');
}

void put_clock(uint64_t hours, uint64_t clock, uint64_t fraction, ReverseWriter& out) {
    write_padded(fraction, 6, out);
    out.byte('.');
    write_padded(clock & 63, 2, out);
    out.byte(':');
    write_padded(clock >> 6 & 63, 2, out);
    out.byte(':');
    write_padded(hours, 2, out);
}

// Times are packed: integer part above 24 bits of microseconds.
struct Packed {
    explicit Packed(Bytes value) {
        const auto raw = load_le<int64_t>(value.data());
        const auto bits = static_cast<uint64_t>(raw);
        const uint64_t size = raw < 0 ? ~bits + 1 : bits;
        negative = raw < 0;
        whole = size >> 24;
        fraction = size & 0xFF'FFFF;
    }

    bool zero() const { return whole == 0 && fraction == 0; }

    bool negative;
    uint64_t whole;
    uint64_t fraction;
};

constexpr size_t kLongestMoment = 80;

bool put_time(Bytes value, ReverseWriter& out) {
    if (value.size() != 8) return false;
    const Packed time(value);
    if (time.zero()) {
        put_moment("00:00:00", out);
        return true;
    }
    out.reserve(kLongestMoment);
    out.byte('"');
    put_clock(time.whole >> 12 & 0x3FF, time.whole, time.fraction, out);
    if (time.negative) out.byte('-');
    out.byte('"');
    return true;
}

bool put_datetime(Bytes value, ReverseWriter& out) {
    if (value.size() != 8) return false;
    const Packed time(value);
    if (time.zero()) {
        put_moment("0000-00-00 00:00:00", out);
        return true;
    }
    const uint64_t day = time.whole >> 17;
    const uint64_t month = day >> 5;
    out.reserve(kLongestMoment);
    out.byte('"');
    put_clock(time.whole >> 12 & 31, time.whole, time.fraction, out);
    out.byte(' ');
    write_padded(day & 31, 2, out);
    out.byte('-');
    write_padded(month % 13, 2, out);
    out.byte('-');
    write_padded(month / 13, 4, out);
    out.byte('"');
    return true;
}

class JsonWriter {
 public:
    JsonWriter(size_t document_size, ReverseWriter& out) : out_(out), budget_(document_size) {}

    // `bytes`: from the value's first byte to the end of what holds it.
    bool put(JsonType type, Bytes bytes, size_t depth) {
        switch (type) {
            case JsonType::SmallObject: return put_container(bytes, true, false, depth);
            case JsonType::LargeObject: return put_container(bytes, true, true, depth);
            case JsonType::SmallArray: return put_container(bytes, false, false, depth);
            case JsonType::LargeArray: return put_container(bytes, false, true, depth);
            default: return put_scalar(type, bytes);
        }
    }

 private:
    // Values of a sound document do not overlap, so all that is looked at is no more than its size.
    // What is more comes from offsets that point to the same place again and again.
    bool charge(size_t bytes) {
        if (bytes > budget_) return false;
        budget_ -= bytes;
        return true;
    }

    bool put_scalar(JsonType type, Bytes bytes) {
        switch (type) {
            case JsonType::Literal: return put_literal(bytes);
            case JsonType::Int16: return put_integer<int16_t>(bytes);
            case JsonType::Uint16: return put_integer<uint16_t>(bytes);
            case JsonType::Int32: return put_integer<int32_t>(bytes);
            case JsonType::Uint32: return put_integer<uint32_t>(bytes);
            case JsonType::Int64: return put_integer<int64_t>(bytes);
            case JsonType::Uint64: return put_integer<uint64_t>(bytes);
            case JsonType::Double: return put_double(bytes);
            case JsonType::String: {
                Bytes value;
                if (!read_sized(bytes, value) || !charge(value.size())) return false;
                put_quoted(as_text(value), out_);
                return true;
            }
            case JsonType::Opaque: return put_opaque(bytes);
            default: return false;
        }
    }

    bool put_literal(Bytes bytes) {
        if (bytes.empty()) return false;
        out_.reserve(8);
        switch (std::to_integer<unsigned>(bytes[0])) {
            case 0: out_.copy("null"); return true;
            case 1: out_.copy("true"); return true;
            case 2: out_.copy("false"); return true;
            default: return false;
        }
    }

    template <class Integer>
    bool put_integer(Bytes bytes) {
        if (bytes.size() < sizeof(Integer)) return false;
        const auto value = load_le<Integer>(bytes.data());
        if constexpr (std::is_signed_v<Integer>) {
            write_signed(value, out_);
        } else {
            write_number(value, out_);
        }
        return true;
    }

    bool put_double(Bytes bytes) {
        if (bytes.size() < sizeof(double)) return false;
        std::array<char, kLongestJavaNumber> text;
        const auto value = std::bit_cast<double>(load_le<uint64_t>(bytes.data()));
        const char* end = write_java(value, text.data());
        out_.reserve(text.size());
        out_.copy(text.data(), static_cast<size_t>(end - text.data()));
        return true;
    }

    bool put_opaque(Bytes bytes) {
        Bytes value;
        if (bytes.empty() || !read_sized(bytes.subspan(1), value) || !charge(value.size()))
            return false;
        switch (static_cast<ColumnType>(bytes[0])) {
            case ColumnType::NewDecimal:
                return value.size() > 2 && write_decimal(
                                               value.subspan(2),
                                               std::to_integer<uint8_t>(value[0]),
                                               std::to_integer<uint8_t>(value[1]),
                                               out_
                                           );
            case ColumnType::Time: return put_time(value, out_);
            case ColumnType::Date:
            case ColumnType::Datetime:
            case ColumnType::Timestamp: return put_datetime(value, out_);
            default: put_quoted(as_text(value), out_); return true;
        }
    }

    // container := count size (key_offset key_size)* (type offset_or_value)* keys values
    bool put_container(Bytes bytes, bool object, bool large, size_t depth) {
        const size_t offset_size = large ? 4 : 2;
        const size_t key_entry = offset_size + 2;
        const size_t value_entry = 1 + offset_size;
        if (depth > kDeepest || bytes.size() < 2 * offset_size) return false;
        const uint64_t count = load_le_bytes(bytes.data(), offset_size);
        const uint64_t size = load_le_bytes(bytes.data() + offset_size, offset_size);
        const size_t entry = value_entry + (object ? key_entry : 0);
        if (size > bytes.size() || count > size / entry) return false;
        if (2 * offset_size + count * entry > size || !charge(2 * offset_size + count * entry))
            return false;
        bytes = bytes.first(size);
        const std::byte* keys = bytes.data() + 2 * offset_size;
        const std::byte* values = keys + (object ? count * key_entry : 0);

        out_.reserve(8);
        out_.byte(object ? '}' : ']');
        for (uint64_t i = count; i-- > 0;) {
            if (!put_element(bytes, values + i * value_entry, large, depth)) return false;
            if (object && !put_key(bytes, keys + i * key_entry, offset_size)) return false;
            out_.reserve(8);
            if (i > 0) out_.copy(", ");
        }
        out_.byte(object ? '{' : '[');
        return true;
    }

    bool put_element(Bytes container, const std::byte* entry, bool large, size_t depth) {
        const size_t offset_size = large ? 4 : 2;
        const auto type = static_cast<JsonType>(*entry);
        const bool small =
            type == JsonType::Literal || type == JsonType::Int16 || type == JsonType::Uint16;
        const bool medium = type == JsonType::Int32 || type == JsonType::Uint32;
        if (small || (large && medium)) return put_scalar(type, {entry + 1, offset_size});
        const uint64_t offset = load_le_bytes(entry + 1, offset_size);
        return offset < container.size() && put(type, container.subspan(offset), depth + 1);
    }

    bool put_key(Bytes container, const std::byte* entry, size_t offset_size) {
        const uint64_t offset = load_le_bytes(entry, offset_size);
        const uint64_t size = load_le<uint16_t>(entry + offset_size);
        if (offset > container.size() || size > container.size() - offset || !charge(size))
            return false;
        out_.reserve(8);
        out_.copy(": ");
        put_quoted(as_text(container.subspan(offset, size)), out_);
        return true;
    }

    ReverseWriter& out_;
    size_t budget_;
};

struct Difference {
    enum Operation : uint8_t { Replace = 0, Insert = 1, Remove = 2 };

    std::string_view function;
    std::string_view path;
    Bytes value;
    bool has_value;
};

bool read_differences(Bytes bytes, std::vector<Difference>& to) {
    ByteReader in(bytes);
    while (in.ok() && !in.empty()) {
        const uint8_t operation = in.u8();
        Difference difference{};
        difference.path = read_length_text(in);
        difference.has_value = operation != Difference::Remove;
        if (difference.has_value) difference.value = read_length_bytes(in);
        switch (operation) {
            case Difference::Replace: difference.function = "JSON_REPLACE("; break;
            case Difference::Insert:
                difference.function =
                    difference.path.ends_with(']') ? "JSON_ARRAY_INSERT(" : "JSON_INSERT(";
                break;
            case Difference::Remove: difference.function = "JSON_REMOVE("; break;
            default: return false;
        }
        to.push_back(difference);
    }
    return in.ok();
}

bool put_document(Bytes document, ReverseWriter& out) {
    if (document.empty()) return true;
    JsonWriter writer(document.size(), out);
    return writer.put(static_cast<JsonType>(document[0]), document.subspan(1), 1);
}

// function(column, 'path', value, 'path', value): operations of one kind share a call, the last one
// is outermost.
bool put_differences(
    const std::vector<Difference>& differences, std::string_view column, ReverseWriter& out
) {
    const auto opens = [&](size_t i) {
        return i == 0 || differences[i - 1].function != differences[i].function;
    };
    for (size_t i = differences.size(); i-- > 0;) {
        const bool closes = i + 1 == differences.size() || opens(i + 1);
        out.reserve(8);
        if (i + 1 < differences.size()) out.copy(", ");
        if (closes) out.byte(')');
        if (differences[i].has_value) {
            if (differences[i].value.empty() || !put_document(differences[i].value, out))
                return false;
            out.reserve(8);
            out.copy(", ");
        }
        const std::string path = repair_utf8(as_bytes(differences[i].path));
        out.reserve(path.size() + 8);
        out.byte('\'');
        out.copy(path);
        out.byte('\'');
    }
    out.reserve(column.size() + 8);
    if (!differences.empty()) out.copy(", ");
    out.copy(column);
    for (size_t i = 0; i < differences.size(); ++i) {
        if (!opens(i)) continue;
        out.reserve(differences[i].function.size());
        out.copy(differences[i].function);
    }
    return true;
}

}  // namespace

bool write_json(Bytes document, ReverseWriter& out) {
    const size_t begin = out.size();
    if (put_document(document, out)) return true;
    out.rewind(begin);
    return false;
}

bool write_json_difference(Bytes difference, std::string_view column, ReverseWriter& out) {
    std::vector<Difference> differences;
    if (!read_differences(difference, differences)) return false;
    const size_t begin = out.size();
    if (put_differences(differences, column, out)) return true;
    out.rewind(begin);
    return false;
}

}  // namespace obcanal::mysql
