// Layers: which value wins and what placeholders become, as the reference does it.
#include "server/config/layers.h"

#include "environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace obcanal::config {
namespace {

using testing::HasSubstr;

class LayersTest : public testing::Test {
 protected:
    void common(std::string_view text) { common_ = Properties::parse(as_bytes(text), "canal"); }
    void instance(std::string_view text) {
        instance_ = Properties::parse(as_bytes(text), "instance");
    }

    Layers layers() const { return Layers(defines_, {&common_, &common_, &instance_}, "shop"); }

    std::string value(std::string_view key, std::string_view fallback = "") const {
        const Setting setting = layers().instance(key, fallback);
        return setting.problem.empty() ? setting.text : "problem: " + setting.problem;
    }

    std::string origin(std::string_view key) const { return layers().instance(key, "").origin; }

    Layers::Defines defines_;
    Properties common_;
    Properties instance_;
};

TEST_F(LayersTest, InstanceKeysFollowThePrecedence) {
    EXPECT_EQ(value("k", "default"), "default");
    EXPECT_EQ(origin("k"), "default");
    common("\nk=common");
    EXPECT_EQ(value("k", "default"), "common");
    EXPECT_EQ(origin("k"), "canal:2");
    instance("k=instance");
    EXPECT_EQ(value("k"), "instance");
    EXPECT_EQ(origin("k"), "instance:1");
    EXPECT_TRUE(layers().instance("k", "").from_instance_file);
    const Environment set("k", "environment");
    EXPECT_EQ(value("k"), "environment");
    EXPECT_EQ(origin("k"), "environment");
    defines_["k"] = "define";
    EXPECT_EQ(value("k"), "define");
    EXPECT_EQ(origin("k"), "command line");
    EXPECT_FALSE(layers().instance("k", "").from_instance_file);
}

TEST_F(LayersTest, BlankInstanceValuesCountAsMissing) {
    common("a=common\nb=common\nc= \nd=common\n");
    instance("a= \nb=instance\n");
    const Environment blank_b("b", "  ");
    const Environment set_d("d", "environment");
    defines_["d"] = "";
    EXPECT_EQ(value("b"), "instance");
    EXPECT_EQ(value("c", "default"), "default");
    // The two files are one set of properties to the reference, of which the last value counts.
    EXPECT_EQ(value("a", "default"), "default");
    // A system property hides the environment even when it is blank.
    EXPECT_EQ(value("d"), "common");
}

TEST_F(LayersTest, ServerKeysFollowThePrecedence) {
    EXPECT_FALSE(layers().server("k").has_value());
    common("k = file \n");
    instance("k=instance");
    EXPECT_EQ(layers().server("k")->text, "file");
    EXPECT_EQ(layers().server("k")->origin, "canal:1");
    {
        const Environment empty("k", "");
        EXPECT_EQ(layers().server("k")->text, "");
        EXPECT_EQ(layers().server("k")->origin, "environment");
    }
    const Environment set("k", "environment");
    EXPECT_EQ(layers().server("k")->text, "environment");
    defines_["k"] = "define";
    EXPECT_EQ(layers().server("k")->text, "define");
}

TEST_F(LayersTest, ServerKeysKeepPlaceholders) {
    common("k=${x:1}\nx=2");
    EXPECT_EQ(layers().server("k")->text, "${x:1}");
}

TEST_F(LayersTest, ReplacesPlaceholders) {
    common(
        "plain=value\n"
        "one=<${plain}>\n"
        "two=${plain}${plain}\n"
        "chain=${one}!\n"
        "fallback=${none:text}\n"
        "empty_fallback=<${none:}>\n"
        "unresolved=<${none}>\n"
        "first_colon=${none:a:b:c}\n"
        "nested_fallback=${none:${plain}}\n"
        "nested_key=${pl${tail}}\n"
        "tail=ain\n"
        "braces=${none:{a}}\n"
        "open=a${plain\n"
        "blanks=${ plain }\n"
        "destination=../conf/${canal.instance.destination:}/ca.crt\n"
        "default_with_placeholder=${none:${none2:deep}}\n"
        "dollar=a$b{c}\n"
    );
    EXPECT_EQ(value("one"), "<value>");
    EXPECT_EQ(value("two"), "valuevalue");
    EXPECT_EQ(value("chain"), "<value>!");
    EXPECT_EQ(value("fallback"), "text");
    EXPECT_EQ(value("empty_fallback"), "<>");
    EXPECT_EQ(value("unresolved"), "<>");
    EXPECT_EQ(value("first_colon"), "a:b:c");
    EXPECT_EQ(value("nested_fallback"), "value");
    EXPECT_EQ(value("nested_key"), "value");
    EXPECT_EQ(value("braces"), "{a}");
    EXPECT_EQ(value("open"), "a${plain");
    EXPECT_EQ(value("blanks"), "value");
    EXPECT_EQ(value("destination"), "../conf/shop/ca.crt");
    EXPECT_EQ(value("default_with_placeholder"), "deep");
    EXPECT_EQ(value("dollar"), "a$b{c}");
    EXPECT_EQ(value("absent", "${plain}"), "value");
}

TEST_F(LayersTest, PlaceholdersSeeEveryLayer) {
    common("k=${x}\nx=common");
    instance("x=instance");
    EXPECT_EQ(value("k"), "instance");
    const Environment set("x", "environment");
    EXPECT_EQ(value("k"), "environment");
    defines_["x"] = "define";
    EXPECT_EQ(value("k"), "define");
    // The name of the destination can't be overridden.
    defines_["canal.instance.destination"] = "other";
    common("k=${canal.instance.destination}");
    EXPECT_EQ(value("k"), "shop");
}

TEST_F(LayersTest, CircularPlaceholdersAreAProblem) {
    common("a=${b}\nb=${c}\nc=${a}\nself=x${self}");
    EXPECT_THAT(value("a"), HasSubstr("problem: ${a} refers to itself"));
    EXPECT_THAT(value("self"), HasSubstr("problem: ${self} refers to itself"));
    EXPECT_EQ(layers().instance("a", "").origin, "canal:1");
}

TEST_F(LayersTest, PlaceholdersAreBounded) {
    std::string doubling = "k0=xxxxxxxxxx\n";
    for (int i = 1; i < 16; ++i) {
        const std::string below = "${k" + std::to_string(i - 1) + "}";
        doubling += "k" + std::to_string(i) + "=" + below + below + "\n";
    }
    common(doubling);
    EXPECT_THAT(value("k15"), HasSubstr("problem: "));
    std::string deep;
    for (int i = 0; i < 100'000; ++i) deep += "${";
    for (int i = 0; i < 100'000; ++i) deep += "}";
    common("deep=" + deep);
    EXPECT_THAT(value("deep"), HasSubstr("problem: placeholders nest too deeply"));
    common("wide=" + std::string(60'000, 'x') + "\nk=${wide}${wide}");
    EXPECT_THAT(value("k"), HasSubstr("problem: placeholders expand to more than"));
}

TEST_F(LayersTest, RemembersWhatWasAskedFor) {
    common("k=${mine}");
    Layers asking = layers();
    static_cast<void>(asking.instance("k", ""));
    EXPECT_TRUE(asking.asked().contains("k"));
    EXPECT_TRUE(asking.asked().contains("mine"));
    EXPECT_FALSE(asking.asked().contains("other"));
}

}  // namespace
}  // namespace obcanal::config
