#include "protocol/mysql/cell_text.h"

#include "protocol/base/text.h"
#include "protocol/mysql/compression.h"
#include "protocol/mysql/java_number.h"
#include "protocol/mysql/json_text.h"
#include "protocol/mysql/row_cells.h"
#include "protocol/mysql/wire.h"

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstring>
#include <utility>

namespace obcanal::mysql {
namespace {

constexpr size_t kLongestNumber = 24;
constexpr std::array<uint32_t, 7> kPowers{1, 10, 100, 1000, 10000, 100000, 1000000};

constexpr auto kPairs = [] {
    std::array<char, 200> pairs{};
    for (size_t i = 0; i < 100; ++i) {
        pairs[2 * i] = static_cast<char>('0' + i / 10);
        pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
    }
    return pairs;
}();

// Two digits, more where the value has more.
void put_two(uint64_t value, ReverseWriter& out) {
    if (value < 100) {
        std::memcpy(out.claim(2), &kPairs[2 * value], 2);
    } else {
        write_number(value, out);
    }
}

// "." and exactly `digits` digits; nothing for none.
void put_fraction(uint64_t value, unsigned digits, ReverseWriter& out) {
    if (digits == 0) return;
    write_padded(value, digits, out);
    out.byte('.');
}

void put_clock(uint64_t hours, uint64_t minutes, uint64_t seconds, ReverseWriter& out) {
    put_two(seconds, out);
    out.byte(':');
    put_two(minutes, out);
    out.byte(':');
    put_two(hours, out);
}

void put_date(uint64_t year, uint64_t month, uint64_t day, ReverseWriter& out) {
    put_two(day, out);
    out.byte('-');
    put_two(month, out);
    out.byte('-');
    write_padded(year, 4, out);
}

constexpr size_t kLongestMoment = 64;  // of dates and times, numbers out of range included

// Fraction as stored in `bytes` bytes, two digits each, turned into `digits` digits.
uint64_t fraction_of(const std::byte* stored, size_t bytes, unsigned digits) {
    const uint64_t value = load_be_bytes(stored, bytes);
    return digits % 2 == 1 ? value / 10 : value;
}

// -- one class per family; `write` is all that differs

template <size_t kWidth>
class IntegerText final : public CellText {
 public:
    explicit IntegerText(bool is_unsigned) : is_unsigned_(is_unsigned) {}

    TextOutcome write(const Cell& cell, ReverseWriter& out) const override {
        if (cell.size != kWidth) return TextOutcome::Malformed;
        const uint64_t raw = load_le_bytes(cell.data, kWidth);
        constexpr uint64_t kHighest = uint64_t{1} << (8 * kWidth - 1);
        if ((raw & kHighest) == 0) {
            write_number(raw, out);
            return TextOutcome::Normal;
        }
        if (is_unsigned_) {
            write_number(raw, out);
            return TextOutcome::Promoted;
        }
        // Two's complement of this width.
        write_number((~raw & (kHighest - 1)) + 1, out);
        out.byte('-');
        return TextOutcome::Normal;
    }

 private:
    bool is_unsigned_;
};

template <class Float, class Bits>
class FloatText final : public CellText {
 public:
    TextOutcome write(const Cell& cell, ReverseWriter& out) const override {
        if (cell.size != sizeof(Bits)) return TextOutcome::Malformed;
        std::array<char, kLongestJavaNumber> text;
        const char* end = write_java(std::bit_cast<Float>(load_le<Bits>(cell.data)), text.data());
        out.reserve(kLongestJavaNumber);
        out.copy(text.data(), static_cast<size_t>(end - text.data()));
        return TextOutcome::Normal;
    }
};

class DecimalText final : public CellText {
 public:
    DecimalText(uint8_t precision, uint8_t scale) : precision_(precision), scale_(scale) {}

    TextOutcome write(const Cell& cell, ReverseWriter& out) const override {
        return write_decimal(cell.bytes(), precision_, scale_, out) ? TextOutcome::Normal
                                                                    : TextOutcome::Malformed;
    }

