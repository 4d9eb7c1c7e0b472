// Every statement form that the supported servers document: none stops the readers, and after each
// the catalog knows what the table is, or knows that it does not.
#include "protocol/base/text.h"
#include "server/schema/catalog.h"
#include "server/schema/ddl_reader.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace obcanal::schema {
namespace {

struct Form {
    size_t line = 0;
    std::string group;
    std::string text;
    std::string expected;  // empty: whatever it is, it is known
};

std::vector<Form> forms() {
    std::ifstream file("tests/unit/schema/ddl_forms.txt");
    EXPECT_TRUE(file);
    std::vector<Form> out;
    std::string group;
    size_t number = 0;
    for (std::string line; std::getline(file, line);) {
        ++number;
        if (line.empty() || line[0] == '#') continue;
        if (line[0] == '[') {
            group = line.substr(1, line.find(':') - 1);
            continue;
        }
        const size_t tab = line.find('\t');
        out.push_back(
            {number,
             group,
             line.substr(0, tab),
             tab == std::string::npos ? "" : line.substr(tab + 1)}
        );
    }
    return out;
}

// Every combination of the choices. A brace without a bar inside is a brace.
void expand(const std::string& text, size_t from, std::vector<std::string>& out) {
    for (size_t open = text.find('{', from); open != std::string::npos;
         open = text.find('{', open + 1)) {
        const size_t close = text.find('}', open);
        if (close == open + 1) continue;  // '{}'
        // '{}' may stand among the choices.
        size_t end = open + 1;
        for (int depth = 1; depth > 0 && end < text.size(); ++end)
            depth += text[end] == '{' ? 1 : text[end] == '}' ? -1 : 0;
        std::string choices = text.substr(open + 1, end - open - 2);
        if (choices.find('|') == std::string::npos) continue;
        choices += '|';
        for (size_t at = 0; at < choices.size();) {
            const size_t bar = choices.find('|', at);
            const std::string choice = choices.substr(at, bar - at);
            expand(text.substr(0, open) + choice + text.substr(end), open + choice.size(), out);
            at = bar + 1;
        }
        return;
    }
    out.push_back(text);
}

std::string table_text(const Catalog& catalog, const std::string& name) {
    const TableDefinition* table = catalog.find("dd", name);
    if (table == nullptr) return "gone(" + name + ")";
    std::string out = name + "(";
    for (const ColumnDefinition& column : table->columns) {
        if (out.back() != '(') out += " ";
        out += column.name;
    }
    return out + ")";
}

TEST(DdlForms, NoneStopsAndEachGivesItsTable) {
    struct Count {
        size_t statements = 0;
        size_t refreshed = 0;
    };

    std::map<std::string, Count> counts;
    std::set<std::string> seen;
    for (const Form& form : forms()) {
        std::vector<std::string> statements;
        expand(form.text, 0, statements);
        for (const std::string& sql : statements) {
            if (!seen.insert(sql).second) continue;
            const std::string where = std::to_string(form.line) + ": " + sql;
            Catalog catalog({.names_ignore_case = false, .charset = "utf8mb4"});
            catalog.apply(
                "create table t (id int primary key, c int, d varchar(10), e enum('a','b'))", "dd"
            );
            catalog.apply("create table u like t", "dd");
            static_cast<void>(read_ddl(sql, "dd"));
            bool unknown = false;
            bool touched = false;
            for (const TableChange& change : catalog.apply(sql, "dd")) {
                unknown = unknown || change.state == TableChange::State::Unknown;
                touched = touched || !change.name.table.empty();
            }
            Count& count = counts[form.group];
            ++count.statements;
            count.refreshed += unknown ? 1 : 0;
            EXPECT_EQ(unknown, form.expected == "?") << where;
            if (form.expected == "-") {
                EXPECT_FALSE(touched) << where;
                EXPECT_EQ(table_text(catalog, "t"), "t(id c d e)") << where;
            } else if (form.expected.find('(') != std::string::npos) {
                const bool gone = form.expected.starts_with("gone(");
                std::string name = form.expected.substr(gone ? 5 : 0);
                name.resize(name.find_first_of("()"));
                EXPECT_EQ(table_text(catalog, name), form.expected) << where;
            }
        }
    }
    Count all;
    for (const auto& [group, count] : counts) {
        std::cout << group << ": " << count.statements << " statements, " << count.refreshed
                  << " tables to be read again\n";
        all.statements += count.statements;
        all.refreshed += count.refreshed;
    }
    std::cout << "all: " << all.statements << " statements, " << all.refreshed << " ("
              << 100.0 * static_cast<double>(all.refreshed) / static_cast<double>(all.statements)
              << " %) to be read again, none stops\n";
    EXPECT_GE(all.statements, 1000U);
    EXPECT_LE(all.refreshed * 50, all.statements);
}

}  // namespace
}  // namespace obcanal::schema
