// ${name} and ${name:default}.
#include "adapter/config/placeholders.h"

#include <gmock/gmock.h>

namespace obcanal::adapter::config {
namespace {

using testing::HasSubstr;

Placeholders sample() {
    return {
        Overrides({"given=cli"}, {{"HOME_DB", "env"}, {"canal.dotted", "dotted"}}),
        {{"canal.conf.a", "file"}, {"canal.conf.b", "<${canal.conf.a}>"}, {"self", "${self}"}}
    };
}

std::string resolved(std::string_view text) {
    const Result<std::string> value = sample().resolve(text);
    return value ? *value : "! " + value.error().detail;
}

TEST(PlaceholdersTest, NamesAreKeysVariablesOrDefines) {
    EXPECT_EQ(resolved("plain $ {x} $"), "plain $ {x} $");
    EXPECT_EQ(resolved("${canal.conf.a}/${CANAL.CONF.B}"), "file/<file>");
    EXPECT_EQ(resolved("${HOME_DB}${home.db}${given}"), "envenvcli");
    EXPECT_EQ(resolved("${canal.dotted}"), "dotted");
}

TEST(PlaceholdersTest, DefaultMayBeEmptyHoldColonsAndNest) {
    EXPECT_EQ(resolved("[${none:}]"), "[]");
    EXPECT_EQ(resolved("${none:h:3306}"), "h:3306");
    EXPECT_EQ(resolved("${none:${none2:${given}}}"), "cli");
    EXPECT_EQ(resolved("${given:unused}"), "cli");
}

TEST(PlaceholdersTest, WhatCannotBeResolvedIsNamed) {
    EXPECT_EQ(resolved("x${none}"), "! ${none}: is neither a key nor an environment variable");
    EXPECT_THAT(resolved("${self}"), HasSubstr("refers to itself"));
    EXPECT_EQ(resolved("${open"), "${open");
}

TEST(PlaceholdersTest, MappingFilesKeepWhatIsUnknown) {
    EXPECT_EQ(
        sample().resolve_known("where a={} and ${none} ${given}"), "where a={} and ${none} cli"
    );
    EXPECT_EQ(sample().resolve_known("${self}"), "${self}");
}

}  // namespace
}  // namespace obcanal::adapter::config
