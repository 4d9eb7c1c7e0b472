#include "server/cli/entry_line.h"

#include "protocol/canal/entry.pb.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <string>

namespace obcanal::cli {
namespace {

namespace pb = obcanal::pb::entry;

struct CellText {
    const char* name;
    const char* text;  // nullptr: NULL
    bool key = false;
    bool updated = false;
};

class EntryLineTest : public testing::Test {
 protected:
    EntryLineTest() {
        ::setenv("TZ", "UTC", 1);
        ::tzset();
    }

    static pb::Entry rows_entry(pb::EventType event, const pb::RowChange& change) {
        pb::Entry entry;
        pb::Header& header = *entry.mutable_header();
        header.set_executetime(1714521601232);
        header.set_schemaname("shop");
        header.set_tablename("orders");
        header.set_eventtype(event);
        entry.set_entrytype(pb::ROWDATA);
        entry.set_storevalue(change.SerializeAsString());
        return entry;
    }

    template <class Columns>
    static void add(Columns& to, std::initializer_list<CellText> cells) {
        int index = 0;
        for (const CellText& cell : cells) {
            pb::Column& column = *to.Add();
            column.set_index(index++);
            column.set_name(cell.name);
            column.set_iskey(cell.key);
            column.set_updated(cell.updated);
            column.set_isnull(cell.text == nullptr);
            if (cell.text != nullptr) column.set_value(cell.text);
        }
    }

    static pb::Entry entry_of(
        pb::EventType event,
        std::initializer_list<CellText> before,
        std::initializer_list<CellText> after,
        int rows = 1
    ) {
        pb::RowChange change;
        change.set_eventtype(event);
        for (int i = 0; i < rows; ++i) {
            pb::RowData& row = *change.add_rowdatas();
            add(*row.mutable_beforecolumns(), before);
            add(*row.mutable_aftercolumns(), after);
        }
        return rows_entry(event, change);
    }

    static std::string print(EntryLine& format, const pb::Entry& entry, uint64_t limit = 100) {
        std::string text;
        const std::string bytes = entry.SerializeAsString();
        const Result<uint64_t> rows = format.append(as_bytes(bytes), limit, text);
        EXPECT_TRUE(rows);
        return text;
    }