 private:
    uint8_t precision_;
    uint8_t scale_;
};

// BIT: big-endian. ENUM, SET: little-endian.
template <std::endian kOrder>
class UnsignedText final : public CellText {
 public:
    TextOutcome write(const Cell& cell, ReverseWriter& out) const override {
        if (cell.size == 0 || cell.size > 8) return TextOutcome::Malformed;
        write_number(
            kOrder == std::endian::big ? load_be_bytes(cell.data, cell.size)
                                       : load_le_bytes(cell.data, cell.size),
            out
        );
        return TextOutcome::Normal;
    }
};

class YearText final : public CellText {
 public:
    TextOutcome write(const Cell& cell, ReverseWriter& out) const override {
        if (cell.size != 1) return TextOutcome::Malformed;
        const auto year = std::to_integer<uint64_t>(*cell.data);
        write_padded(year == 0 ? 0 : year + 1900, 4, out);
        return TextOutcome::Normal;
    }
};

class DateText final : public CellText {
 public:
    TextOutcome write(const Cell& cell, ReverseWriter& out) const override {
        if (cell.size != 3) return TextOutcome::Malformed;
        const uint64_t date = load_le_bytes(cell.data, 3);
        out.reserve(kLongestMoment);
        put_date(date >> 9, date >> 5 & 15, date & 31, out);
        return TextOutcome::Normal;
    }
};

class TimeText final : public CellText {
 public:
    explicit TimeText(uint8_t digits) : digits_(digits), fraction_bytes_((digits + 1U) / 2) {}

    TextOutcome write(const Cell& cell, ReverseWriter& out) const override {
        if (cell.size != 3 + fraction_bytes_) return TextOutcome::Malformed;
        // Offset binary over all bytes, so that a negative time's fraction is negative too.
        const auto bits = static_cast<unsigned>(8 * fraction_bytes_);
        const auto packed =
            static_cast<int64_t>(load_be_bytes(cell.data, cell.size)) - (int64_t{0x800000} << bits);
        const auto size = static_cast<uint64_t>(packed < 0 ? -packed : packed);
        const uint64_t fraction = size & ((uint64_t{1} << bits) - 1);
        const uint64_t clock = size >> bits;
        out.reserve(kLongestMoment);
        put_fraction(digits_ % 2 == 1 ? fraction / 10 : fraction, digits_, out);
        put_clock(clock >> 12 & 0x3FF, clock >> 6 & 0x3F, clock & 0x3F, out);
        if (packed < 0) out.byte('-');
        return TextOutcome::Normal;
    }

 private:
    uint8_t digits_;
    uint32_t fraction_bytes_;
};

class DatetimeText final : public CellText {
 public:
    explicit DatetimeText(uint8_t digits) : digits_(digits), fraction_bytes_((digits + 1U) / 2) {}

    TextOutcome write(const Cell& cell, ReverseWriter& out) const override {
        if (cell.size != 5 + fraction_bytes_) return TextOutcome::Malformed;
        const uint64_t packed = load_be_bytes(cell.data, 5) & 0x7F'FFFF'FFFF;  // sign bit aside
        const uint64_t month = packed >> 22;
        out.reserve(kLongestMoment);
        put_fraction(fraction_of(cell.data + 5, fraction_bytes_, digits_), digits_, out);
        put_clock(packed >> 12 & 31, packed >> 6 & 63, packed & 63, out);
        out.byte(' ');
        put_date(month / 13, month % 13, packed >> 17 & 31, out);
        return TextOutcome::Normal;
    }

 private:
    uint8_t digits_;
    uint32_t fraction_bytes_;
};

// The forms differ in how they store seconds and fraction only.
void put_timestamp(
    uint64_t seconds, uint64_t fraction, unsigned digits, const TimeZone& zone, ReverseWriter& out
) {
    out.reserve(kLongestMoment);
    put_fraction(fraction, digits, out);
    if (seconds == 0) {
        out.copy("0000-00-00 00:00:00");
        return;
    }
    const auto unix_seconds = static_cast<int64_t>(seconds);
    const std::chrono::sys_seconds local{
        std::chrono::seconds{unix_seconds + zone.offset_at(unix_seconds)}
    };
    const auto midnight = std::chrono::floor<std::chrono::days>(local);
    const std::chrono::year_month_day date{midnight};
    const auto second_of_day = static_cast<uint64_t>((local - midnight).count());
    put_clock(second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60, out);
    out.byte(' ');
    put_date(
        static_cast<uint64_t>(static_cast<int>(date.year())),
        static_cast<unsigned>(date.month()),
        static_cast<unsigned>(date.day()),
        out
    );
}

class TimestampText final : public CellText {
 public:
    TimestampText(uint8_t digits, std::shared_ptr<const TimeZone> zone)
        : digits_(digits), fraction_bytes_((digits + 1U) / 2), zone_(std::move(zone)) {}

