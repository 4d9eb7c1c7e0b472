#include "protocol/mysql/gtid.h"

#include "protocol/base/text.h"

#include <gtest/gtest.h>

namespace obcanal::mysql {
namespace {

constexpr const char* kA = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
constexpr const char* kB = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";

std::string normal(const std::string& text) {
    const auto set = GtidSet::parse(text);
    return set ? set->text() : "error: " + set.error().detail;
}

std::string set_of(const std::string& numbers, const char* uuid = kA) {
    return std::string(uuid) + ":" + numbers;
}

Gtid gtid(const char* uuid, int64_t number, std::string tag = "") {
    return {*parse_uuid(uuid), std::move(tag), number};
}

TEST(GtidSet, TextIsNormalised) {
    EXPECT_EQ(normal(""), "");
    EXPECT_EQ(normal(" \n"), "");
    EXPECT_EQ(normal(set_of("1")), set_of("1"));
    EXPECT_EQ(normal(set_of("5-7:1-3:4")), set_of("1-7"));
    EXPECT_EQ(normal(set_of("1-3:5")), set_of("1-3:5"));
    EXPECT_EQ(normal(set_of("2-9:1-20:4")), set_of("1-20"));
    EXPECT_EQ(normal(set_of("1", kB) + ",\n" + set_of("2")), set_of("2") + "," + set_of("1", kB));
    EXPECT_EQ(normal(to_upper(set_of("1-2"))), set_of("1-2"));
    EXPECT_EQ(normal(set_of("1-2") + "," + set_of("3")), set_of("1-3"));
    EXPECT_EQ(normal(set_of("1:tag_b:2:tag_a:3")), set_of("1:tag_a:3:tag_b:2"));
}

TEST(GtidSet, BadTextIsRefused) {
    for (const std::string& text :
         {set_of(""),
          set_of("0"),
          set_of("3-2"),
          set_of("1-"),
          set_of("1-9223372036854775807"),
          set_of("tag"),
          set_of("1:x-y"),
          std::string(kA),
          std::string("3e11fa47-71ca-11e1-9e33:1"),
          std::string("3e11fa4771ca-11e1-9e33-c80aa9429562-:1")})
        EXPECT_FALSE(GtidSet::parse(text).ok()) << text;
}

TEST(GtidSet, AddsInAnyOrder) {
    GtidSet set;
    for (const int64_t number : {5, 1, 3, 2, 9, 4, 8}) set.add(gtid(kA, number));
    EXPECT_EQ(set.text(), set_of("1-5:8-9"));
    set.add(*GtidSet::parse(set_of("6-7")));
    EXPECT_EQ(set.text(), set_of("1-9"));
    set.add(gtid(kA, 1, "audit"));
    EXPECT_EQ(set.text(), set_of("1-9:audit:1"));
}

TEST(GtidSet, Contains) {
    const auto set = *GtidSet::parse(set_of("1-5:8") + "," + set_of("3", kB));
    EXPECT_TRUE(set.contains(gtid(kA, 5)));
    EXPECT_FALSE(set.contains(gtid(kA, 6)));
    EXPECT_FALSE(set.contains(gtid(kA, 5, "tag")));
    EXPECT_TRUE(set.contains(*GtidSet::parse(set_of("2-4"))));
    EXPECT_FALSE(set.contains(*GtidSet::parse(set_of("4-8"))));
    EXPECT_TRUE(set.contains(GtidSet()));
    EXPECT_FALSE(GtidSet().contains(set));
}

TEST(GtidSet, WireForm) {
    // One source, one interval: as MySQL writes it into PREVIOUS_GTIDS.
    const std::string classic = *from_hex(
        "01000000000000003e11fa4771ca11e19e33c80aa9429562010000000000000001000000000000000600000000"
        "000000"
    );
    const auto set = GtidSet::decode(as_bytes(classic));
    ASSERT_TRUE(set.ok()) << set.error().detail;
    EXPECT_EQ(set->text(), set_of("1-5"));
    EXPECT_EQ(to_hex(as_bytes(set->encode())), to_hex(as_bytes(classic)));

    // A tag anywhere changes the form of all: each tag is a source of its own.
    const auto tagged = *GtidSet::parse(set_of("1-5:foo:7"));
    const std::string bytes = tagged.encode();
    EXPECT_EQ(to_hex(as_bytes(bytes).first(8)), "0102000000000001");
    const std::string second = to_hex(as_bytes(bytes).subspan(8 + 16 + 1 + 8 + 16, 20));
    EXPECT_EQ(second, "3e11fa4771ca11e19e33c80aa942956206666f6f");
    const auto back = GtidSet::decode(as_bytes(bytes));
    ASSERT_TRUE(back.ok()) << back.error().detail;
    EXPECT_EQ(*back, tagged);
}

TEST(GtidSet, SourceWithoutNumbers) {
    std::string bytes = GtidSet::parse(set_of("1-5"))->encode();
    bytes.resize(8 + 16);
    bytes.append(8, '\0');
    const auto set = GtidSet::decode(as_bytes(bytes));
    ASSERT_TRUE(set.ok()) << set.error().detail;
    EXPECT_EQ(set->text(), "");
}

TEST(GtidSet, BadWireFormIsRefused) {
    const std::string good = GtidSet::parse(set_of("1-5:8-9"))->encode();
    for (size_t size = 0; size < good.size(); ++size)
        EXPECT_FALSE(GtidSet::decode(as_bytes(good).first(size)).ok()) << size;
    EXPECT_FALSE(GtidSet::decode(as_bytes(good + "x")).ok());
    std::string many = good;
    many[24] = '\xff';  // number of intervals
    EXPECT_FALSE(GtidSet::decode(as_bytes(many)).ok());
    std::string backwards = good;
    backwards[32] = 60;  // first number behind the last
    EXPECT_FALSE(GtidSet::decode(as_bytes(backwards)).ok());
}

TEST(MariadbGtidSet, TextAndContains) {
    auto set = *MariadbGtidSet::parse("1-2-7, 0-1-5");
    EXPECT_EQ(set.text(), "0-1-5,1-2-7");
    EXPECT_TRUE(set.contains({0, 9, 5}));
    EXPECT_FALSE(set.contains({0, 1, 6}));
    EXPECT_FALSE(set.contains({2, 1, 1}));
    set.update({0, 3, 18446744073709551615U});
    EXPECT_EQ(set.text(), "0-3-18446744073709551615,1-2-7");
    EXPECT_TRUE(MariadbGtidSet::parse("")->empty());
    for (const char* bad : {"0-1", "0-1-2-3", "a-1-2", "0-1-2,0-2-3", "4294967296-1-1", "0--1"})
        EXPECT_FALSE(MariadbGtidSet::parse(bad).ok()) << bad;
}

}  // namespace
}  // namespace obcanal::mysql
