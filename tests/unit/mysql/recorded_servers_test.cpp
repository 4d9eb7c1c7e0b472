// Logs recorded from a MySQL 8.0 and a MariaDB 10.11 server, printed line by line and compared with
// what the statements stored. Names, signs and character sets come from the table maps.
#include "protocol/base/text.h"
#include "protocol/mysql/binlog_event.h"
#include "protocol/mysql/cell_text.h"
#include "protocol/mysql/compression.h"
#include "protocol/mysql/row_cells.h"
#include "protocol/mysql/table_map.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

namespace obcanal::mysql {
namespace {

std::string read_file(const std::string& name) {
    std::ifstream file(std::string(OBCANAL_FIXTURES) + "/server_logs/" + name, std::ios::binary);
    EXPECT_TRUE(file) << name;
    return {std::istreambuf_iterator<char>(file), {}};
}

// Long values by their length and their end.
std::string shortened(const std::string& text) {
    if (text.size() <= 200) return text;
    return std::to_string(text.size()) + " bytes .." + text.substr(text.size() - 6);
}

class LogPrinter {
 public:
    explicit LogPrinter(std::vector<uint8_t> old_fractions)
        : old_fractions_(std::move(old_fractions)) {}

    // A line per change, control characters made visible.
    std::vector<std::string> print(const std::string& log) {
        constexpr size_t kMagic = 4;
        for (size_t at = kMagic; at < log.size();) {
            const Bytes rest = as_bytes(log).subspan(at);
            const uint32_t length = EventHeader::read(rest.data()).length;
            const auto event = reader_.read(rest.first(length));
            EXPECT_TRUE(event.ok()) << event.error().detail;
            if (!event) break;
            print_event(*event);
            at += length;
        }
        for (std::string& line : lines_) line = printable(line, line.size());
        return lines_;
    }