    TextOutcome write(const Cell& cell, ReverseWriter& out) const override {
        if (cell.size != 4 + fraction_bytes_) return TextOutcome::Malformed;
        put_timestamp(
            load_be<uint32_t>(cell.data),
            fraction_of(cell.data + 4, fraction_bytes_, digits_),
            digits_,
            *zone_,
            out
        );
        return TextOutcome::Normal;
    }

 private:
    uint8_t digits_;
    uint32_t fraction_bytes_;
    std::shared_ptr<const TimeZone> zone_;
};

// -- the formats before MySQL 5.6, which MariaDB still writes for tables that have them. Without
// fraction: decimal digits, little-endian. With: big-endian, scaled by the digits.

class OldTimestampText final : public CellText {
 public:
    OldTimestampText(uint8_t digits, std::shared_ptr<const TimeZone> zone)
        : digits_(digits), zone_(std::move(zone)) {}

    TextOutcome write(const Cell& cell, ReverseWriter& out) const override {
        if (cell.size < 4) return TextOutcome::Malformed;
        const uint64_t seconds =
            digits_ == 0 ? load_le<uint32_t>(cell.data) : load_be<uint32_t>(cell.data);
        const uint64_t fraction = load_be_bytes(cell.data + 4, cell.size - 4);
        put_timestamp(seconds, fraction, digits_, *zone_, out);
        return TextOutcome::Normal;
    }

 private:
    uint8_t digits_;
    std::shared_ptr<const TimeZone> zone_;
};

class OldTimeText final : public CellText {
 public:
    explicit OldTimeText(uint8_t digits) : digits_(digits) {}

    TextOutcome write(const Cell& cell, ReverseWriter& out) const override {
        if (cell.size < 3 || cell.size > 7) return TextOutcome::Malformed;
        out.reserve(kLongestMoment);
        if (digits_ == 0) {
            auto value = static_cast<int64_t>(load_le_bytes(cell.data, 3));
            constexpr int64_t kSign = 0x800000;
            if (value >= kSign) value -= 2 * kSign;
            const auto size = static_cast<uint64_t>(value < 0 ? -value : value);
            put_clock(size / 10000, size / 100 % 100, size % 100, out);
            if (value < 0) out.byte('-');
            return TextOutcome::Normal;
        }
        constexpr int64_t kZeroSeconds = 838 * 3600 + 59 * 60 + 59 + 1;
        const uint64_t scale = kPowers[digits_];
        const auto value = static_cast<int64_t>(load_be_bytes(cell.data, cell.size)) -
                           kZeroSeconds * static_cast<int64_t>(scale);
        const auto size = static_cast<uint64_t>(value < 0 ? -value : value);
        const uint64_t seconds = size / scale;
        put_fraction(size % scale, digits_, out);
        put_clock(seconds / 3600, seconds / 60 % 60, seconds % 60, out);
        if (value < 0) out.byte('-');
        return TextOutcome::Normal;
    }

 private:
    uint8_t digits_;
};

class OldDatetimeText final : public CellText {
 public:
    explicit OldDatetimeText(uint8_t digits) : digits_(digits) {}

    TextOutcome write(const Cell& cell, ReverseWriter& out) const override {
        if (cell.size == 0 || cell.size > 8) return TextOutcome::Malformed;
        out.reserve(kLongestMoment);
        if (digits_ == 0) {
            const uint64_t value = load_le_bytes(cell.data, cell.size);
            const uint64_t date = value / 1'000'000;
            put_clock(value / 10000 % 100, value / 100 % 100, value % 100, out);
            out.byte(' ');
            put_date(date / 10000, date / 100 % 100, date % 100, out);
            return TextOutcome::Normal;
        }
        const uint64_t scale = kPowers[digits_];
        const uint64_t value = load_be_bytes(cell.data, cell.size);
        const uint64_t seconds = value / scale;
        const uint64_t day = seconds / (24 * 3600);
        put_fraction(value % scale, digits_, out);
        put_clock(seconds / 3600 % 24, seconds / 60 % 60, seconds % 60, out);
        out.byte(' ');
        put_date(day / 32 / 13, day / 32 % 13, day % 32, out);
        return TextOutcome::Normal;
    }