    static std::string first(const pb::Entry& entry, LineStyle style = {}) {
        EntryLine format(style);
        const std::string text = print(format, entry);
        constexpr std::string_view kDay = "-- 2024-05-01\n";
        EXPECT_EQ(text.substr(0, kDay.size()), kDay);
        return text.substr(kDay.size());
    }
};

TEST_F(EntryLineTest, AnInsertShowsTheKeyFirst) {
    const pb::Entry entry =
        entry_of(pb::INSERT, {}, {{"note", nullptr}, {"id", "7", true}, {"name", "O'Brien"}});
    EXPECT_EQ(
        first(entry), "00:00:01.232  INSERT  shop.orders  id=7  note=NULL  name='O''Brien'\n"
    );
}

TEST_F(EntryLineTest, AnUpdateShowsKeyAndChangesFromOldToNew) {
    const pb::Entry entry = entry_of(
        pb::UPDATE,
        {{"id", "7", true}, {"name", "a"}, {"state", "0"}, {"note", nullptr}},
        {{"id", "7", true}, {"name", "a"}, {"state", "1", false, true}, {"note", "", false, true}}
    );
    EXPECT_EQ(
        first(entry), "00:00:01.232  UPDATE  shop.orders  id=7  state=0 -> 1  note=NULL -> ''\n"
    );
}

TEST_F(EntryLineTest, AnUpdateWithoutKeyShowsTheWholeRow) {
    const pb::Entry entry =
        entry_of(pb::UPDATE, {{"a", "1"}, {"b", "2"}}, {{"a", "1"}, {"b", "3", false, true}});
    EXPECT_EQ(first(entry), "00:00:01.232  UPDATE  shop.orders  a=1  b=2 -> 3\n");
}

TEST_F(EntryLineTest, ADeleteShowsWhatWas) {
    const pb::Entry entry = entry_of(pb::DELETE, {{"id", "7", true}, {"b", "2"}}, {});
    EXPECT_EQ(first(entry), "00:00:01.232  DELETE  shop.orders  id=7  b=2\n");
}

TEST_F(EntryLineTest, AValueCannotBreakTheLineOrTheTerminal) {
    const pb::Entry entry =
        entry_of(pb::INSERT, {}, {{"a", "x\ny\x1b[2J\xc2\x9b", false}, {"b\x1b", "\\"}});
    EXPECT_EQ(
        first(entry), "00:00:01.232  INSERT  shop.orders  a='x\\ny\\x1b[2J\\x9b'  b\\x1b=\\\\\n"
    );
}

TEST_F(EntryLineTest, AnUnknownValueIsNotNull) {
    pb::RowChange change;
    change.set_eventtype(pb::INSERT);
    pb::Column& column = *change.add_rowdatas()->add_aftercolumns();
    column.set_name("doc");
    column.set_isnull(true);
    pb::Pair& prop = *column.add_props();
    prop.set_key("unknown");
    prop.set_value("true");
    EXPECT_EQ(first(rows_entry(pb::INSERT, change)), "00:00:01.232  INSERT  shop.orders  doc=?\n");
}

TEST_F(EntryLineTest, CutsValuesAndLinesByCharacters) {
    const pb::Entry entry = entry_of(pb::INSERT, {}, {{"a", "äöüäöüäöü"}, {"b", "123"}});
    EXPECT_EQ(
        first(entry, {.value_width = 4}),
        "00:00:01.232  INSERT  shop.orders  a=äöüä…(18 bytes)  b=123\n"
    );
    EXPECT_EQ(first(entry, {.width = 40}), "00:00:01.232  INSERT  shop.orders  a=äö…\n");
}

TEST_F(EntryLineTest, ColoursEndWhereTheyBegan) {
    EntryLine format({.colour = true});
    const pb::Entry entry = entry_of(pb::DELETE, {{"id", "7", true}}, {});
    static_cast<void>(print(format, entry));
    EXPECT_EQ(
        print(format, entry),
        "\x1b[2m00:00:01.232  \x1b[0m\x1b[31mDELETE  \x1b[0m\x1b[1mshop.orders\x1b[0m  "
        "\x1b[1mid\x1b[0m\x1b[2m=\x1b[0m7\n"
    );
}

TEST_F(EntryLineTest, SchemaChangesAreOneLine) {
    pb::RowChange change;
    change.set_eventtype(pb::CREATE);
    change.set_isddl(true);
    change.set_sql("CREATE TABLE t (\n  id\tint\n)\n");
    EXPECT_EQ(
        first(rows_entry(pb::CREATE, change)),
        "00:00:01.232  CREATE  shop.orders  CREATE TABLE t ( id int )\n"
    );
}

TEST_F(EntryLineTest, TransactionsEndWithTheirNumberOfRows) {
    EntryLine format({});
    const pb::Entry three = entry_of(pb::INSERT, {}, {{"id", "7", true}}, 3);
    const std::string two = print(format, three, 2);
    EXPECT_EQ(std::count(two.begin(), two.end(), '\n'), 3);  // a day and two rows
    pb::TransactionEnd end;
    end.set_transactionid("1002_77");
    pb::Entry entry;
    entry.set_entrytype(pb::TRANSACTIONEND);
    entry.set_storevalue(end.SerializeAsString());
    EXPECT_EQ(print(format, entry), "-- commit 1002_77, 2 rows\n");
    EXPECT_EQ(print(format, entry), "-- commit 1002_77, 0 rows\n");
}

}  // namespace
}  // namespace obcanal::cli
