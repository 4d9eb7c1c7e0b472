// conf/KEYS.md against the tables of keys: no key is missing there, none is invented, and what it
// says of a key is what the table says. Each key without effect is named when somebody sets it.
#include "conf_dir.h"
#include "server/config/binlog_config.h"
#include "server/config/key_table.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

namespace obcanal::config {
namespace {

constexpr const char* kPage = "conf/KEYS.md";

struct TableKey {
    KeyInfo info;
    std::string name;
    bool number = false;  // only a number can be assigned
};

template <class S>
void add(std::vector<TableKey>& to, std::span<const Key<S>> keys, std::string_view prefix = {}) {
    for (const Key<S>& key : keys) {
        const bool text = std::holds_alternative<NoMember>(key.member) ||
                          std::holds_alternative<std::string S::*>(key.member);
        to.push_back({key, std::string(prefix) + std::string(key.name), !text});
    }
}

std::vector<TableKey> all_keys() {
    std::vector<TableKey> all;
    add(all, server_keys());
    for (const std::string_view prefix : {"canal.tls", "canal.admin.tls", "canal.metrics.tls"})
        add(all, tls_keys(), prefix);
    add(all, per_destination_keys());
    add(all, instance_keys());
    add(all, oblog_keys());
    add(all, binlog_keys());
    add(all, mysql_server_keys(), "canal.instance.master");
    add(all, mysql_server_keys(), "canal.instance.standby");
    for (const KeyInfo& info : foreign_keys()) all.push_back({info, std::string(info.name)});
    for (const KeyPrefix& prefix : foreign_prefixes()) {
        KeyInfo info;
        info.unsupported = prefix.unsupported;
        info.doc = "Handed to the queue's client as it is.";
        all.push_back({info, std::string(prefix.prefix) + "*"});
    }
    return all;
}

// A cell of a table: a bar would end it.
std::string cell(std::string_view text) {
    std::string out;
    for (const char c : text) out += c == '|' ? std::string("\\|") : std::string(1, c);
    return out;
}

// The row but for its last cell, which says what tests the key.
std::string row_of(const TableKey& key) {
    const KeyInfo& info = key.info;
    std::string effect = info.own ? "obcanal's own" : "as the reference";
    if (!info.unsupported.empty()) effect = "none: " + cell(info.unsupported);
    const std::string fallback =
        info.fallback.empty() ? std::string() : "`" + cell(info.fallback) + "`";
    return "| `" + key.name + "` | " + fallback + " | " + effect + " | " + cell(info.doc) + " | ";
}

struct Row {
    std::string begin;
    std::vector<std::string> tests;
};

std::map<std::string, Row> rows_of_page() {
    std::map<std::string, Row> rows;
    std::ifstream page(kPage);
    EXPECT_TRUE(page.is_open()) << kPage;
    for (std::string line; std::getline(page, line);) {
        if (!line.starts_with("| `")) continue;
        const std::string name = line.substr(3, line.find('`', 3) - 3);
        const size_t last = line.rfind(" | ") + 3;
        Row row{line.substr(0, last), {}};
        std::string tests = line.substr(last, line.rfind(" |") - last);
        for (size_t at = tests.find(", "); !tests.empty(); at = tests.find(", ")) {
            row.tests.push_back(tests.substr(0, at));
            tests.erase(0, at == std::string::npos ? at : at + 2);
        }
        EXPECT_TRUE(rows.emplace(name, std::move(row)).second) << name << " stands there twice";
    }
    return rows;
}

TEST(KeysPage, SaysWhatTheTablesSay) {
    std::map<std::string, Row> rows = rows_of_page();
    for (const TableKey& key : all_keys()) {
        const auto row = rows.find(key.name);
        if (row == rows.end()) {
            ADD_FAILURE() << "missing in " << kPage << ":\n" << row_of(key);
            continue;
        }
        EXPECT_EQ(row->second.begin, row_of(key));
        rows.erase(row);
    }
    for (const auto& [name, row] : rows) ADD_FAILURE() << kPage << ": no table has " << name;
}

// Those that are named must know the key; keys with a common beginning are tested by their end.
TEST(KeysPage, NamesTestsThatKnowTheKey) {
    std::map<std::string, std::string> sources;
    const auto text_of = [&sources](const std::string& path) -> const std::string& {
        const auto [known, fresh] = sources.try_emplace(path);
        if (!fresh) return known->second;
        std::ifstream file(path);
        EXPECT_TRUE(file.is_open()) << path << " is named in " << kPage;
        known->second.assign(std::istreambuf_iterator<char>(file), {});
        return known->second;
    };
    size_t named = 0;
    for (const auto& [name, row] : rows_of_page()) {
        EXPECT_FALSE(row.tests.empty()) << name;
        const std::string end = name.substr(name.rfind('.', name.rfind('.') - 1) + 1);
        for (const std::string& test : row.tests) {
            // This file looks at all keys that have no effect.
            if (test == "tests/unit/config/keys_test.cpp") continue;
            ++named;
            EXPECT_NE(text_of(test).find(end), std::string::npos) << test << " lacks " << name;
        }
    }
    EXPECT_GT(named, 80U);
}

TEST_F(ConfDirTest, EveryKeyWithoutEffectIsNamed) {
    std::set<std::string> server_names;
    for (const Key<ServerConfig>& key : server_keys()) server_names.emplace(key.name);
    for (const Key<InstanceConfig>& key : per_destination_keys()) server_names.emplace(key.name);
    std::string server_lines;
    std::string instance_lines = "canal.instance.source = binlog\n";
    std::vector<std::string> wanted;
    for (const TableKey& key : all_keys()) {
        if (key.info.unsupported.empty()) continue;
        std::string name = key.name;
        if (name.ends_with('*')) name.replace(name.size() - 1, 1, "anything");
        const std::string line = name + " = " + (key.number ? "1234" : "something") + "\n";
        (server_names.contains(name) ? server_lines : instance_lines) += line;
        wanted.push_back(name);
    }
    server(server_lines);
    write(instance_file(), "canal.instance.master.address = 127.0.0.1:3306\n" + instance_lines);
    const std::string text = findings();
    for (const std::string& name : wanted)
        EXPECT_THAT(text, testing::HasSubstr(name)) << "is passed over in silence";
    EXPECT_GT(wanted.size(), 100U);
}

// Whether the value is a sound one does not matter here.
TEST_F(ConfDirTest, EveryKeyOfADestinationIsReadFromItsFile) {
    for (const bool binlog : {false, true}) {
        std::vector<TableKey> keys;
        add(keys, instance_keys());
        if (binlog) {
            add(keys, binlog_keys());
            add(keys, mysql_server_keys(), "canal.instance.master");
            add(keys, mysql_server_keys(), "canal.instance.standby");
        } else {
            add(keys, oblog_keys());
        }
        std::string lines;
        std::set<std::string> unread;
        for (const TableKey& key : keys) {
            const bool chooses = key.name == "canal.instance.source";
            const std::string_view source = binlog ? "binlog" : "oblogproxy";
            lines += key.name + " = " + std::string(chooses ? source : "1") + "\n";
            unread.insert(key.name);
        }
        write(instance_file(), lines);
        for (const PrintedValue& value : loaded().values) {
            if (value.scope == "shop" &&
                value.origin.find("instance.properties:") != std::string::npos)
                unread.erase(value.key);
        }
        EXPECT_THAT(unread, testing::IsEmpty()) << (binlog ? "binlog" : "oblogproxy");
    }
}

}  // namespace
}  // namespace obcanal::config