 private:
    uint8_t digits_;
};

class JsonText final : public CellText {
 public:
    explicit JsonText(std::string column) : column_(std::move(column)) {}

    TextOutcome write(const Cell& cell, ReverseWriter& out) const override {
        const bool written = cell.state == CellState::Difference
                                 ? write_json_difference(cell.bytes(), column_, out)
                                 : write_json(cell.bytes(), out);
        return written ? TextOutcome::Normal : TextOutcome::Malformed;
    }

    // The same document may be stored with other widths and gaps.
    bool ambiguous() const override { return true; }

 private:
    std::string column_;
};

// MariaDB's COMPRESSED columns. Rare, so memory per cell is no matter.
class CompressedText final : public CellText {
 public:
    CompressedText(bool binary, std::string charset)
        : binary_(binary), charset_(std::move(charset)) {}

    TextOutcome write(const Cell& cell, ReverseWriter& out) const override {
        const auto plain = inflate_column(cell.bytes());
        if (!plain) return TextOutcome::Malformed;
        std::string text;
        auto decoder = binary_ ? std::nullopt : CharsetDecoder::open(charset_);
        if (binary_) {
            append_latin1(text, as_bytes(*plain));
        } else if (decoder) {
            decoder->decode(as_bytes(*plain), text);
        } else {
            text = repair_utf8(as_bytes(*plain));
        }
        out.reserve(text.size());
        out.copy(text);
        return TextOutcome::Normal;
    }

    bool ambiguous() const override { return true; }

