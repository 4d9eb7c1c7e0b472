// Properties: the syntax of java.util.Properties, expectations taken from its documentation.
#include "server/config/properties.h"

#include "tests/unit/scratch_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace obcanal::config {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

Properties parse(std::string_view text) { return Properties::parse(as_bytes(text), "f"); }

Pairs pairs(const Properties& properties) {
    Pairs all;
    for (const auto& [key, property] : properties.entries()) all.emplace_back(key, property.value);
    return all;
}

struct SyntaxCase {
    std::string name;
    std::string text;
    Pairs expected;
};

void PrintTo(const SyntaxCase& one, std::ostream* out) { *out << one.name; }

std::string name_of(const testing::TestParamInfo<SyntaxCase>& info) { return info.param.name; }

class Syntax : public testing::TestWithParam<SyntaxCase> {};

TEST_P(Syntax, Reads) {
    const Properties properties = parse(GetParam().text);
    EXPECT_EQ(pairs(properties), GetParam().expected);
    EXPECT_TRUE(properties.remarks().empty());
}

INSTANTIATE_TEST_SUITE_P(
    Java,
    Syntax,
    testing::Values(
        SyntaxCase{"equals", "a=1", {{"a", "1"}}},
        SyntaxCase{"colon", "a:1", {{"a", "1"}}},
        SyntaxCase{"blank", "a 1", {{"a", "1"}}},
        SyntaxCase{"tab", "a\t1", {{"a", "1"}}},
        SyntaxCase{"blanks_around", " \t\fa \t=\f 1", {{"a", "1"}}},
        SyntaxCase{"trailing_blanks_stay", "a=1 \t", {{"a", "1 \t"}}},
        SyntaxCase{
            "second_separator_is_value",
            "a==1\nb = : 2\nc : = 3",
            {{"a", "=1"}, {"b", ": 2"}, {"c", "= 3"}}
        },
        SyntaxCase{"blank_then_separator", "a  =1\nb  :2", {{"a", "1"}, {"b", "2"}}},
        SyntaxCase{"key_only", "a\nb=\nc:", {{"a", ""}, {"b", ""}, {"c", ""}}},
        SyntaxCase{"empty_key", "=1", {{"", "1"}}},
        SyntaxCase{"comments", "# a=1\n  ! b=2\nc=#3\n", {{"c", "#3"}}},
        SyntaxCase{"comment_does_not_continue", "# a \\\nb=1", {{"b", "1"}}},
        SyntaxCase{
            "line_ends",
            "a=1\rb=2\r\nc=3\n\n\nd=4",
            {{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}}
        },
        SyntaxCase{"continuation", "a=1,\\\n    2,\\\r\n\t3\nb=4", {{"a", "1,2,3"}, {"b", "4"}}},
        SyntaxCase{"continued_comment_sign", "a=1\\\n#2", {{"a", "1#2"}}},
        SyntaxCase{"blank_line_ends_continuation", "a=1\\\n\nb=2", {{"a", "1"}, {"b", "2"}}},
        SyntaxCase{"two_backslashes_end", "a=1\\\\\nb=2", {{"a", "1\\"}, {"b", "2"}}},
        SyntaxCase{"three_backslashes_continue", "a=1\\\\\\\n2", {{"a", "1\\2"}}},
        SyntaxCase{"backslash_at_the_end", "a=1\\", {{"a", "1"}}},
        SyntaxCase{"continuation_in_key", "ab\\\n  c=1", {{"abc", "1"}}},
        SyntaxCase{"escapes", "a=\\t\\n\\r\\f\\\\\\q\\'\\\"", {{"a", "\t\n\r\f\\q'\""}}},
        SyntaxCase{"escaped_separators", "a\\ b\\=c\\:d=1", {{"a b=c:d", "1"}}},
        SyntaxCase{"escaped_comment_sign", "\\#a=1", {{"#a", "1"}}},
        SyntaxCase{
            "regex",
            "canal.instance.filter.regex=.*\\\\..*",
            {{"canal.instance.filter.regex", ".*\\..*"}}
        },
        SyntaxCase{"single_backslash_is_lost", "a=.*\\..*", {{"a", ".*..*"}}},
        SyntaxCase{"unicode", "\\u4e2d=\\u00e9\\u20AC", {{"中", "é€"}}},
        SyntaxCase{"surrogates", "a=x\\ud83d\\uDE00y", {{"a", "x😀y"}}},
        SyntaxCase{"utf8", "a=中é", {{"a", "中é"}}},
        SyntaxCase{
            "utf8_mark",
            "\xEF\xBB\xBF"
            "a=1",
            {{"a", "1"}}
        },
        SyntaxCase{"latin1", "a=caf\xE9", {{"a", "café"}}},
        SyntaxCase{"empty", "", {}}
    ),
    name_of
);

