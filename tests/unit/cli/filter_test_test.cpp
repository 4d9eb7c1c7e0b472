#include "server/cli/filter_test.h"

#include <gtest/gtest.h>

namespace obcanal::cli {
namespace {

std::string answer(std::string_view white, std::string_view black, std::string_view name) {
    const Result<filter::TableFilter> filter = filter::TableFilter::compile(white, black);
    EXPECT_TRUE(filter.ok());
    const FilterAnswer said = explain_filter(*filter, name);
    return (said.passes ? "yes: " : "no: ") + said.because;
}

TEST(FilterTest, NamesTheItemThatDecides) {
    EXPECT_EQ(answer(R"(a\.b,shop\..*)", "", "shop.orders"), R"(yes: white item shop\..*)");
    EXPECT_EQ(answer(R"(a\.b,shop\..*)", "", "other.t"), "no: no white item");
    EXPECT_EQ(answer("", "", "other.t"), "yes: the white list is empty");
    EXPECT_EQ(answer(R"(.*\..*)", R"(tmp\..*)", "tmp.t"), R"(no: black item tmp\..*)");
    EXPECT_EQ(answer(R"(.*\..*)", R"(tmp\..*)", "shop.t"), R"(yes: white item .*\..*)");
}

TEST(FilterTest, SaysWhyASearchEnded) {
    EXPECT_EQ(
        answer(R"(shop|shop\.orders,shop\..*)", "", "shop.orders"),
        R"(no: white item shop|shop\.orders fits its beginning, which ends the search)"
    );
    const std::string name = std::string(60, 'a') + ".bx";
    EXPECT_EQ(answer("(a+)+b", "", name), "no: white item (a+)+b takes too long for it");
    EXPECT_EQ(
        answer(".*", "(a+)+b", name), "yes: white item .*; black item (a+)+b takes too long for it"
    );
}

}  // namespace
}  // namespace obcanal::cli
