// Entries into Dmls.
#include "adapter/core/dml_reader.h"

#include "entry_bytes.h"

#include <gmock/gmock.h>

#include <chrono>
#include <iostream>

namespace obcanal::adapter::core {
namespace {

using canal::EventType;
using testing::HasSubstr;

class DmlReaderTest : public testing::Test {
 protected:
    Result<DmlBatch> read(const std::vector<std::string>& entries) {
        bytes_ = messages_bytes(5, entries);
        const Result<canal::Messages> messages = canal::parse_messages(as_bytes(bytes_));
        if (!messages) return messages.error();
        return reader_.read("example", *messages);
    }

    // "id=1,name=<null>"; unknown values as "?", changed ones with "*".
    static std::string shown(const Dml& dml, std::span<const DmlValue> image) {
        std::string text;
        for (size_t i = 0; i < image.size(); ++i) {
            text += (i > 0 ? "," : "") + std::string(dml.columns[i].name) + "=";
            if (image[i].state == ValueState::Null) text += "<null>";
            if (image[i].state == ValueState::Unknown) text += "?";
            text += image[i].text;
            if (image[i].updated) text += "*";
        }
        return text;
    }

    std::string bytes_;
    DmlReader reader_;
};

TEST_F(DmlReaderTest, RowsOfAStatement) {
    const ColumnBytes id{"id", 4, "1", true};
    const std::string insert = rows_bytes(
        1,
        {{{}, {id, {"name", 12, "a", false, true, false, "varchar(9)"}}},
         {{}, {{"id", -5, "2", true}, {"name", 12, std::nullopt}}}}
    );
    const auto batch = read(
        {entry_bytes(1, header_bytes("", "", 1), ""),
         entry_bytes(2, header_bytes("shop", "user", 1730271518000), insert),
         entry_bytes(3, header_bytes("", "", 1), "")}
    );
    ASSERT_TRUE(batch) << batch.error().detail;
    EXPECT_TRUE(batch->whole);
    EXPECT_EQ(batch->id.value, 5);
    EXPECT_EQ(batch->rows, 2U);
    ASSERT_EQ(batch->dmls.size(), 1U);
    const Dml& dml = batch->dmls[0];
    EXPECT_EQ(dml.type, EventType::Insert);
    EXPECT_FALSE(dml.is_ddl);
    EXPECT_EQ(dml.database, "shop");
    EXPECT_EQ(dml.table, "user");
    EXPECT_EQ(dml.execute_ms, 1730271518000);
    EXPECT_EQ(dml.log_file, "bin.000001");
    EXPECT_EQ(dml.log_offset, 1234);
    EXPECT_EQ(dml.entry, 1U);
    ASSERT_EQ(dml.columns.size(), 2U);
    EXPECT_TRUE(dml.columns[0].key);
    EXPECT_FALSE(dml.columns[1].key);
    EXPECT_EQ(dml.columns[1].mysql_type, "varchar(9)");
    EXPECT_EQ(shown(dml, dml.rows[0].after), "id=1,name=a*");
    EXPECT_EQ(shown(dml, dml.rows[1].after), "id=2,name=<null>");
    EXPECT_TRUE(dml.rows[0].before.empty());
    EXPECT_EQ(dml.rows[0].after[0].sql_type, 4);
    EXPECT_EQ(dml.rows[1].after[0].sql_type, -5);
}

TEST_F(DmlReaderTest, UpdateHasBothImagesAndMayLackWhatUpstreamDidNotLog) {
    const std::string update = rows_bytes(
        2,
        {{{{"id", 4, "1", true}, {"lob", 2004, std::nullopt, false, false, true}},
          {{"id", 4, "1", true}, {"lob", 2004, "x", false, true}}},
         // A minimal image: the key, and what changed.
         {{{"id", 4, "2", true}}, {{"extra", 4, "7", false, true}}},
         {{{"id", 4, "3", true}}, {{"id", 4, "3", true}, {"lob", 2004, ""}, {"extra", 4, "8"}}}}
    );
    const auto batch = read({entry_bytes(2, header_bytes("d", "t", 1), update)});
    ASSERT_TRUE(batch) << batch.error().detail;
    EXPECT_FALSE(batch->whole);  // its transaction goes on
    const Dml& dml = batch->dmls[0];
    ASSERT_EQ(dml.columns.size(), 3U);
    EXPECT_EQ(shown(dml, dml.rows[0].before), "id=1,lob=?,extra=?");
    EXPECT_EQ(shown(dml, dml.rows[0].after), "id=1,lob=x*,extra=?");
    EXPECT_EQ(shown(dml, dml.rows[1].before), "id=2,lob=?,extra=?");
    EXPECT_EQ(shown(dml, dml.rows[1].after), "id=?,lob=?,extra=7*");
    EXPECT_EQ(shown(dml, dml.rows[2].after), "id=3,lob=,extra=8");
}

TEST_F(DmlReaderTest, DdlAndStatementsThatAreNone) {
    const auto batch = read(
        {entry_bytes(2, header_bytes("shop", "t", 9), ddl_bytes(5, "alter table t add x int", "s")),
         entry_bytes(2, header_bytes("", "", 9), rows_bytes(7, {}))}
    );
    ASSERT_TRUE(batch) << batch.error().detail;
    ASSERT_EQ(batch->dmls.size(), 2U);
    EXPECT_TRUE(batch->dmls[0].is_ddl);
    EXPECT_EQ(batch->dmls[0].type, EventType::Alter);
    EXPECT_EQ(batch->dmls[0].sql, "alter table t add x int");
    EXPECT_EQ(batch->dmls[0].ddl_schema, "s");
    EXPECT_FALSE(batch->dmls[1].is_ddl);
    EXPECT_EQ(batch->dmls[1].type, EventType::Query);
    EXPECT_TRUE(batch->dmls[1].rows.empty());
}

TEST_F(DmlReaderTest, StatementsAreLeftOutForWhoDoesNotTakeThem) {
    const std::string header = header_bytes("", "", 9);
    const std::string change = rows_bytes(1, {{{}, {{"id"}}}});
    std::string statement = rows_bytes(7, {});
    canal::append_bytes_field(statement, canal::row_change_field::kSql, "insert into t values (1)");
    const std::vector<std::string> entries = {
        entry_bytes(2, header, statement),
        entry_bytes(2, header_bytes("shop", "t", 9), change),
        entry_bytes(2, header, ddl_bytes(7, "create user a", "s")),
        entry_bytes(2, header, statement)
    };
    reader_.leave_out_statements(true);
    const auto batch = read(entries);
    ASSERT_TRUE(batch) << batch.error().detail;
    ASSERT_EQ(batch->dmls.size(), 2U);
    EXPECT_EQ(batch->dmls[0].table, "t");
    EXPECT_EQ(batch->dmls[0].entry, 1U);
    EXPECT_EQ(batch->dmls[1].sql, "create user a");
    EXPECT_EQ(batch->rows, 1U);
    EXPECT_FALSE(batch->whole);
    std::string cut = statement;
    cut.pop_back();
    EXPECT_FALSE(read({entry_bytes(2, header, cut)}));
    reader_.leave_out_statements(false);
    const auto all = read(entries);
    ASSERT_TRUE(all);
    ASSERT_EQ(all->dmls.size(), 4U);
    EXPECT_EQ(all->dmls[3].sql, "insert into t values (1)");
}

TEST_F(DmlReaderTest, FaultsNameTheEntry) {
    std::string cut = entry_bytes(2, header_bytes("d", "t", 1), rows_bytes(1, {{{}, {{"id"}}}}));
    cut.pop_back();
    const auto torn = read({entry_bytes(1, "", ""), cut});
    ASSERT_FALSE(torn);
    EXPECT_THAT(torn.error().detail, HasSubstr("entry 1: Entry: truncated or malformed"));
    const auto type = read({entry_bytes(9, "", "")});
    ASSERT_FALSE(type);
    EXPECT_THAT(type.error().detail, HasSubstr("unknown type of entry 9"));
    const auto event = read({entry_bytes(2, "", rows_bytes(77, {}))});
    ASSERT_FALSE(event);
    EXPECT_THAT(event.error().detail, HasSubstr("unknown type of event 77"));
}

TEST_F(DmlReaderTest, ABatchMustBeWhole) {
    const std::string entry = entry_bytes(2, header_bytes("d", "t", 1), rows_bytes(1, {}));
    const std::string whole = messages_bytes(5, {entry, entry});
    const size_t id_bytes = 2;
    const size_t one_entry = id_bytes + (whole.size() - id_bytes) / 2;
    for (size_t size = id_bytes + 1; size < whole.size(); ++size) {
        const auto messages = canal::parse_messages(as_bytes(whole).first(size));
        const auto batch = messages ? reader_.read("example", *messages) : messages.error();
        EXPECT_EQ(batch.ok(), size == one_entry) << size;
        const std::string cause = batch ? "Messages: truncated" : batch.error().detail;
        EXPECT_THAT(cause, HasSubstr("Messages: truncated")) << size;
    }
    // In another order than any server's.
    const std::string behind = whole.substr(id_bytes) + whole.substr(0, id_bytes);
    EXPECT_EQ(canal::parse_messages(as_bytes(behind)).value().batch_id, 5);
}

// A figure for the eye: rows of 10 columns, both images; far below a microsecond each when built
// with optimisation.
TEST_F(DmlReaderTest, TheSameReaderReadsAgainWithoutGrowing) {
    std::vector<ColumnBytes> columns;
    for (int i = 0; i < 10; ++i) columns.push_back({"column_" + std::to_string(i), 4, "12345"});
    const std::vector<RowBytes> rows(100, {columns, columns});
    const std::vector<std::string> entries(
        20, entry_bytes(2, header_bytes("d", "t", 1), rows_bytes(2, rows))
    );
    const DmlValue* first = nullptr;
    const auto start = std::chrono::steady_clock::now();
    constexpr int kRounds = 5;
    for (int round = 0; round < kRounds; ++round) {
        const auto batch = read(entries);
        ASSERT_TRUE(batch) << batch.error().detail;
        ASSERT_EQ(batch->rows, 2'000U);
        const DmlValue* const at = batch->dmls[0].rows[0].before.data();
        if (round == 0) first = at;
        EXPECT_EQ(at, first);
        EXPECT_EQ(
            shown(batch->dmls[19], batch->dmls[19].rows[99].after.first(1)), "column_0=12345"
        );
    }
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
    std::cout << "microseconds a row: " << took.count() / (kRounds * 2'000) << '\n';
}

// What is known of a table's columns from the entry before is used, whatever the next one brings.
TEST_F(DmlReaderTest, EntriesOfOneFormOverBatches) {
    const auto user = [](const ColumnBytes& id, const ColumnBytes& name) {
        return entry_bytes(2, header_bytes("shop", "user", 1), rows_bytes(1, {{{}, {id, name}}}));
    };
    const ColumnBytes one{"id", 4, "1", true, true, false, "int(11)"};
    const ColumnBytes a{"name", 12, "a", false, true, false, "varchar(9)"};
    auto batch = read({user(one, a), user(one, a)});
    ASSERT_TRUE(batch) << batch.error().detail;
    const uint64_t form = batch->dmls[0].form;
    EXPECT_NE(form, 0U);
    EXPECT_EQ(batch->dmls[1].form, form);
    EXPECT_EQ(shown(batch->dmls[1], batch->dmls[1].rows[0].after), "id=1*,name=a*");

    // NULL; a value that reads as the fields behind it; a sqlType of that value alone.
    const ColumnBytes null{"name", 12, std::nullopt, false, true, false, "varchar(9)"};
    const ColumnBytes like{"name", 12, "R\nvarchar(9)", false, false, false, "varchar(9)"};
    const ColumnBytes large{"id", -5, "3", true, true, false, "int(11)"};
    batch = read({user(one, null), user(one, like), user(large, a)});
    ASSERT_TRUE(batch) << batch.error().detail;
    for (const Dml& dml : batch->dmls) {
        EXPECT_EQ(dml.form, form);
        ASSERT_EQ(dml.columns.size(), 2U);
        EXPECT_EQ(dml.columns[1].mysql_type, "varchar(9)");
    }
    EXPECT_EQ(shown(batch->dmls[0], batch->dmls[0].rows[0].after), "id=1*,name=<null>*");
    EXPECT_EQ(shown(batch->dmls[1], batch->dmls[1].rows[0].after), "id=1*,name=R\nvarchar(9)");
    EXPECT_EQ(shown(batch->dmls[2], batch->dmls[2].rows[0].after), "id=3*,name=a*");
    EXPECT_EQ(batch->dmls[2].rows[0].after[0].sql_type, -5);
    EXPECT_EQ(batch->dmls[1].rows[0].after[0].sql_type, 4);

    // The table is altered in between, another table has the same columns.
    const ColumnBytes longer{"name", 12, "b", false, true, false, "varchar(99)"};
    const std::string other =
        entry_bytes(2, header_bytes("shop", "other", 1), rows_bytes(1, {{{}, {one, a}}}));
    batch = read({user(one, a), other, user(one, longer), user(one, a)});
    ASSERT_TRUE(batch) << batch.error().detail;
    EXPECT_EQ(batch->dmls[0].form, form);
    EXPECT_NE(batch->dmls[1].form, form);
    EXPECT_NE(batch->dmls[2].form, form);
    EXPECT_EQ(batch->dmls[0].columns[1].mysql_type, "varchar(9)");
    EXPECT_EQ(batch->dmls[2].columns[1].mysql_type, "varchar(99)");
    EXPECT_EQ(batch->dmls[3].columns[1].mysql_type, "varchar(9)");
    EXPECT_EQ(shown(batch->dmls[2], batch->dmls[2].rows[0].after), "id=1*,name=b*");

    // A column less, and one more.
    const std::string less =
        entry_bytes(2, header_bytes("shop", "user", 1), rows_bytes(1, {{{}, {one}}}));
    const std::string more =
        entry_bytes(2, header_bytes("shop", "user", 1), rows_bytes(1, {{{}, {one, a, large}}}));
    batch = read({user(one, a), less, more, user(one, a)});
    ASSERT_TRUE(batch) << batch.error().detail;
    EXPECT_EQ(shown(batch->dmls[1], batch->dmls[1].rows[0].after), "id=1*");
    EXPECT_EQ(shown(batch->dmls[2], batch->dmls[2].rows[0].after), "id=1*,name=a*,id=3*");
    EXPECT_EQ(shown(batch->dmls[3], batch->dmls[3].rows[0].after), "id=1*,name=a*");
}

// Images that lack columns in turns: no form is learned for ever, and none is wrong.
TEST_F(DmlReaderTest, WhatIsKnownOfATableOutlivesAFault) {
    const std::string header = header_bytes("shop", "user", 1);
    const ColumnBytes id{"id", 4, "1", true};
    const std::string good = entry_bytes(2, header, rows_bytes(1, {{{}, {id}}}));
    // An image whose first column ends within its name.
    std::string row;
    canal::append_bytes_field(row, canal::row_data_field::kAfterColumns, "\x1a\x09i");
    std::string change;
    canal::append_bytes_field(change, canal::row_change_field::kRowDatas, row);
    const std::string bad = entry_bytes(2, header, change);
    for (int i = 0; i < 3; ++i) {
        const auto batch = read({good});
        ASSERT_TRUE(batch) << batch.error().detail;
        ASSERT_EQ(batch->dmls[0].columns.size(), 1U);
        EXPECT_EQ(shown(batch->dmls[0], batch->dmls[0].rows[0].after), "id=1");
        EXPECT_FALSE(read({bad}));
    }
}

TEST_F(DmlReaderTest, FieldsInAnyOrder) {
    namespace field = canal::column_field;
    std::string column;
    canal::append_bytes_field(column, field::kValue, "7");
    canal::append_varint_field(column, field::kIsKey, 1);
    canal::append_bytes_field(column, field::kName, "id");
    canal::append_bytes_field(column, field::kMysqlType, "int(11)");
    std::string row;
    canal::append_bytes_field(row, canal::row_data_field::kAfterColumns, column);
    std::string change;
    canal::append_varint_field(change, canal::row_change_field::kEventType, 1);
    canal::append_bytes_field(change, canal::row_change_field::kRowDatas, row);
    const std::string entry = entry_bytes(2, header_bytes("shop", "user", 1), change);
    const auto batch = read({entry, entry});
    ASSERT_TRUE(batch) << batch.error().detail;
    for (const Dml& dml : batch->dmls) {
        EXPECT_EQ(shown(dml, dml.rows[0].after), "id=7");
        EXPECT_EQ(dml.columns[0].mysql_type, "int(11)");
        EXPECT_TRUE(dml.columns[0].key);
    }
}

TEST_F(DmlReaderTest, TableOfManyForms) {
    const ColumnBytes id{"id", 4, "1", true};
    const ColumnBytes name{"name", 12, "a", false, true};
    std::vector<std::string> entries;
    for (int i = 0; i < 100; ++i) {
        const ColumnBytes& only = i % 2 == 0 ? id : name;
        entries.push_back(
            entry_bytes(2, header_bytes("shop", "user", 1), rows_bytes(1, {{{}, {only}}}))
        );
    }
    const auto batch = read(entries);
    ASSERT_TRUE(batch) << batch.error().detail;
    size_t unknown = 0;
    for (size_t i = 0; i < batch->dmls.size(); ++i) {
        const Dml& dml = batch->dmls[i];
        EXPECT_EQ(shown(dml, dml.rows[0].after), i % 2 == 0 ? "id=1" : "name=a*");
        unknown += dml.form == 0 ? 1U : 0U;
    }
    EXPECT_GE(unknown, 30U);

    // The table was altered: there are hits again after a while.
    entries.assign(
        100, entry_bytes(2, header_bytes("shop", "user", 1), rows_bytes(1, {{{}, {id, name}}}))
    );
    const auto altered = read(entries);
    ASSERT_TRUE(altered) << altered.error().detail;
    EXPECT_EQ(altered->dmls[0].form, 0U);
    EXPECT_NE(altered->dmls[99].form, 0U);
    EXPECT_EQ(altered->dmls[98].form, altered->dmls[99].form);
}

}  // namespace
}  // namespace obcanal::adapter::core
