// Table maps, row images and what hostile bytes make of them.
#include "protocol/mysql/row_cells.h"

#include "protocol/base/text.h"
#include "protocol/mysql/table_map.h"
#include "tests/unit/mysql/log_writer.h"

#include <gtest/gtest.h>

#include <vector>

namespace obcanal::mysql {
namespace {

BinlogFormat format_of_server() {
    EventReader reader;
    EXPECT_TRUE(reader.read(as_bytes(format_bytes("8.0.33"))).ok());
    return reader.format();
}

// Columns: INT, VARCHAR(20), JSON, DECIMAL(10,2), nullable but the first.
std::string table_map_body(const std::string& metadata = "") {
    std::string body;
    append_le(body, 77, 6);
    append_le(body, 1, 2);
    body += std::string(
        "\x02"
        "db\0\x01"
        "t\0",
        7
    );
    body += *from_hex("04030ff5f6051400040a020e");
    return body + metadata;
}

TableMap table() {
    const std::string body = table_map_body();
    const auto parsed = parse_table_map(event_of(EventType::TableMap, body), format_of_server());
    EXPECT_TRUE(parsed.ok());
    return *parsed;
}

std::string rows_body(const std::string& hex, bool extra = true) {
    std::string body;
    append_le(body, 77, 6);
    append_le(body, 1, 2);
    if (extra) body += std::string("\x05\x00\x01\x02\x03", 5);
    return body + *from_hex(hex);
}

std::string printed(std::span<const Cell> cells) {
    std::string text;
    for (const Cell& cell : cells) {
        switch (cell.state) {
            case CellState::Value: text += to_hex(cell.bytes()); break;
            case CellState::Null: text += "null"; break;
            case CellState::Absent: text += "absent"; break;
            case CellState::Difference: text += "diff:" + to_hex(cell.bytes()); break;
            case CellState::Unknown: text += "unknown"; break;
        }
        text += ' ';
    }
    return text;
}

// One row as "before -> after"; "malformed" when it cannot be read.
std::string first_row(EventType type, const std::string& body) {
    std::string scratch;
    const Event event = event_of(type, body);
    const auto rows = parse_rows(event, format_of_server(), scratch);
    if (!rows) return rows.error().detail;
    const TableMap map = table();
    const RowLayout layout(map);
    RowReader reader(*rows, layout);
    if (!reader.fits()) return "does not fit";
    std::vector<Cell> before(4);
    std::vector<Cell> after(4);
    if (reader.at_end() || !reader.next(before, after)) return "malformed";
    std::string text = rows->kind == RowsKind::Insert ? "" : printed(before);
    if (rows->kind != RowsKind::Delete) text += "-> " + printed(after);
    return text + (reader.at_end() ? "." : "+");
}

TEST(TableMap, ColumnsAndTypes) {
    const TableMap map = table();
    EXPECT_EQ(map.id, 77U);
    EXPECT_EQ(map.schema, "db");
    EXPECT_EQ(map.table, "t");
    ASSERT_EQ(map.columns.size(), 4U);
    EXPECT_EQ(map.columns[1].type, ColumnType::VarChar);
    EXPECT_EQ(map.columns[1].length, 20U);
    EXPECT_EQ(map.columns[2].length, 4U);
    EXPECT_EQ(map.columns[3].precision, 10);
    EXPECT_EQ(map.columns[3].scale, 2);
    EXPECT_FALSE(map.columns[0].nullable);
    EXPECT_TRUE(map.columns[3].nullable);
    EXPECT_FALSE(map.has_names);
}

TEST(TableMap, EveryCutIsAnError) {
    const std::string whole = table_map_body();
    for (size_t size = 0; size < whole.size(); ++size) {
        const std::string cut = whole.substr(0, size);
        EXPECT_FALSE(parse_table_map(event_of(EventType::TableMap, cut), format_of_server()).ok());
    }
}

TEST(TableMap, BadColumnsAreNamed) {
    const auto error = [](const std::string& types, const std::string& details) {
        std::string body;
        append_le(body, 77, 6);
        append_le(body, 1, 2);
        body += std::string(
            "\x02"
            "db\0\x01"
            "t\0",
            7
        );
        append_le(body, types.size() / 2, 1);
        body += *from_hex(types);
        append_le(body, details.size() / 2, 1);
        body += *from_hex(details) + std::string(1, '\0');
        const auto map = parse_table_map(event_of(EventType::TableMap, body), format_of_server());
        return map ? "no error" : map.error().detail;
    };
    EXPECT_EQ(error("0b", ""), "no error");
    const std::string where = "TABLE_MAP ending at 0: db.t: ";
    EXPECT_EQ(error("c8", ""), where + "column 1 (type 200): unknown type");
    EXPECT_EQ(error("0314", "fc"), where + "column 2 (typed array): unknown type");
    EXPECT_EQ(error("f6", "0002"), where + "column 1 (DECIMAL): bad precision");
    EXPECT_EQ(error("f6", "0203"), where + "column 1 (DECIMAL): bad precision");
    EXPECT_EQ(error("12", "07"), where + "column 1 (DATETIME): bad fraction");
    EXPECT_EQ(error("10", "0109"), where + "column 1 (BIT): bad width");
    EXPECT_EQ(error("fe", "f703"), where + "column 1 (ENUM): bad width");
    EXPECT_EQ(error("fe", "f809"), where + "column 1 (SET): bad width");
    EXPECT_EQ(error("fc", "05"), where + "column 1 (BLOB): bad length size");
    EXPECT_EQ(error("0f", "14"), where + "column metadata truncated");
}

TEST(TableMap, LongCharHidesItsLengthInTheType) {
    std::string body;
    append_le(body, 77, 6);
    append_le(body, 1, 2);
    body += std::string(
        "\x02"
        "db\0\x01"
        "t\0",
        7
    );
    body += *from_hex("01fe02eefc00");  // CHAR(255) of utf8mb4: 1020 bytes, not 252
    const auto map = parse_table_map(event_of(EventType::TableMap, body), format_of_server());
    ASSERT_TRUE(map.ok()) << map.error().detail;
    EXPECT_EQ(map->columns[0].type, ColumnType::String);
    EXPECT_EQ(map->columns[0].length, 508U);
}

TEST(TableMap, BrokenMetadataIsAnError) {
    EXPECT_FALSE(parse_table_map(
                     event_of(EventType::TableMap, table_map_body(*from_hex("0405026964"))),
                     format_of_server()
    )
                     .ok());
    const std::string names = *from_hex("04090269640176016a0164");
    const std::string body = table_map_body(names);
    const auto map = parse_table_map(event_of(EventType::TableMap, body), format_of_server());
    ASSERT_TRUE(map.ok()) << map.error().detail;
    EXPECT_EQ(map->columns[0].name, "id");
    EXPECT_EQ(map->columns[3].name, "d");
    // A kind of a later server is passed over.
    const std::string later = table_map_body("\x40\x02xy" + names);
    EXPECT_TRUE(parse_table_map(event_of(EventType::TableMap, later), format_of_server())->has_names
    );
}

TEST(Collations, CharacterSets) {
    EXPECT_EQ(charset_of_collation(8), "latin1");
    EXPECT_EQ(charset_of_collation(28), "gbk");
    EXPECT_EQ(charset_of_collation(45), "utf8mb4");
    EXPECT_EQ(charset_of_collation(63), "binary");
    EXPECT_EQ(charset_of_collation(255), "utf8mb4");
    EXPECT_EQ(charset_of_collation(1071), "latin1");   // MariaDB: latin1_nopad_bin
    EXPECT_EQ(charset_of_collation(2304), "utf8mb4");  // MariaDB: utf8mb4_uca1400_ai_ci
    EXPECT_EQ(charset_of_collation(100), "");
}

TEST(RowCells, Images) {
    EXPECT_EQ(
        first_row(EventType::WriteRows, rows_body("04ff00010000000261620200000004018000000132")),
        "-> 01000000 6162 0401 8000000132 ."
    );
    EXPECT_EQ(
        first_row(EventType::WriteRowsV1, rows_body("040f0e01000000", false)),
        "-> 01000000 null null null ."
    );
    EXPECT_EQ(
        first_row(EventType::DeleteRows, rows_body("040500010000000000000000")),
        "01000000 absent  absent +"
    );
    // Minimal images: the key before, what changed after.
    EXPECT_EQ(
        first_row(EventType::UpdateRows, rows_body("04010a0001000000020178")),
        "01000000 absent absent absent -> absent 78 absent null ."
    );
}

TEST(RowCells, PartialJson) {
    // Options, a bit per JSON column whether it is in the image or not, then the image.
    EXPECT_EQ(
        first_row(
            EventType::PartialUpdateRows, rows_body("04010500010000000101000200000003000000020324")
        ),
        "01000000 absent absent absent -> 02000000 absent diff:020324 absent ."
    );
    EXPECT_EQ(
        first_row(
            EventType::PartialUpdateRows, rows_body("0401050001000000000002000000020000000401")
        ),
        "01000000 absent absent absent -> 02000000 absent 0401 absent ."
    );
}

TEST(RowCells, CutsAndLies) {
    const std::string whole = "04ff00010000000261620200000004018000000132";
    for (size_t size = 4; size < whole.size(); size += 2)
        EXPECT_EQ(first_row(EventType::WriteRows, rows_body(whole.substr(0, size))), "malformed");
    EXPECT_EQ(first_row(EventType::WriteRows, rows_body("03ff00")), "does not fit");
    EXPECT_EQ(
        first_row(EventType::WriteRows, rows_body("04")), "WRITE_ROWS ending at 0: truncated"
    );
    EXPECT_EQ(
        first_row(EventType::WriteRows, rows_body("fdffffff")), "WRITE_ROWS ending at 0: truncated"
    );
    // A length beyond the event.
    EXPECT_EQ(first_row(EventType::WriteRows, rows_body("040f0001000000ff")), "malformed");
    EXPECT_EQ(first_row(EventType::WriteRows, rows_body("040400ffffffff00")), "malformed");
    EXPECT_EQ(first_row(EventType::Query, ""), "QUERY ending at 0: has no rows");
}

// A row that takes no bytes would be there without end.
TEST(RowCells, RowsWithoutBytes) {
    EXPECT_EQ(first_row(EventType::WriteRows, rows_body("0400ff")), "malformed");
}

TEST(RowCells, ExtraFieldShorterThanItself) {
    std::string body = rows_body("04ff00");
    body[8] = 1;
    EXPECT_EQ(first_row(EventType::WriteRows, body), "WRITE_ROWS ending at 0: truncated");
}

}  // namespace
}  // namespace obcanal::mysql
