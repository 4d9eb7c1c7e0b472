// The recorded binary log of a MariaDB server, decoded event by event and compared with the entries
// the real Java Canal made of it.
#include "protocol/base/json.h"
#include "protocol/base/text.h"
#include "protocol/mysql/binlog_event.h"
#include "protocol/mysql/cell_text.h"
#include "protocol/mysql/row_cells.h"
#include "protocol/mysql/table_map.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace obcanal::mysql {
namespace {

namespace js = boost::json;

constexpr size_t kMagic = 4;

std::string read_file(const std::string& name) {
    std::ifstream file(std::string(OBCANAL_FIXTURES) + "/binlog/" + name, std::ios::binary);
    EXPECT_TRUE(file) << name;
    return {std::istreambuf_iterator<char>(file), {}};
}

std::string text_of(const js::value& value) { return std::string(value.as_string()); }

// Java's entries by the offset of their event.
std::map<int64_t, js::object> read_entries() {
    std::map<int64_t, js::object> entries;
    std::istringstream lines(read_file("entries.jsonl"));
    for (std::string line; std::getline(lines, line);) {
        auto entry = parse_json(line);
        EXPECT_TRUE(entry.ok());
        const int64_t offset = entry->at("header").at("logfileOffset").as_int64();
        EXPECT_TRUE(entries.emplace(offset, std::move(*entry).as_object()).second);
    }
    return entries;
}

// Text of a cell as Java Canal makes it: binary types byte for byte, everything else as UTF-8.
std::string java_cell_text(const Cell& cell, const MappedColumn& column, const js::object& wanted) {
    const std::string mysql_type = text_of(wanted.at("mysqlType"));
    TextFormat format;
    format.type = column.type;
    format.precision = column.precision;
    format.scale = column.scale;
    format.is_unsigned = mysql_type.find("unsigned") != std::string::npos || mysql_type == "SERIAL";
    if (const auto text = make_cell_text(format)) {
        ReverseWriter out(1024);
        EXPECT_NE(text->write(cell, out), TextOutcome::Malformed) << mysql_type;
        return std::string(as_text(out.bytes()));
    }
    constexpr int64_t kBlob = 2004;
    if (wanted.at("sqlType").as_int64() != kBlob) return repair_utf8(cell.bytes());
    std::string text;
    append_latin1(text, cell.bytes());
    return text;
}

// Returns how many columns were compared.
size_t compare_image(std::span<const Cell> cells, const TableMap& table, const js::array& wanted) {
    size_t next = 0;
    for (size_t i = 0; i < cells.size(); ++i) {
        if (cells[i].state == CellState::Absent) continue;
        if (next == wanted.size()) {
            ADD_FAILURE() << table.table << ": column too many";
            return next;
        }
        const js::object& column = wanted[next++].as_object();
        const std::string name = table.table + "." + text_of(column.at("name"));
        EXPECT_EQ(column.at("index").as_int64(), static_cast<int64_t>(i)) << name;
        EXPECT_EQ(column.at("isNull").as_bool(), cells[i].state == CellState::Null) << name;
        if (cells[i].state == CellState::Null) continue;
        std::string value = text_of(column.at("value"));
        // The recording's Java 17 prints a digit more than the number needs (shortest-float).
        if (value == "1.17549435E-38") value = "1.1754944E-38";
        EXPECT_EQ(value, java_cell_text(cells[i], table.columns[i], column))
            << name << " " << text_of(column.at("mysqlType"));
    }
    EXPECT_EQ(next, wanted.size()) << table.table;
    return next;
}

class GoldenBinlog : public testing::Test {
 protected:
    void SetUp() override {
        log_ = read_file("mysql-bin.000002");
        entries_ = read_entries();
        ASSERT_EQ(as_text(as_bytes(log_).first(kMagic)), "\xFE\x62\x69\x6E");
    }

    // Calls `visit` with each event and its offset.
    template <class Visit>
    void walk(Visit visit) {
        for (size_t at = kMagic; at < log_.size();) {
            const Bytes rest = as_bytes(log_).subspan(at);
            ASSERT_GE(rest.size(), EventHeader::kSize);
            const uint32_t length = EventHeader::read(rest.data()).length;
            ASSERT_LE(length, rest.size());
            const auto event = reader_.read(rest.first(length));
            ASSERT_TRUE(event.ok()) << event.error().detail;
            visit(*event, static_cast<int64_t>(at));
            at += length;
        }
    }

    // The same for row events, with the table they belong to.
    template <class Visit>
    void walk_rows(Visit visit) {
        std::map<uint64_t, TableMap> tables;
        std::string text;
        walk([&](const Event& event, int64_t offset) {
            if (event.header.type == EventType::TableMap) {
                auto table = parse_table_map(event, reader_.format());
                ASSERT_TRUE(table.ok()) << table.error().detail;
                tables[table->id] = *table;
            }
            if (!is_rows_event(event.header.type)) return;
            const auto rows = parse_rows(event, reader_.format(), text);
            ASSERT_TRUE(rows.ok()) << rows.error().detail;
            visit(event, offset, *rows, tables.at(rows->table_id));
        });
    }

