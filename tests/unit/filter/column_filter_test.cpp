#include "server/filter/column_filter.h"

#include <gtest/gtest.h>

namespace obcanal::filter {
namespace {

ColumnFilter parsed(std::string_view white, std::string_view black = {}) {
    Result<ColumnFilter> filter = ColumnFilter::parse(white, black);
    EXPECT_TRUE(filter.ok()) << filter.error().detail;
    return std::move(filter).value();
}

TEST(ColumnFilter, EmptyKeepsAll) {
    EXPECT_TRUE(parsed("").empty());
    EXPECT_TRUE(parsed("").keeps("a", "b", "c"));
    EXPECT_TRUE(parsed(" , ").empty());
}

TEST(ColumnFilter, WhiteListKeepsOnlyWhatItNames) {
    const ColumnFilter filter = parsed("shop.orders:id/Price,shop.products:id");
    EXPECT_FALSE(filter.empty());
    EXPECT_TRUE(filter.keeps("shop", "orders", "id"));
    EXPECT_TRUE(filter.keeps("SHOP", "Orders", "PRICE"));
    EXPECT_FALSE(filter.keeps("shop", "orders", "note"));
    EXPECT_FALSE(filter.keeps("shop", "products", "price"));
    EXPECT_TRUE(filter.keeps("shop", "customers", "note"));  // no list for this table
}

TEST(ColumnFilter, BlackListDropsWhatItNames) {
    const ColumnFilter filter = parsed("", "shop.orders:note/secret");
    EXPECT_TRUE(filter.keeps("shop", "orders", "id"));
    EXPECT_FALSE(filter.keeps("shop", "orders", "SECRET"));
    EXPECT_TRUE(filter.keeps("shop", "order", "note"));
}

TEST(ColumnFilter, WhiteListOfATableWinsOverItsBlackList) {
    const ColumnFilter filter = parsed("s.t:a/b", "s.t:a,s.u:a");
    EXPECT_TRUE(filter.keeps("s", "t", "a"));
    EXPECT_FALSE(filter.keeps("s", "t", "c"));
    EXPECT_FALSE(filter.keeps("s", "u", "a"));
}

TEST(ColumnFilter, BlanksAroundPartsDoNotMatter) {
    const ColumnFilter filter = parsed(" s.t : a / b , s.u:c");
    EXPECT_TRUE(filter.keeps("s", "t", "b"));
    EXPECT_FALSE(filter.keeps("s", "u", "b"));
}

TEST(ColumnFilter, WhatHasNotTheFormIsAnErrorThatQuotesIt) {
    for (const char* wrong : {"s.t", "s.t:", "s.t:a:b", "t:a", ".t:a", "s.:a", ":a"}) {
        const Result<ColumnFilter> filter = ColumnFilter::parse("", std::string("s.ok:a,") + wrong);
        ASSERT_FALSE(filter.ok()) << wrong;
        EXPECT_EQ(
            filter.error().detail,
            "black list: \"" + std::string(wrong) + "\" has not the form schema.table:column/column"
        );
    }
}

}  // namespace
}  // namespace obcanal::filter
