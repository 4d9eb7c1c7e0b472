#include "server/filter/table_filter.h"

#include "protocol/base/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace obcanal::filter {
namespace {

TableFilter compiled(std::string_view white, std::string_view black = {}) {
    Result<TableFilter> filter = TableFilter::compile(white, black);
    EXPECT_TRUE(filter.ok()) << filter.error().detail;
    return std::move(filter).value();
}

bool passes(std::string_view white, std::string_view name) {
    const size_t dot = name.find('.');
    return compiled(white).passes(name.substr(0, dot), name.substr(dot + 1));
}

std::string error_of(std::string_view white, std::string_view black = {}) {
    const Result<TableFilter> filter = TableFilter::compile(white, black);
    EXPECT_FALSE(filter.ok()) << white;
    return filter.ok() ? std::string() : filter.error().detail;
}

TEST(TableFilter, EmptyListsLetEverythingThrough) {
    EXPECT_TRUE(compiled("").passes("a", "b"));
    EXPECT_TRUE(compiled(",").passes("a", "b"));
    EXPECT_TRUE(compiled(",,", ",").passes("a", "b"));
}

TEST(TableFilter, BlackWinsOverWhite) {
    const TableFilter filter = compiled(R"(.*\..*)", R"(mysql\.slave_.*,test\..*)");
    EXPECT_TRUE(filter.passes("shop", "orders"));
    EXPECT_FALSE(filter.passes("mysql", "slave_master_info"));
    EXPECT_TRUE(filter.passes("mysql", "user"));
    EXPECT_FALSE(filter.passes("TEST", "T1"));
}

TEST(TableFilter, ItemsAreSplitOutsideBracketsAndSortedByLength) {
    using testing::ElementsAre;
    EXPECT_THAT(list_items("a,bbb,,cc,"), ElementsAre("bbb", "cc", "a"));
    EXPECT_THAT(list_items(R"(a\d{1,2},b)"), ElementsAre(R"(a\d{1,2})", "b"));
    EXPECT_THAT(list_items(R"((a,b),[,c],\(,d)"), ElementsAre("(a,b)", "[,c]", R"(\()", "d"));
    EXPECT_THAT(list_items("aa,bb"), ElementsAre("aa", "bb"));  // stable
    EXPECT_THAT(list_items("),a"), ElementsAre(")", "a"));
    EXPECT_THAT(list_items("\xf0\x9f\x98\x80,ab,c"), ElementsAre("\xf0\x9f\x98\x80", "ab", "c"));
    EXPECT_THAT(list_items("a\\"), ElementsAre("a\\"));
}

struct Case {
    const char* white;
    const char* name;
    bool passes;
};

class Matching : public testing::TestWithParam<Case> {};

TEST_P(Matching, AsCanalMatches) {
    EXPECT_EQ(passes(GetParam().white, GetParam().name), GetParam().passes)
        << GetParam().white << " " << GetParam().name;
}

INSTANTIATE_TEST_SUITE_P(
    Facts,
    Matching,
    testing::Values(
        Case{R"(Test\.T1)", "test.t1", true},
        Case{R"(test\.t1)", "TEST.T1", true},
        Case{".*", "any.thing", true},
        Case{R"(.*\..*)", "any.thing", true},
        Case{R"(test\.t)", "test.t1", false},
        Case{"test.t1", "testxt1", false},  // the name has a dot too: "testxt1." + ""
        Case{R"(a\.b|c\.d)", "a.b", true},
        Case{R"(a\.b|c\.d)", "c.d", true},
        Case{R"(a\.b|c\.d)", "a.bxx", false},
        Case{R"(a|a\.b)", "a.b", false},      // the first branch fits, and ends before the name
        Case{R"(a\.b, c\.d)", "c.d", false},  // items are not trimmed
        Case{R"(a\.b,c\.d)", "c.d", true},
        Case{R"(\w+\.\w+)", "库.表", true},
        Case{R"(db\.É.*)", "db.école", true},
        Case{R"(db\.[[:alpha:]]+)", "db.abc", true},
        Case{R"(db\.[[:alpha:]]+)", "db.ab1", false},
        Case{R"(db\.[^[:digit:]]+)", "db.ab1", false},
        Case{R"(db\.\x61bc)", "db.abc", true},
        Case{R"(db\.(?!tmp).*)", "db.orders", true},
        Case{R"(db\.(?!tmp).*)", "db.tmp_1", false},
        Case{R"(db\.(?=t).*)", "db.tmp_1", true},
        Case{R"((?i)DB\.t)", "db.t", true},
        Case{R"(\p{L}+\.t)", "abc.t", false},  // \p is a p
        Case{R"(\p{l}\.t)", "p{l}.t", true},
        Case{"*", "a.b", false},  // ^* repeats the anchor: only the empty name is left
        Case{"*.*", "a.b", true},
        Case{"a\\", "a$.", false},
        Case{R"(db\.t_\d{1,2})", "db.t_12", true},
        Case{R"(db\.t_\d{1,2})", "db.t_123", false},
        Case{R"(db\.t{,2})", "db.t{,2}", true},  // no interval, so plain characters
        Case{R"((a|b)\.\1)", "b.b", true},
        Case{R"((a|b)\.\1)", "b.a", false},
        Case{R"(a\.[A-C]+)", "a.abc", true},
        Case{
            R"(a\.[@-_]+)", "a.abc", false
        },  // Java lowers neither end, and the name is lower case
        Case{R"(a\.[^\W\d]+)", "a.bc", true},
        Case{R"(a\.[^\W\d]+)", "a.b1", false},
        Case{R"(a\.[]x]+)", "a.]x", true},
        Case{R"(a\.[a\-c]+)", "a.a-c", true},
        Case{R"(a\.(?#comment)b)", "a.b", true},
        Case{R"((?x) a \. b # comment)", "a.b", true},
        Case{R"((?x) a \. b)", "a.b", true},
        Case{R"(a\.\bb\b)", "a.b", true},
        Case{R"(\Aa\.b\Z)", "a.b", true},
        Case{R"(a\.b\z)", "a.bz", true},  // ORO knows no \z
        Case{R"(a\.\102)", "a.b", true},
        Case{R"(a\.\cA)", "a.\x01", true},
        Case{R"(a\.b\n)", "a.b\n", true},
        Case{R"(a\.b)", "a.b\n", false}
    )
);

TEST(TableFilter, ErrorsNameListItemAndPlace) {
    const struct {
        const char* item;
        const char* what;
    } faults[] = {
        {R"(bad\.(t)", "at character 6: a ( that is not closed"},
        {R"(x\.t++)", "at character 6: a quantifier upon a quantifier"},
        {"a)", "at character 2: a ) that closes nothing"},
        {"[a", "at character 1: a [ that is not closed"},
        {"(?<!a)b", "at character 3: (? is followed by something unknown"},
        {"(?<n>a)", "at character 3: (? is followed by something unknown"},
        {"a{3,2}", "at character 7: the interval's end is below its beginning"},
        {"a{99999}", "at character 7: more than 65535 repetitions"},
        {"[z-a]", "at character 5: a range's end is below its beginning"},
        {R"(\1(a))", R"(at character 1: \1 refers to no group before it)"},
        {"(?#x", "at character 1: (?# is not closed"},
        {"a|*b", "at character 3: a quantifier follows nothing"},
    };
    for (const auto& fault : faults) {
        const std::string item = fault.item;
        EXPECT_EQ(error_of(R"(a\.b,)" + item), "white list: \"" + item + "\": " + fault.what);
        EXPECT_EQ(error_of("", item), "black list: \"" + item + "\": " + fault.what);
    }
    EXPECT_EQ(error_of("\xff"), "white list: \"" + printable("\xff") + "\": not UTF-8");
}

TEST(TableFilter, HostileExpressionsStayWithinTheirLimits) {
    // The subject holds the characters that the expressions end with, or PCRE2 would not even try.
    const std::string name = std::string(60, 'a') + ".bxzx";
    for (const char* hostile :
         {R"((a+)+b)", R"((a|a)*b)", R"((a|aa)+b)", R"((.*)*x\1b)", R"(.*.*.*.*.*.*.*.*.*zz)"}) {
        const TableFilter filter = compiled(std::string(hostile) + ",.*");
        const auto start = std::chrono::steady_clock::now();
        const TableFilter::Verdict verdict = filter.white(name);
        const auto spent = std::chrono::steady_clock::now() - start;
        EXPECT_FALSE(verdict.matches) << hostile;
        EXPECT_TRUE(verdict.limit_exceeded) << hostile;
        EXPECT_EQ(verdict.item, hostile);
        EXPECT_EQ(filter.limits_exceeded(), 1U);
        EXPECT_LT(spent, std::chrono::seconds(5)) << hostile;  // sanitizers included
    }
    EXPECT_FALSE(TableFilter::compile(std::string(100'000, '('), "").ok());
    EXPECT_FALSE(TableFilter::compile("((((((a{1000}){1000}){1000}){1000}){1000}){1000})", "").ok()
    );
    EXPECT_FALSE(TableFilter::compile(std::string(1'000'000, 'a'), "").ok());
}

TEST(TableFilter, VerdictNamesTheItem) {
    const TableFilter filter = compiled(R"(shop\.orders,shop\..*)", R"(shop\.tmp.*)");
    EXPECT_EQ(filter.white("shop.orders").item, R"(shop\.orders)");
    EXPECT_EQ(filter.white("shop.products").item, R"(shop\..*)");
    EXPECT_TRUE(filter.white("shop.products").matches);
    EXPECT_EQ(filter.white("other.t").item, "");
    EXPECT_FALSE(filter.white("other.t").matches);
    EXPECT_EQ(filter.black("shop.tmp1").item, R"(shop\.tmp.*)");
}

TEST(TableFilter, NamesThatAreNotUtf8AreCompared) {
    EXPECT_TRUE(passes(R"(.*\..*)", "a.\xff\xfe"));
    EXPECT_FALSE(passes(R"(a\.b)", "a.\xff"));
}

TEST(TableFilter, ManyPlainTables) {
    std::string list;
    for (int i = 0; i < 5000; ++i) list += "db\\.table_" + std::to_string(i) + ",";
    const TableFilter filter = compiled(list);
    EXPECT_TRUE(filter.passes("db", "table_4999"));
    EXPECT_FALSE(filter.passes("db", "table_5000"));
}

}  // namespace
}  // namespace obcanal::filter