 private:
    void print_event(const Event& event) {
        std::string scratch;
        switch (event.header.type) {
            case EventType::Query:
            case EventType::QueryCompressed: {
                const auto query = parse_query(event, reader_.format(), scratch);
                ASSERT_TRUE(query.ok()) << query.error().detail;
                lines_.push_back(
                    event_type_name(event.header.type) + " " + std::string(query->sql.substr(0, 40))
                );
                break;
            }
            case EventType::Xid: lines_.emplace_back("XID"); break;
            case EventType::XaPrepare: {
                const auto prepare = parse_xa_prepare(event);
                ASSERT_TRUE(prepare.ok());
                lines_.push_back(
                    "XA_PREPARE " + prepare->xa_id + (prepare->one_phase ? " one phase" : "")
                );
                break;
            }
            case EventType::Gtid: {
                const auto gtid = parse_gtid(event);
                ASSERT_TRUE(gtid.ok());
                EXPECT_EQ(gtid->gtid.number, ++last_gtid_);
                EXPECT_EQ(gtid->sequence_number, last_gtid_);
                EXPECT_GT(gtid->commit_us / 1'000'000, 1'700'000'000U);
                break;
            }
            case EventType::MariadbGtid: {
                const auto gtid = parse_mariadb_gtid(event);
                ASSERT_TRUE(gtid.ok());
                EXPECT_EQ(gtid->gtid, (MariadbGtid{0, 13377, ++mariadb_sequence_}));
                if (!gtid->xa_id.empty()) lines_.push_back("GTID of " + gtid->xa_id);
                break;
            }
            case EventType::PreviousGtids: EXPECT_TRUE(parse_previous_gtids(event).ok()); break;
            case EventType::MariadbGtidList:
                EXPECT_TRUE(parse_mariadb_gtid_list(event)->empty());
                break;
            case EventType::RowsQuery:
            case EventType::AnnotateRows:
                last_statement_ = *parse_rows_query(event);
                EXPECT_TRUE(
                    last_statement_.starts_with("INSERT") ||
                    last_statement_.starts_with("UPDATE") || last_statement_.starts_with("DELETE")
                ) << last_statement_;
                break;
            case EventType::TableMap: {
                auto table = parse_table_map(event, reader_.format());
                ASSERT_TRUE(table.ok()) << table.error().detail;
                EXPECT_TRUE(table->has_names && table->has_primary_key);
                EXPECT_EQ(*table_map_id(event, reader_.format()), table->id);
                tables_[table->id] = *table;
                break;
            }
            case EventType::TransactionPayload: {
                auto payload = PayloadReader::open(event.body);
                ASSERT_TRUE(payload.ok()) << payload.error().detail;
                lines_.emplace_back("payload:");
                for (;;) {
                    const auto bytes = payload->next();
                    ASSERT_TRUE(bytes.ok()) << bytes.error().detail;
                    if (!*bytes) break;
                    const auto inner = reader_.read_inner(**bytes);
                    ASSERT_TRUE(inner.ok()) << inner.error().detail;
                    print_event(*inner);
                }
                break;
            }
            default:
                if (is_rows_event(event.header.type)) print_rows(event);
                break;
        }
    }

    void print_rows(const Event& event) {
        std::string scratch;
        const auto rows = parse_rows(event, reader_.format(), scratch);
        ASSERT_TRUE(rows.ok()) << rows.error().detail;
        const TableMap& table = tables_.at(rows->table_id);
        const bool old = table.table == "old";
        const RowLayout layout(table, old ? old_fractions_ : std::vector<uint8_t>());
        RowReader reader(*rows, layout);
        ASSERT_TRUE(reader.fits());
        std::vector<Cell> before(rows->columns);
        std::vector<Cell> after(rows->columns);
        while (!reader.at_end()) {
            ASSERT_TRUE(reader.next(before, after));
            std::string line = event_type_name(event.header.type) + " " + table.table;
            if (rows->kind != RowsKind::Insert) line += image(before, table);
            if (rows->kind == RowsKind::Update) line += " ->";
            if (rows->kind != RowsKind::Delete) line += image(after, table);
            lines_.push_back(line);
        }
    }

    std::string image(std::span<const Cell> cells, const TableMap& table) {
        std::string line;
        for (size_t i = 0; i < cells.size(); ++i) {
            if (cells[i].state == CellState::Absent) continue;
            line += " " + table.columns[i].name + "=" + value(cells[i], table.columns[i], i);
        }
        return line;
    }

    std::string value(const Cell& cell, const MappedColumn& column, size_t index) {
        if (cell.state == CellState::Null) return "NULL";
        const std::string charset(charset_of_collation(column.collation));
        const bool old = column.type == ColumnType::Time || column.type == ColumnType::Datetime ||
                         column.type == ColumnType::Timestamp;
        TextFormat format;
        format.type = column.type;
        format.is_unsigned = column.is_unsigned;
        format.precision = column.precision;
        format.scale = old ? old_fractions_.at(index) : column.scale;
        format.name = column.name;
        format.binary = charset == "binary";
        format.charset = charset;
        if (const auto text = make_cell_text(format)) {
            ReverseWriter out(16);
            const TextOutcome outcome = text->write(cell, out);
            EXPECT_NE(outcome, TextOutcome::Malformed) << column.name;
            return shortened(
                std::string(as_text(out.bytes())) + (outcome == TextOutcome::Promoted ? "+" : "")
            );
        }
        if (charset == "binary" || charset.empty()) return "x" + to_hex(cell.bytes());
        auto decoder = CharsetDecoder::open(charset);
        std::string text(as_text(cell.bytes()));
        if (decoder) {
            text.clear();
            decoder->decode(cell.bytes(), text);
        }
        return "'" + shortened(text) + "'";
    }

    std::vector<uint8_t> old_fractions_;
    EventReader reader_;
    std::map<uint64_t, TableMap> tables_;
    std::vector<std::string> lines_;
    std::string last_statement_;
    int64_t last_gtid_ = 0;
    uint64_t mariadb_sequence_ = 0;
};

// What the statements of the recording stored, written down by hand.
std::vector<std::string> read_lines(const std::string& name) {
    std::ifstream file("tests/unit/mysql/recorded/" + name);
    EXPECT_TRUE(file) << name;
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
}

void expect_lines(const std::vector<std::string>& got, const std::vector<std::string>& wanted) {
    ASSERT_FALSE(wanted.empty());
    for (size_t i = 0; i < std::max(got.size(), wanted.size()); ++i) {
        EXPECT_EQ(
            i < got.size() ? got[i] : "(nothing)", i < wanted.size() ? wanted[i] : "(nothing)"
        ) << "line "
          << i + 1;
    }
}

TEST(RecordedServers, Mysql80) {
    LogPrinter printer({});
    expect_lines(printer.print(read_file("mysql-8.0.binlog")), read_lines("mysql-8.0.txt"));
}

TEST(RecordedServers, Mariadb1011) {
    // Fraction digits of the table `old`, as its definition has them.
    LogPrinter printer({0, 0, 1, 3, 6, 0, 2, 3, 6, 0, 1, 4, 6});
    expect_lines(printer.print(read_file("mariadb-10.11.binlog")), read_lines("mariadb-10.11.txt"));
}

}  // namespace
}  // namespace obcanal::mysql
