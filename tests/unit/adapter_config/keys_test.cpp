// conf/ADAPTER_KEYS.md against the program: each key that the page has is known, and each value
// that the program reads is on the page.
#include "adapter/config/es_mapping.h"
#include "adapter/config/load.h"
#include "adapter/config/rdb_mapping.h"
#include "protocol/base/text.h"

#include <gmock/gmock.h>

#include <fstream>
#include <set>
#include <string>
#include <string_view>

namespace obcanal::adapter::config {
namespace {

// Keys of the section that begins with `title`.
std::set<std::string> keys_of_page(const std::string& title) {
    std::ifstream file("conf/ADAPTER_KEYS.md");
    std::set<std::string> keys;
    bool inside = false;
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("## ")) inside = line == "## " + title;
        if (!inside || !line.starts_with("| `")) continue;
        const std::string cell = line.substr(0, line.find(" | ", 2));
        // `key`, and more of them: what stands between two quotes is every second piece.
        bool quoted = false;
        for (const std::string_view piece : split(cell, '`')) {
            if (quoted) keys.emplace(piece);
            quoted = !quoted;
        }
    }
    return keys;
}

// "a[12].b" as "a[].b".
std::string without_indexes(std::string_view key) {
    std::string text;
    for (const char c : key) {
        if (text.ends_with('[') && c >= '0' && c <= '9') continue;
        text += c;
    }
    return text;
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
    for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size()) {
        text.replace(at, what.size(), with);
    }
    return text;
}

TEST(AdapterKeysTest, ThePageAndTheProgramAgreeOnApplicationYml) {
    const std::set<std::string> page = keys_of_page("application.yml");
    ASSERT_GT(page.size(), 40U);
    std::string adapters;
    std::string text;
    const std::string item = "canal.conf.canalAdapters[].groups[].outerAdapters[].";
    for (const std::string& key : page) {
        if (key.starts_with(item)) {
            const std::string name = key.substr(item.size());
            adapters +=
                "        " + name + ": " + (name == "properties" ? "{a: b}" : "logger") + "\n";
        } else if (key.find("[]") == std::string::npos && key != "spring") {
            std::string value = "1";
            if (key == "logging" || key == "management") value = "{x: y}";
            if (key == "canal.conf.consumerProperties") value = "{canal.tcp.server.host: 'h:1'}";
            if (key == "canal.conf.mode") value = "tcp";
            if (key == "canal.adapter.position") value = "target";
            if (key.ends_with(".url")) value = "jdbc:mysql://h/d";
            text += replaced(key, "<key>", "ds") + ": " + value + "\n";
        }
    }
    adapters =
        "canal.conf.canalAdapters:\n- instance: d\n  groups:\n  - groupId: g\n    outerAdapters:\n "
        "     -\n" +
        adapters;
    const LoadedAdapter loaded = load_text("application.yml", text + adapters, {}, {});
    EXPECT_TRUE(loaded.valid());
    for (const Finding& finding : loaded.findings) {
        EXPECT_EQ(finding.what.find("is no key that is known"), std::string::npos)
            << finding_text(finding);
    }
    for (const PrintedValue& value : loaded.values) {
        std::string key = without_indexes(value.key);
        key = replaced(key, "srcDataSources.ds.", "srcDataSources.<key>.");
        const bool known = std::any_of(page.begin(), page.end(), [&key](const std::string& other) {
            return key == other || (key.starts_with(other + ".") && (other.ends_with("roperties")));
        });
        EXPECT_TRUE(known) << key << " is not in conf/ADAPTER_KEYS.md";
    }
}

TEST(AdapterKeysTest, ThePageAndTheProgramAgreeOnMappings) {
    const std::set<std::string> page = keys_of_page("rdb/*.yml");
    ASSERT_GT(page.size(), 15U);
    std::string text;
    for (const std::string& key : page) {
        std::string value = "1";
        if (key == "onError") value = "park";
        if (key.ends_with("targetPk") || key.ends_with("targetColumns")) value = "{a: b}";
        text += key + ": " + value + "\n";
    }
    FindingList findings;
    EXPECT_TRUE(read_rdb_mapping({"t.yml", "t.yml", text, {}}, {}, findings));
    for (const Finding& finding : findings.take()) ADD_FAILURE() << finding_text(finding);
}

TEST(AdapterKeysTest, ThePageAndTheProgramAgreeOnEsMappings) {
    const std::set<std::string> page = keys_of_page("es/*.yml");
    ASSERT_GT(page.size(), 15U);
    std::string text;
    for (const std::string& key : page) {
        std::string value = "1";
        if (key == "onError") value = "park";
        if (key.ends_with("objFields")) value = "{a: 'array:;'}";
        if (key.ends_with("relations")) value = "{a: {name: b, parent: c}}";
        if (key.ends_with("skips")) value = "[a]";
        text += key + ": " + value + "\n";
    }
    FindingList findings;
    EXPECT_TRUE(read_es_mapping({"t.yml", "t.yml", text, {}}, {}, findings));
    for (const Finding& finding : findings.take()) ADD_FAILURE() << finding_text(finding);
}

TEST(AdapterKeysTest, TheSamplesAreRight) {
    const LoadedAdapter loaded = load("conf/adapter", {}, {});
    EXPECT_TRUE(loaded.findings.empty());
    EXPECT_EQ(loaded.config.rest_host, "127.0.0.1");
    FindingList findings;
    MappingDirectory directory("conf/adapter/rdb");
    for (const MappingFile& file : directory.scan().changed) {
        EXPECT_TRUE(read_rdb_mapping(file, {}, findings)) << file.path;
    }
    EXPECT_TRUE(findings.take().empty());
}

}  // namespace
}  // namespace obcanal::adapter::config
