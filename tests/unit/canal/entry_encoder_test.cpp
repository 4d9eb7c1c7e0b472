// The protobuf library is the oracle: an Entry built with generated code must be the encoder's
// bytes.
#include "protocol/canal/entry_encoder.h"

#include "protocol/base/text.h"
#include "protocol/canal/entry.pb.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <string>
#include <vector>

namespace obcanal::canal {
namespace {

namespace pb = obcanal::pb::entry;

// Cells whose bytes have the readable padding in front that the encoder relies on.
class CellArena {
 public:
    Cell value(std::string_view text) {
        texts_.push_back(std::string(kCellPadding, '#') + std::string(text));
        const Bytes bytes = as_bytes(texts_.back()).subspan(kCellPadding);
        return {bytes.data(), static_cast<uint32_t>(bytes.size()), CellState::Value};
    }

    Cell null() { return {value("").data, 0, CellState::Null}; }
    Cell unknown() { return {value("").data, 0, CellState::Unknown}; }

 private:
    std::deque<std::string> texts_;
};

struct Fixture {
    TableSpec spec;
    EventMark mark{265433, 1714521601232, 984};
    TxnMark txn{"1002_1003_5000002", 1714521601232522, 1714521599997955, true};
};

std::string expected_value(const ColumnSpec& column, const Cell& cell) {
    const Bytes bytes{cell.data, cell.size};
    if (column.kind != ValueKind::Latin1)
        return is_utf8(bytes) ? std::string(as_text(bytes)) : repair_utf8(bytes);
    std::string out;
    append_latin1(out, bytes);
    return out;
}

void fill_column(pb::Column& to, const ColumnSpec& column, const Cell& cell, bool updated) {
    to.set_index(column.index);
    int32_t type = column.sql_type;
    if (cell.state != CellState::Value) type = column.null_sql_type;
    if (cell.state == CellState::Value) {
        const auto number = parse_uint(as_text({cell.data, cell.size}));
        if (number && *number > column.promote_above) type = column.promoted_sql_type;
    }
    to.set_sqltype(type);
    to.set_name(column.name);
    to.set_iskey(column.is_key);
    to.set_updated(updated);
    to.set_isnull(cell.state != CellState::Value);
    if (cell.state == CellState::Unknown) {
        auto* prop = to.add_props();
        prop->set_key("unknown");
        prop->set_value("true");
    }
    if (column.unique_key) {
        auto* prop = to.add_props();
        prop->set_key("uniqueKey");
        prop->set_value("true");
    }
    if (cell.state == CellState::Value) to.set_value(expected_value(column, cell));
    to.set_mysqltype(column.mysql_type);
}

bool equal_cells(const Cell& a, const Cell& b) {
    return a.state == b.state && as_text({a.data, a.size}) == as_text({b.data, b.size});
}

void fill_header(pb::Header& to, const EventMark& mark, const std::string& gtid) {
    to.set_version(1);
    to.set_logfilename("LogProxyMessageFile");
    to.set_logfileoffset(mark.offset);
    to.set_serverencode("UTF-8");
    to.set_executetime(mark.execute_ms);
    to.set_sourcetype(pb::MYSQL);
    to.set_eventlength(mark.event_length);
    to.set_gtid(gtid);
}

std::string expected_rows(const Fixture& fixture, const RowsChange& change) {
    pb::RowChange rows;
    rows.set_eventtype(static_cast<pb::EventType>(change.kind));
    rows.set_isddl(false);
    for (const RowImages& images : change.rows) {
        pb::RowData* row = rows.add_rowdatas();
        for (size_t i = 0; i < images.before.size(); ++i) {
            fill_column(
                *row->add_beforecolumns(), fixture.spec.columns[i], images.before[i], false
            );
        }
        for (size_t i = 0; i < images.after.size(); ++i) {
            const bool updated =
                change.kind == RowKind::Insert || !equal_cells(images.before[i], images.after[i]);
            fill_column(
                *row->add_aftercolumns(), fixture.spec.columns[i], images.after[i], updated
            );
        }
    }
    pb::Entry entry;
    fill_header(*entry.mutable_header(), change.mark, std::string(fixture.txn.id));
    entry.mutable_header()->set_schemaname(fixture.spec.schema);
    entry.mutable_header()->set_tablename(fixture.spec.table);
    entry.mutable_header()->set_eventtype(static_cast<pb::EventType>(change.kind));
    auto* count = entry.mutable_header()->add_props();
    count->set_key("rowsCount");
    count->set_value(std::to_string(change.rows.size()));
    if (!change.row_id.empty()) {
        auto* id = entry.mutable_header()->add_props();
        id->set_key("rowId");
        id->set_value(std::string(change.row_id));
    }
    entry.set_entrytype(pb::ROWDATA);
    entry.set_storevalue(rows.SerializeAsString());
    return entry.SerializeAsString();
}

// The Entry inside `0x12 varint(len) Entry`.
std::string unwrap(Bytes record) {
    ByteReader reader(record);
    EXPECT_EQ(reader.u8(), 0x12);
    const uint64_t size = reader.varint();
    EXPECT_EQ(size, reader.remaining());
    return std::string(reader.text(reader.remaining()));
}

Fixture shop_table() {
    Fixture fixture;
    fixture.spec.schema = "mydb";
    fixture.spec.table = "orders";
    fixture.spec.columns.push_back(
        {.index = 0,
         .name = "order_id",
         .mysql_type = "int",
         .sql_type = 4,
         .null_sql_type = 4,
         .is_key = true}
    );
    fixture.spec.columns.push_back(
        {.index = 1,
         .name = "客户名",
         .mysql_type = "varchar(255)",
         .sql_type = 12,
         .null_sql_type = 12}
    );
    fixture.spec.columns.push_back(
        {.index = 3,
         .name = "amount",
         .mysql_type = "int unsigned",
         .sql_type = 4,
         .null_sql_type = 4,
         .promote_above = 2147483647,
         .promoted_sql_type = -5}
    );
    fixture.spec.columns.push_back(
        {.index = 4,
         .name = "picture",
         .mysql_type = "blob",
         .sql_type = 2004,
         .null_sql_type = 2004,
         .kind = ValueKind::Latin1}
    );
    return fixture;
}

TEST(EntryEncoder, UpdateSharesUnchangedColumnsAndMarksChangedOnes) {
    const Fixture fixture = shop_table();
    const TablePlan plan(fixture.spec);
    CellArena cells;
    const std::vector<Cell> before{
        cells.value("10020"), cells.value("佐藤"), cells.null(), cells.unknown()
    };
    const std::vector<Cell> after{
        cells.value("10020"),
        cells.value("Bob \"the\" Builder"),
        cells.value("4294967295"),
        cells.unknown()
    };
    const RowImages images{before, after};
    const RowsChange change{&plan, RowKind::Update, {&images, 1}, fixture.mark, "", 1};
    EntryEncoder encoder("LogProxyMessageFile");
    encoder.encode(TxnBegin{fixture.mark, fixture.txn, 1});
    EXPECT_EQ(unwrap(encoder.encode(change)), expected_rows(fixture, change));
}

// Widened values are larger than their cells, so what was reserved for the cells is not enough.
TEST(EntryEncoder, LargeConvertedValuesFitIntoBothImages) {
    const Fixture fixture = shop_table();
    const TablePlan plan(fixture.spec);
    EntryEncoder encoder("LogProxyMessageFile");
    encoder.encode(TxnBegin{fixture.mark, fixture.txn, 1});
    for (const size_t size : {100U, 5'000U, 200'000U, 1'500'000U}) {
        CellArena cells;
        const std::string picture(size, '\xff');
        const std::string text(size, 'x');
        const Cell number = cells.value("1");
        const std::vector<Cell> before{
            number, cells.value(text), cells.value("7"), cells.value(picture)
        };
        const std::vector<Cell> after{
            number, cells.value(text), cells.value("8"), cells.value(picture)
        };
        const std::vector<RowImages> rows{{before, after}, {after, before}};
        const RowsChange change{&plan, RowKind::Update, rows, fixture.mark, "", 1};
        EXPECT_TRUE(unwrap(encoder.encode(change)) == expected_rows(fixture, change)) << size;
    }
}

TEST(EntryEncoder, PromotionFollowsTheValue) {
    const Fixture fixture = shop_table();
    const TablePlan plan(fixture.spec);
    EntryEncoder encoder("LogProxyMessageFile");
    encoder.encode(TxnBegin{fixture.mark, fixture.txn, 1});
    for (const auto& [text, type] : std::vector<std::pair<std::string, int>>{
             {"0", 4},
             {"2147483647", 4},
             {"2147483648", -5},
             {"4294967295", -5},
             {"", 4},
             {"-1", 4},
             {"x", 4},
             {"99999999999999999999999", 4}
         }) {
        CellArena cells;
        const std::vector<Cell> after{
            cells.value("1"), cells.null(), cells.value(text), cells.null()
        };
        const RowImages images{{}, after};
        const RowsChange change{&plan, RowKind::Insert, {&images, 1}, fixture.mark, "", 1};
        pb::Entry entry;
        ASSERT_TRUE(entry.ParseFromString(unwrap(encoder.encode(change))));
        pb::RowChange rows;
        ASSERT_TRUE(rows.ParseFromString(entry.storevalue()));
        EXPECT_EQ(rows.rowdatas(0).aftercolumns(2).sqltype(), type) << text;
    }
}

TEST(EntryEncoder, BoundariesCarryTheTransactionId) {
    const Fixture fixture;
    EntryEncoder encoder("LogProxyMessageFile");
    pb::Entry begin;
    fill_header(*begin.mutable_header(), fixture.mark, std::string(fixture.txn.id));
    begin.set_entrytype(pb::TRANSACTIONBEGIN);
    pb::TransactionBegin begin_body;
    begin_body.set_transactionid(std::string(fixture.txn.id));
    begin_body.set_threadid(77);
    begin.set_storevalue(begin_body.SerializeAsString());
    EXPECT_EQ(
        unwrap(encoder.encode(TxnBegin{fixture.mark, fixture.txn, 77})), begin.SerializeAsString()
    );

    pb::Entry end = begin;
    end.set_entrytype(pb::TRANSACTIONEND);
    pb::TransactionEnd end_body;
    end_body.set_transactionid(std::string(fixture.txn.id));
    end.set_storevalue(end_body.SerializeAsString());
    EXPECT_EQ(unwrap(encoder.encode(TxnEnd{fixture.mark})), end.SerializeAsString());
}

TEST(EntryEncoder, DdlKeepsItsTextAndRepairsForeignBytes) {
    const Fixture fixture;
    EntryEncoder encoder("LogProxyMessageFile");
    DdlChange change;
    change.mark = fixture.mark;
    change.txn = fixture.txn;
    change.type = EventType::Alter;
    change.schema = "mydb";
    change.table = "orders";
    change.sql = "alter table orders comment '\xff'";
    change.default_schema = "mydb";
    pb::Entry entry;
    ASSERT_TRUE(entry.ParseFromString(unwrap(encoder.encode(change))));
    EXPECT_EQ(entry.header().eventtype(), pb::ALTER);
    EXPECT_EQ(entry.header().schemaname(), "mydb");
    EXPECT_EQ(entry.header().tablename(), "orders");
    pb::RowChange rows;
    ASSERT_TRUE(rows.ParseFromString(entry.storevalue()));
    EXPECT_TRUE(rows.isddl());
    EXPECT_EQ(rows.sql(), "alter table orders comment '\xEF\xBF\xBD'");
    EXPECT_EQ(rows.ddlschemaname(), "mydb");
    EXPECT_EQ(entry.SerializeAsString(), unwrap(encoder.encode(change)));
}

TEST(EntryEncoder, RandomRowsAreTheOraclesBytes) {
    std::mt19937_64 random(20261124);
    const auto below = [&random](uint64_t limit) { return random() % limit; };
    for (int round = 0; round < 400; ++round) {
        Fixture fixture;
        fixture.spec.schema = std::string(below(40), 's');
        fixture.spec.table = std::string(1 + below(70), 't');
        const size_t columns = 1 + below(30);
        for (size_t i = 0; i < columns; ++i) {
            ColumnSpec column;
            column.index = static_cast<int32_t>(i);
            column.name = std::string(1 + below(300), static_cast<char>('a' + below(26)));
            column.mysql_type = std::string(below(50), 'm');
            column.sql_type = static_cast<int32_t>(below(3000)) - 8;
            column.null_sql_type = static_cast<int32_t>(below(3000)) - 8;
            column.is_key = below(4) == 0;
            column.unique_key = column.is_key && below(2) == 0;
            column.kind = below(3) == 0 ? ValueKind::Latin1 : ValueKind::Utf8;
            if (below(3) == 0) column.promote_above = 127;
            column.promoted_sql_type = 5;
            fixture.spec.columns.push_back(std::move(column));
        }
        const TablePlan plan(fixture.spec);
        CellArena cells;
        const auto random_cell = [&] {
            const uint64_t kind = below(10);
            if (kind == 0) return cells.null();
            if (kind == 1) return cells.unknown();
            if (kind < 5) return cells.value(std::to_string(below(300)));
            std::string text(kind == 9 ? below(5000) : below(40), 'v');
            if (kind == 8) {
                for (char& c : text) c = static_cast<char>(below(256));
            }
            return cells.value(text);
        };
        std::deque<std::vector<Cell>> storage;
        std::vector<RowImages> images;
        const RowKind kind = static_cast<RowKind>(1 + below(3));
        for (size_t row = 0, rows = 1 + below(3); row < rows; ++row) {
            std::vector<Cell>& before = storage.emplace_back();
            std::vector<Cell>& after = storage.emplace_back();
            for (size_t i = 0; i < columns; ++i) {
                const Cell cell = random_cell();
                if (kind != RowKind::Insert) before.push_back(cell);
                if (kind != RowKind::Delete) after.push_back(below(2) == 0 ? cell : random_cell());
            }
            images.push_back({before, after});
        }
        const RowsChange change{&plan, kind, images, fixture.mark, below(2) == 0 ? "row_7" : "", 1};
        EntryEncoder encoder("LogProxyMessageFile");
        encoder.encode(TxnBegin{fixture.mark, fixture.txn, 1});
        ASSERT_EQ(unwrap(encoder.encode(change)), expected_rows(fixture, change))
            << "round " << round;
    }
}

TEST(EntryEncoder, TextOfOtherCharactersSets) {
    TableSpec spec{
        "d",
        "t",
        {{.index = 0,
          .name = "c",
          .mysql_type = "varchar(9)",
          .sql_type = 12,
          .null_sql_type = 12,
          .kind = ValueKind::Charset,
          .charset = "gbk"}}
    };
    const TablePlan plan(spec);
    EntryEncoder encoder("f");
    CellArena cells;
    const std::vector<Cell> after{cells.value("\xd6\xd0\xff")};
    const RowImages images{{}, after};
    pb::Entry entry;
    ASSERT_TRUE(entry.ParseFromString(
        unwrap(encoder.encode(RowsChange{&plan, RowKind::Insert, {&images, 1}, {}, "", 1}))
    ));
    pb::RowChange rows;
    ASSERT_TRUE(rows.ParseFromString(entry.storevalue()));
    EXPECT_EQ(rows.rowdatas(0).aftercolumns(0).value(), "中\xEF\xBF\xBD");
}

}  // namespace
}  // namespace obcanal::canal
