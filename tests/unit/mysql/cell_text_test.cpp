// Texts of cells: the golden cases of Java Canal (conf/DIFFERENCES.md names the exceptions). Cells
// are given as the bytes that stand in the log.
#include "protocol/mysql/cell_text.h"

#include "protocol/base/text.h"
#include "protocol/mysql/java_number.h"

#include <gtest/gtest.h>

#include <bit>
#include <limits>

namespace obcanal::mysql {
namespace {

struct Outcome {
    std::string text;
    TextOutcome outcome;
};

Outcome render(const TextFormat& format, const std::string& hex) {
    const std::string bytes = *from_hex(hex);
    const auto text = make_cell_text(format);
    if (!text) return {"no text of its own", TextOutcome::Malformed};
    ReverseWriter out(16);
    const Cell cell{as_bytes(bytes).data(), static_cast<uint32_t>(bytes.size()), CellState::Value};
    const TextOutcome outcome = text->write(cell, out);
    return {std::string(as_text(out.bytes())), outcome};
}

std::string text_of(const TextFormat& format, const std::string& hex) {
    const Outcome outcome = render(format, hex);
    return outcome.outcome == TextOutcome::Malformed ? "malformed" : outcome.text;
}

TextFormat of(ColumnType type, uint8_t scale = 0) { return {.type = type, .scale = scale}; }

TextFormat decimal(uint8_t precision, uint8_t scale) {
    return {.type = ColumnType::NewDecimal, .precision = precision, .scale = scale};
}

void expect_unsigned(ColumnType type, const char* hex, const char* text, TextOutcome outcome) {
    const Outcome got = render({.type = type, .is_unsigned = true}, hex);
    EXPECT_EQ(got.text, text);
    EXPECT_EQ(got.outcome, outcome) << text;
}

TEST(CellText, Integers) {
    EXPECT_EQ(text_of(of(ColumnType::Tiny), "ff"), "-1");
    EXPECT_EQ(text_of(of(ColumnType::Tiny), "80"), "-128");
    EXPECT_EQ(text_of(of(ColumnType::Short), "0080"), "-32768");
    EXPECT_EQ(text_of(of(ColumnType::Int24), "000080"), "-8388608");
    EXPECT_EQ(text_of(of(ColumnType::Int24), "ffffff"), "-1");
    EXPECT_EQ(text_of(of(ColumnType::Long), "00000080"), "-2147483648");
    EXPECT_EQ(text_of(of(ColumnType::LongLong), "0000000000000080"), "-9223372036854775808");
    EXPECT_EQ(text_of(of(ColumnType::LongLong), "ffffffffffffff7f"), "9223372036854775807");
    EXPECT_EQ(text_of(of(ColumnType::Long), "00000000"), "0");
    EXPECT_EQ(text_of(of(ColumnType::Long), "64000000"), "100");
    EXPECT_EQ(text_of(of(ColumnType::Long), "e7030000"), "999");
    EXPECT_EQ(text_of(of(ColumnType::Long), "0000"), "malformed");

    const TextOutcome promoted = TextOutcome::Promoted;
    expect_unsigned(ColumnType::Tiny, "c8", "200", promoted);
    expect_unsigned(ColumnType::Tiny, "64", "100", TextOutcome::Normal);
    expect_unsigned(ColumnType::Short, "ffff", "65535", promoted);
    expect_unsigned(ColumnType::Int24, "ffffff", "16777215", promoted);
    expect_unsigned(ColumnType::Long, "ffffffff", "4294967295", promoted);
    expect_unsigned(ColumnType::Long, "ffffff7f", "2147483647", TextOutcome::Normal);
    expect_unsigned(ColumnType::LongLong, "ffffffffffffffff", "18446744073709551615", promoted);
}

TEST(CellText, Decimals) {
    EXPECT_EQ(text_of(decimal(10, 2), "8000000000"), "0.0");
    EXPECT_EQ(text_of(decimal(10, 2), "8000000100"), "1.0");
    EXPECT_EQ(text_of(decimal(10, 2), "8000006400"), "100.0");
    EXPECT_EQ(text_of(decimal(10, 2), "7ffffffecd"), "-1.50");
    EXPECT_EQ(text_of(decimal(10, 0), "8000000001"), "1");
    EXPECT_EQ(text_of(decimal(10, 0), "7ffffffffe"), "-1");
    EXPECT_EQ(text_of(decimal(20, 9), "80000000000000000000"), "malformed");
    EXPECT_EQ(text_of(decimal(20, 9), "800000000000000000"), "0.000000000");
    EXPECT_EQ(text_of(decimal(20, 10), "80000000010000000000"), "1.000000000");
    EXPECT_EQ(text_of(decimal(20, 10), "80000000000000000001"), "0.0000000001");
    EXPECT_EQ(text_of(decimal(2, 2), "85"), "0.05");
    EXPECT_EQ(text_of(decimal(9, 0), "800003e9"), "1001");
    EXPECT_EQ(text_of(decimal(18, 0), "8000000100000002"), "1000000002");
    EXPECT_EQ(text_of(decimal(9, 0), "80000000"), "0");
    // decimal(65,30): 35 and 30 digits of 9.
    const std::string group = "3b9ac9ff";
    EXPECT_EQ(
        text_of(
            decimal(65, 30), "85f5e0ff" + group + group + group + group + group + group + "03e7"
        ),
        std::string(35, '9') + "." + std::string(30, '9')
    );
    // A group above 999,999,999 is no decimal.
    EXPECT_EQ(text_of(decimal(18, 0), "bb9aca0000000000"), "malformed");
}

TEST(CellText, FloatingPoint) {
    const auto as_float = [](float value) {
        const auto bits = std::bit_cast<uint32_t>(value);
        return text_of(
            of(ColumnType::Float), to_hex({reinterpret_cast<const std::byte*>(&bits), 4})
        );
    };
    const auto as_double = [](double value) {
        const auto bits = std::bit_cast<uint64_t>(value);
        return text_of(
            of(ColumnType::Double), to_hex({reinterpret_cast<const std::byte*>(&bits), 8})
        );
    };
    EXPECT_EQ(as_float(3.14F), "3.14");
    EXPECT_EQ(as_float(1e7F), "1.0E7");
    EXPECT_EQ(as_float(16777216.0F), "1.6777216E7");
    EXPECT_EQ(as_float(std::numeric_limits<float>::max()), "3.4028235E38");
    EXPECT_EQ(as_float(std::numeric_limits<float>::denorm_min()), "1.4E-45");
    EXPECT_EQ(as_float(1.17549435E-38F), "1.1754944E-38");
    EXPECT_EQ(as_double(1.0), "1.0");
    EXPECT_EQ(as_double(0.001), "0.001");
    EXPECT_EQ(as_double(9.99e-4), "9.99E-4");
    EXPECT_EQ(as_double(9999999.0), "9999999.0");
    EXPECT_EQ(as_double(1e7), "1.0E7");
    EXPECT_EQ(as_double(123456789.125), "1.23456789125E8");
    EXPECT_EQ(as_double(1234567.5), "1234567.5");
    EXPECT_EQ(as_double(100.0), "100.0");
    EXPECT_EQ(as_double(0.5), "0.5");
    EXPECT_EQ(as_double(0.0123), "0.0123");
    EXPECT_EQ(as_double(0.0), "0.0");
    EXPECT_EQ(as_double(-0.0), "-0.0");
    EXPECT_EQ(as_double(-1e100), "-1.0E100");
    EXPECT_EQ(as_double(2e23), "2.0E23");
    EXPECT_EQ(as_double(4.9e-324), "4.9E-324");
    EXPECT_EQ(as_double(1e-323), "9.9E-324");
    EXPECT_EQ(as_double(1.7976931348623157e308), "1.7976931348623157E308");
    EXPECT_EQ(as_double(2.2250738585072014e-308), "2.2250738585072014E-308");
    EXPECT_EQ(as_double(0.1 + 0.2), "0.30000000000000004");
    EXPECT_EQ(as_double(std::numeric_limits<double>::infinity()), "Infinity");
    EXPECT_EQ(as_double(-std::numeric_limits<double>::infinity()), "-Infinity");
    EXPECT_EQ(as_double(std::numeric_limits<double>::quiet_NaN()), "NaN");
}

TEST(CellText, BitsAndMembers) {
    EXPECT_EQ(text_of(of(ColumnType::Bit), "01"), "1");
    EXPECT_EQ(text_of(of(ColumnType::Bit), "03ff"), "1023");
    EXPECT_EQ(text_of(of(ColumnType::Bit), "ffffffffffffffff"), "18446744073709551615");
    EXPECT_EQ(text_of(of(ColumnType::Enum), "02"), "2");
    EXPECT_EQ(text_of(of(ColumnType::Enum), "00"), "0");
    EXPECT_EQ(text_of(of(ColumnType::Enum), "2c01"), "300");
    EXPECT_EQ(text_of(of(ColumnType::Set), "05"), "5");
    EXPECT_EQ(text_of(of(ColumnType::Set), "0000000000000080"), "9223372036854775808");
    EXPECT_EQ(text_of(of(ColumnType::Year), "00"), "0000");
    EXPECT_EQ(text_of(of(ColumnType::Year), "ff"), "2155");
}

TEST(CellText, Dates) {
    EXPECT_EQ(text_of(of(ColumnType::Date), "000000"), "0000-00-00");
    EXPECT_EQ(text_of(of(ColumnType::Date), "00d00f"), "2024-00-00");
    EXPECT_EQ(text_of(of(ColumnType::Date), "5dd00f"), "2024-02-29");
    EXPECT_EQ(text_of(of(ColumnType::Datetime2), "8000000000"), "0000-00-00 00:00:00");
    EXPECT_EQ(text_of(of(ColumnType::Datetime2, 3), "80000000000000"), "0000-00-00 00:00:00.000");
    EXPECT_EQ(
        text_of(of(ColumnType::Datetime2, 6), "99b2bb7efa00007b"), "2024-02-29 23:59:58.000123"
    );
    EXPECT_EQ(text_of(of(ColumnType::Datetime2, 2), "99b2bb7efa32"), "2024-02-29 23:59:58.50");
    EXPECT_EQ(text_of(of(ColumnType::Datetime2, 1), "99b2bb7efa32"), "2024-02-29 23:59:58.5");
}

TEST(CellText, Times) {
    EXPECT_EQ(text_of(of(ColumnType::Time2), "4b9105"), "-838:59:59");
    EXPECT_EQ(text_of(of(ColumnType::Time2), "800000"), "00:00:00");
    EXPECT_EQ(text_of(of(ColumnType::Time2, 2), "7fffffff"), "-00:00:00.01");
    EXPECT_EQ(text_of(of(ColumnType::Time2, 2), "7ffffef6"), "-00:00:01.10");
    EXPECT_EQ(text_of(of(ColumnType::Time2, 3), "8640001388"), "100:00:00.500");
    EXPECT_EQ(text_of(of(ColumnType::Time2, 6), "7fffffffffff"), "-00:00:00.000001");
}

TEST(CellText, Timestamps) {
    TextFormat format = of(ColumnType::Timestamp2, 3);
    format.zone = *TimeZone::open("+08:00");
    EXPECT_EQ(text_of(format, "6553f10004b0"), "2023-11-15 06:13:20.120");
    format.scale = 0;
    EXPECT_EQ(text_of(format, "6553f100"), "2023-11-15 06:13:20");
    EXPECT_EQ(text_of(format, "00000000"), "0000-00-00 00:00:00");
    format.scale = 2;
    EXPECT_EQ(text_of(format, "0000000000"), "0000-00-00 00:00:00.00");
    format.scale = 0;
    format.zone = *TimeZone::open("America/New_York");
    EXPECT_EQ(text_of(format, "656e5280"), "2023-12-04 17:28:16");  // standard time
    EXPECT_EQ(text_of(format, "64b00e80"), "2023-07-13 10:47:28");  // summer time
    EXPECT_EQ(text_of(format, "6503d180"), "2023-09-14 23:37:36");
}

// The formats before MySQL 5.6; with fractions as MariaDB has them.
TEST(CellText, OldTemporalFormats) {
    EXPECT_EQ(text_of(of(ColumnType::Time), "40420f"), "100:00:00");
    EXPECT_EQ(text_of(of(ColumnType::Time), "ffffff"), "-00:00:01");
    EXPECT_EQ(text_of(of(ColumnType::Timestamp), "00f15365"), "2023-11-14 22:13:20");
    EXPECT_EQ(text_of(of(ColumnType::Datetime), "f67cac8b68120000"), "2024-02-29 23:59:58");
}

TEST(CellText, StringsAreTheirOwnText) {
    for (const ColumnType type :
         {ColumnType::VarChar,
          ColumnType::String,
          ColumnType::Blob,
          ColumnType::Geometry,
          ColumnType::Vector})
        EXPECT_EQ(make_cell_text(of(type)), nullptr);
}

}  // namespace
}  // namespace obcanal::mysql