    std::string log_;
    std::map<int64_t, js::object> entries_;
    EventReader reader_;
};

TEST_F(GoldenBinlog, RowsAsJavaCanalPrintsThem) {
    size_t rows_seen = 0;
    size_t columns_seen = 0;
    std::set<int64_t> offsets;
    walk_rows([&](const Event& event, int64_t offset, const RowsEvent& rows, const TableMap& table
              ) {
        if (!entries_.contains(offset)) {
            // Sequences: Java has no metadata of them and sends nothing.
            EXPECT_EQ(table.table, "seq1") << offset;
            return;
        }
        const js::object& entry = entries_.at(offset);
        const js::object& header = entry.at("header").as_object();
        EXPECT_EQ(text_of(header.at("schemaName")), table.schema);
        EXPECT_EQ(text_of(header.at("tableName")), table.table);
        EXPECT_EQ(header.at("executeTime").as_int64(), int64_t{event.header.timestamp} * 1000);
        EXPECT_EQ(header.at("eventLength").as_int64(), int64_t{event.header.length});
        EXPECT_EQ(header.at("serverId").as_int64(), int64_t{event.header.server_id});
        const js::object& change = entry.at("rowChange").as_object();
        EXPECT_EQ(change.at("tableId").as_int64(), static_cast<int64_t>(rows.table_id));

        const RowLayout layout(table);
        RowReader reader(rows, layout);
        ASSERT_TRUE(reader.fits());
        std::vector<Cell> before(rows.columns);
        std::vector<Cell> after(rows.columns);
        const size_t in_before = rows.kind != RowsKind::Insert ? before.size() : 0;
        const size_t in_after = rows.kind != RowsKind::Delete ? after.size() : 0;
        const js::array& wanted = change.at("rowDatas").as_array();
        size_t row = 0;
        for (; !reader.at_end(); ++row) {
            ASSERT_LT(row, wanted.size());
            ASSERT_TRUE(reader.next(before, after)) << table.table;
            const js::object& data = wanted[row].as_object();
            columns_seen += compare_image(
                std::span(before).first(in_before), table, data.at("beforeColumns").as_array()
            );
            columns_seen += compare_image(
                std::span(after).first(in_after), table, data.at("afterColumns").as_array()
            );
        }
        EXPECT_EQ(row, wanted.size());
        rows_seen += row;
        offsets.insert(offset);
    });
    // Nothing that Java decoded is missing.
    size_t rows_wanted = 0;
    for (const auto& [offset, entry] : entries_) {
        if (!entry.contains("rowChange")) continue;
        const size_t count = entry.at("rowChange").at("rowDatas").as_array().size();
        rows_wanted += count;
        EXPECT_EQ(offsets.contains(offset), count > 0) << offset;
    }
    EXPECT_EQ(rows_seen, rows_wanted);
    EXPECT_GT(rows_seen, 1400U);
    EXPECT_GT(columns_seen, 4000U);
}

TEST_F(GoldenBinlog, StatementsAndTransactionEnds) {
    size_t statements = 0;
    size_t ends = 0;
    std::string text;
    walk([&](const Event& event, int64_t offset) {
        const auto found = entries_.find(offset);
        if (found == entries_.end()) return;
        const js::object& entry = found->second;
        std::string sql;
        switch (event.header.type) {
            case EventType::Xid: {
                const auto xid = parse_xid(event);
                ASSERT_TRUE(xid.ok());
                EXPECT_EQ(
                    text_of(entry.at("transactionEnd").at("transactionId")), std::to_string(*xid)
                );
                ++ends;
                return;
            }
            case EventType::Query: {
                const auto query = parse_query(event, reader_.format(), text);
                ASSERT_TRUE(query.ok()) << query.error().detail;
                sql = query->sql;
                if (sql == "COMMIT") {
                    EXPECT_EQ(text_of(entry.at("transactionEnd").at("transactionId")), "0");
                    ++ends;
                    return;
                }
                EXPECT_EQ(
                    text_of(entry.at("rowChange").at("ddlSchemaName")), std::string(query->schema)
                );
                EXPECT_NE(query->client_collation, 0);
                break;
            }
            case EventType::AnnotateRows: {
                const auto query = parse_rows_query(event);
                ASSERT_TRUE(query.ok());
                sql = *query;
                break;
            }
            case EventType::IntVar:
            case EventType::UserVar: {
                auto statement = variable_statement(event);
                ASSERT_TRUE(statement.ok()) << statement.error().detail;
                sql = *statement;
                break;
            }
            default: return;
        }
        EXPECT_EQ(text_of(entry.at("rowChange").at("sql")), repair_utf8(as_bytes(sql)))
            << event.text();
        ++statements;
    });
    EXPECT_EQ(ends, 138U);
    EXPECT_GT(statements, 200U);
}

TEST_F(GoldenBinlog, TextInTheColumnsOwnCharacterSet) {
    // Columns of t_cs in order, and what the statement stored.
    struct Column {
        const char* charset;
        const char* text;
    };
    const std::vector<Column> columns{
        {"latin1", "café €"},
        {"gbk", "中文"},
        {"big5", "中文"},
        {"sjis", "日本"},
        {"utf16", "中😀"},
        {"utf32", "中😀"},
        {"ucs2", "中文"},
        {"", "中文"},
        {"ascii", "ascii"},
        {"cp1251", "При"},
        {"koi8r", "При"},
        {"euckr", "한국"},
        {"ujis", "日本"},
        {"gb2312", "中文"},
        {"latin2", "Łódź"},
    };
    size_t seen = 0;
    walk_rows([&](const Event&, int64_t, const RowsEvent& rows, const TableMap& table) {
        if (table.table != "t_cs") return;
        const RowLayout layout(table);
        RowReader reader(rows, layout);
        std::vector<Cell> cells(rows.columns);
        ASSERT_TRUE(reader.next({}, cells));
        for (size_t i = 0; i < columns.size() && cells[1].state == CellState::Value; ++i, ++seen) {
            std::string text(as_text(cells[i + 1].bytes()));
            if (auto decoder = CharsetDecoder::open(columns[i].charset)) {
                text.clear();
                decoder->decode(cells[i + 1].bytes(), text);
            }
            EXPECT_EQ(text, columns[i].text) << columns[i].charset;
        }
    });
    EXPECT_EQ(seen, columns.size());
}

}  // namespace
}  // namespace obcanal::mysql