TEST(Properties, KeepsTheFirstLineOfEachKey) {
    const Properties properties = parse("# c\na=1\nb=1\\\n2\\\n3\n\nc=4\r\nd=5");
    EXPECT_EQ(properties.find("a")->line, 2U);
    EXPECT_EQ(properties.find("b")->line, 3U);
    EXPECT_EQ(properties.find("c")->line, 7U);
    EXPECT_EQ(properties.find("d")->line, 8U);
    EXPECT_EQ(properties.at(7), "f:7");
}

TEST(Properties, LastOfDuplicatesWinsAndIsRemarked) {
    const Properties properties = parse("a=1\na=2\nb=3\nb=3\n");
    EXPECT_EQ(properties.find("a")->value, "2");
    EXPECT_EQ(properties.find("a")->line, 2U);
    ASSERT_EQ(properties.remarks().size(), 1U);
    EXPECT_EQ(properties.remarks()[0].line, 2U);
    EXPECT_EQ(properties.remarks()[0].key, "a");
    EXPECT_FALSE(properties.remarks()[0].error);
}

TEST(Properties, BadEscapesAreLocatedErrors) {
    for (const char* text :
         {"a=1\nb=\\u12",
          "a=1\nb=\\u12g4",
          "a=1\nb=\\ud83d",
          "a=1\nb=\\ude00",
          "a=1\nb=\\ud83dx\\ude00",
          "a=1\nb=\\ud83d\\u0041"}) {
        const Properties properties = parse(text);
        ASSERT_EQ(properties.remarks().size(), 1U) << text;
        EXPECT_TRUE(properties.remarks()[0].error) << text;
        EXPECT_EQ(properties.remarks()[0].line, 2U) << text;
        EXPECT_EQ(properties.remarks()[0].key, "b") << text;
        EXPECT_EQ(properties.find("a")->value, "1") << text;
    }
}

TEST(Properties, LinesAreBounded) {
    std::string text;
    for (size_t i = 0; i < kMaxPropertiesLines; ++i) text += "\n";
    EXPECT_TRUE(parse(text + "").remarks().empty());
    const Properties properties = parse(text + "a=1\n");
    ASSERT_EQ(properties.remarks().size(), 1U);
    EXPECT_TRUE(properties.remarks()[0].error);
    EXPECT_EQ(properties.find("a"), nullptr);
}

class PropertiesFile : public testing::Test {
 protected:
    std::string write(const std::string& text) const {
        const std::string path = dir_ + "/f.properties";
        std::ofstream(path, std::ios::binary) << text;
        return path;
    }

    const ScratchDir scratch_;
    const std::string dir_ = scratch_.path();
};

TEST_F(PropertiesFile, OfTheLargestSizeIsRead) {
    const std::string text = "a=" + std::string(kMaxPropertiesBytes - 2, 'x');
    const Result<Properties> properties = Properties::read(write(text));
    ASSERT_TRUE(properties.ok());
    EXPECT_EQ(properties->find("a")->value.size(), kMaxPropertiesBytes - 2);
}

TEST_F(PropertiesFile, LargerIsRefused) {
    const Result<Properties> properties =
        Properties::read(write("a=" + std::string(kMaxPropertiesBytes, 'x')));
    ASSERT_FALSE(properties.ok());
    EXPECT_EQ(properties.error().code, Errc::BadConfig);
    EXPECT_THAT(properties.error().detail, testing::HasSubstr("larger than 1048576 bytes"));
}

TEST_F(PropertiesFile, ThatIsMissingIsNotFound) {
    EXPECT_EQ(Properties::read(dir_ + "/none").error().code, Errc::NotFound);
    EXPECT_EQ(Properties::read(write("") + "/none").error().code, Errc::NotFound);
}

TEST_F(PropertiesFile, ThatIsNoFileIsRefused) {
    EXPECT_EQ(Properties::read(dir_).error().code, Errc::BadConfig);
    const std::string pipe = dir_ + "/pipe";
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    EXPECT_EQ(Properties::read(pipe).error().code, Errc::BadConfig);
}

}  // namespace
}  // namespace obcanal::config