 private:
    bool binary_;
    std::string charset_;
};

}  // namespace

void write_number(uint64_t value, ReverseWriter& out) {
    out.reserve(kLongestNumber);
    while (value >= 100) {
        std::memcpy(out.claim(2), &kPairs[2 * (value % 100)], 2);
        value /= 100;
    }
    if (value < 10) {
        out.byte(static_cast<uint8_t>('0' + value));
    } else {
        std::memcpy(out.claim(2), &kPairs[2 * value], 2);
    }
}

void write_signed(int64_t value, ReverseWriter& out) {
    const auto bits = static_cast<uint64_t>(value);
    write_number(value < 0 ? ~bits + 1 : bits, out);
    if (value < 0) out.byte('-');
}

void write_padded(uint64_t value, unsigned digits, ReverseWriter& out) {
    const size_t begin = out.size();
    write_number(value, out);
    out.reserve(digits);
    while (out.size() - begin < digits) out.byte('0');
}

bool write_decimal(Bytes stored, uint8_t precision, uint8_t scale, ReverseWriter& out) {
    constexpr uint8_t kMostDigits = 65;
    constexpr unsigned kGroupDigits = 9;
    constexpr std::array<uint8_t, kGroupDigits + 1> kSize{0, 1, 1, 2, 2, 3, 3, 4, 4, 4};
    constexpr std::array<uint32_t, kGroupDigits + 1> kLimit{
        1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000
    };
    if (precision == 0 || precision > kMostDigits || scale > precision) return false;
    if (stored.size() != decimal_size(precision, scale)) return false;
    const bool negative = (stored[0] & std::byte{0x80}) == std::byte{0};
    const std::byte flip = negative ? std::byte{0xFF} : std::byte{0};

    // The stored digits, last group first.
    const size_t begin = out.size();
    size_t end = stored.size();
    const auto group = [&](unsigned digits) {
        const size_t size = kSize[digits];
        uint64_t value = 0;
        for (size_t i = end - size; i < end; ++i) {
            std::byte b = stored[i] ^ flip;
            if (i == 0) b ^= std::byte{0x80};  // the sign
            value = value << 8 | std::to_integer<uint64_t>(b);
        }
        end -= size;
        return value;
    };
    out.reserve(kMostDigits + kLongestNumber);
    bool sound = true;
    if (scale > 0) {
        const unsigned rest = scale % kGroupDigits;
        if (rest > 0) {
            const uint64_t value = group(rest);
            sound = value < kLimit[rest];
            // Java Canal leaves an empty last group out.
            if (value != 0) write_padded(value, rest, out);
        }
        for (unsigned left = scale / kGroupDigits; left > 0; --left) {
            const uint64_t value = group(kGroupDigits);
            sound = sound && value < kLimit[kGroupDigits];
            write_padded(value, kGroupDigits, out);
        }
        if (out.size() == begin) out.byte('0');
        out.byte('.');
    }
    // Groups in front that are zero are not printed: remember how far the last printed one reaches.
    const unsigned whole = precision - static_cast<unsigned>(scale);
    const size_t point = out.size();
    size_t significant = point;
    const auto put_whole = [&](unsigned digits) {
        const uint64_t value = group(digits);
        sound = sound && value < kLimit[digits];
        const size_t before = out.size();
        write_padded(value, digits, out);
        if (value == 0) return;
        size_t length = 1;
        while (length < kGroupDigits && value >= kLimit[length]) ++length;
        significant = before + length;
    };
    for (unsigned left = whole / kGroupDigits; left > 0; --left) put_whole(kGroupDigits);
    if (whole % kGroupDigits != 0) put_whole(whole % kGroupDigits);
    if (!sound) {
        out.rewind(begin);
        return false;
    }
    out.rewind(significant);
    if (significant == point) out.byte('0');
    if (negative) out.byte('-');
    return true;
}

std::optional<std::string> packed_decimal_text(Bytes value) {
    ByteReader in(value);
    const uint8_t precision = in.u8();
    const uint8_t scale = in.u8();
    ReverseWriter out(128);
    if (!in.ok() || !write_decimal(in.take(in.remaining()), precision, scale, out))
        return std::nullopt;
    return std::string(as_text(out.bytes()));
}

std::unique_ptr<const CellText> make_cell_text(const TextFormat& format) {
    const auto digits = std::min<uint8_t>(format.scale, 6);
    const auto zone = format.zone ? format.zone : TimeZone::utc();
    switch (format.type) {
        case ColumnType::Tiny: return std::make_unique<IntegerText<1>>(format.is_unsigned);
        case ColumnType::Short: return std::make_unique<IntegerText<2>>(format.is_unsigned);
        case ColumnType::Int24: return std::make_unique<IntegerText<3>>(format.is_unsigned);
        case ColumnType::Long: return std::make_unique<IntegerText<4>>(format.is_unsigned);
        case ColumnType::LongLong: return std::make_unique<IntegerText<8>>(format.is_unsigned);
        case ColumnType::Float: return std::make_unique<FloatText<float, uint32_t>>();
        case ColumnType::Double: return std::make_unique<FloatText<double, uint64_t>>();
        case ColumnType::NewDecimal:
            return std::make_unique<DecimalText>(format.precision, format.scale);
        case ColumnType::Bit: return std::make_unique<UnsignedText<std::endian::big>>();
        case ColumnType::Enum:
        case ColumnType::Set: return std::make_unique<UnsignedText<std::endian::little>>();
        case ColumnType::Year: return std::make_unique<YearText>();
        case ColumnType::Date:
        case ColumnType::NewDate: return std::make_unique<DateText>();
        case ColumnType::Time: return std::make_unique<OldTimeText>(digits);
        case ColumnType::Time2: return std::make_unique<TimeText>(digits);
        case ColumnType::Datetime: return std::make_unique<OldDatetimeText>(digits);
        case ColumnType::Datetime2: return std::make_unique<DatetimeText>(digits);
        case ColumnType::Timestamp: return std::make_unique<OldTimestampText>(digits, zone);
        case ColumnType::Timestamp2: return std::make_unique<TimestampText>(digits, zone);
        case ColumnType::Json: return std::make_unique<JsonText>(format.name);
        case ColumnType::BlobCompressed:
        case ColumnType::VarCharCompressed:
            return std::make_unique<CompressedText>(format.binary, format.charset);
        case ColumnType::Null:
        case ColumnType::Decimal:
        case ColumnType::TypedArray:
        case ColumnType::VarChar:
        case ColumnType::VarString:
        case ColumnType::String:
        case ColumnType::Vector:
        case ColumnType::TinyBlob:
        case ColumnType::MediumBlob:
        case ColumnType::LongBlob:
        case ColumnType::Blob:
        case ColumnType::Geometry: return nullptr;
    }
    return nullptr;
}

}  // namespace obcanal::mysql
