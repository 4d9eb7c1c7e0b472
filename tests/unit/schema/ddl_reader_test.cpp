#include "server/schema/ddl_reader.h"

#include "protocol/base/text.h"
#include "tests/unit/schema/golden_entries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <random>
#include <set>
#include <string>

namespace obcanal::schema {
namespace {

using canal::EventType;

std::string name_of(EventType type) {
    static constexpr std::array<const char*, 12> kNames = {
        "?",
        "INSERT",
        "UPDATE",
        "DELETE",
        "CREATE",
        "ALTER",
        "ERASE",
        "QUERY",
        "TRUNCATE",
        "RENAME",
        "CINDEX",
        "DINDEX"
    };
    return kNames.at(static_cast<size_t>(type));
}

std::string text_of(const std::vector<DdlEffect>& effects) {
    std::string out;
    for (const DdlEffect& effect : effects) {
        if (!out.empty()) out += ' ';
        out += name_of(effect.type) + "(";
        if (!effect.original_table.empty()) {
            out += effect.original_schema + "." + effect.original_table + ">";
        }
        out += effect.schema;
        if (!effect.table.empty()) out += "." + effect.table;
        out += ")";
    }
    return out.empty() ? "none" : out;
}

std::string with_line_ends(std::string_view text) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
        const bool escaped = text.substr(i, 2) == "\\n";
        out += escaped ? '\n' : text[i];
        if (escaped) ++i;
    }
    return out;
}

std::vector<std::string> corpus() {
    std::vector<std::string> lines = lines_of("tests/unit/schema/ddl_corpus.txt");
    std::erase_if(lines, [](const std::string& line) { return line.starts_with('#'); });
    EXPECT_GT(lines.size(), 200U);
    return lines;
}

TEST(DdlReader, Corpus) {
    for (const std::string& line : corpus()) {
        const std::vector<std::string_view> parts = split(line, '\t');
        ASSERT_GE(parts.size(), 2U) << line;
        EXPECT_EQ(text_of(read_ddl(with_line_ends(parts[0]), "dd")), parts[1]) << parts[0];
        EXPECT_TRUE(parts.size() == 2 || parts[1] != parts[2]) << parts[0];
    }
}

TEST(DdlReader, CaseOfKeywordsDoesNotMatter) {
    EXPECT_EQ(
        text_of(read_ddl("aLtEr TaBlE T aDd InDeX i(c), rEnAmE tO U", "dd")),
        "CINDEX(dd.T) RENAME(dd.T>dd.U)"
    );
}

// Every beginning of every statement has an answer, and so has every statement with a byte changed.
TEST(DdlReader, CutAndDamagedStatementsHaveAnAnswer) {
    std::mt19937 random(5);  // NOLINT(cert-msc51-cpp): the same damage in each run
    size_t answers = 0;
    for (const std::string& line : corpus()) {
        const std::string sql = with_line_ends(split(line, '\t')[0]);
        for (size_t length = 0; length <= sql.size(); ++length) {
            // A copy of its own, so that a read past the end is one for the sanitizer too.
            const std::string cut = sql.substr(0, length);
            for (const DdlEffect& effect : read_ddl(cut, "dd")) {
                EXPECT_LE(effect.table.size(), cut.size());
                ++answers;
            }
        }
        std::string damaged = sql;
        for (int i = 0; i < 20 && !damaged.empty(); ++i) {
            damaged[random() % damaged.size()] = "'`\"()/*;,.\\\0x"[random() % 13];
            answers += read_ddl(damaged, "dd").size();
        }
    }
    EXPECT_GT(answers, corpus().size());
}

TEST(DdlReader, DeepNestingNeedsNoStack) {
    std::string sql = "alter table t add column c int default " + std::string(200'000, '(');
    EXPECT_EQ(text_of(read_ddl(sql, "dd")), "ALTER(dd.t)");
    sql = "alter table t add index i(c)" + std::string(200'000, ')') + ", drop index j";
    EXPECT_EQ(read_ddl(sql, "dd").front().type, EventType::CIndex);
}

struct GoldenStatement {
    std::string sql;
    std::string default_schema;
    std::string expected;  // of the header, which shows the first effect
};

std::vector<GoldenStatement> golden_statements(const std::string& file) {
    std::vector<GoldenStatement> out;
    for (const GoldenEntry& entry : golden_entries(file)) {
        const std::string type = text_member(entry.header, "eventType");
        const std::string sql = text_member(entry.row_change, "sql");
        // What is neither is a row statement that the server noted, or a variable.
        const bool dml = type == "INSERT" || type == "UPDATE" || type == "DELETE";
        if (sql.empty() || (!dml && !bool_member(entry.row_change, "isDdl"))) continue;
        std::string expected = type + "(" + text_member(entry.header, "schemaName");
        const std::string table = text_member(entry.header, "tableName");
        if (!table.empty()) expected += "." + table;
        out.push_back({sql, text_member(entry.row_change, "ddlSchemaName"), expected + ")"});
    }
    return out;
}

// The first effect as the header of an entry shows it: the original names are not in it.
std::string first_of(std::vector<DdlEffect> effects) {
    effects.resize(std::min<size_t>(1, effects.size()));
    for (DdlEffect& effect : effects) effect.original_table.clear();
    return text_of(effects);
}

class GoldenDdl : public testing::TestWithParam<std::pair<const char*, size_t>> {};

TEST_P(GoldenDdl, AsTheReferenceServerSaid) {
    // Statements that its parser can't read: it made a QUERY without names of them.
    const std::set<std::string> unread = {"CREATE TABLE t_gen"};
    const std::vector<GoldenStatement> statements = golden_statements(GetParam().first);
    EXPECT_EQ(statements.size(), GetParam().second);
    for (const GoldenStatement& golden : statements) {
        std::string expected = golden.expected;
        const auto unread_here = std::ranges::find_if(unread, [&](const std::string& beginning) {
            return golden.sql.starts_with(beginning);
        });
        if (unread_here != unread.end()) {
            EXPECT_EQ(expected, "QUERY()") << golden.sql;
            expected = "CREATE(golden.t_gen)";
        }
        EXPECT_EQ(first_of(read_ddl(golden.sql, golden.default_schema)), expected) << golden.sql;
    }
}

INSTANTIATE_TEST_SUITE_P(
    Recordings,
    GoldenDdl,
    testing::Values(
        std::pair{"binlog/entries.jsonl", size_t{88}},
        std::pair{"oblog/golden/shop.entries.jsonl", size_t{3}},
        std::pair{"oblog/golden/shop-ddl.entries.jsonl", size_t{13}},
        std::pair{"oblog/golden/types.entries.jsonl", size_t{1}}
    )
);

// Statements of the workload that the reference server has no entry for have none here.
TEST(DdlReader, StatementsWithoutEntryInTheRecording) {
    std::set<std::string> recorded;
    for (const GoldenStatement& golden : golden_statements("binlog/entries.jsonl")) {
        recorded.insert(golden.sql);
    }
    size_t silent = 0;
    for (const char* sql : {
             "CREATE VIEW v1 AS SELECT id FROM d1",
             "CREATE OR REPLACE VIEW v1 AS SELECT id,a FROM d1",
             "DROP VIEW v1",
             "CREATE PROCEDURE p1() SELECT 1",
             "CREATE FUNCTION f1(x INT) RETURNS INT DETERMINISTIC RETURN x+1",
             "CREATE TRIGGER trg2 BEFORE INSERT ON d3 FOR EACH ROW SET NEW.name='t'",
             "CREATE EVENT ev1 ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1",
             "CREATE SEQUENCE seq1",
             "ALTER TABLE t_part REMOVE PARTITIONING",
             "ANALYZE TABLE d1",
             "CREATE USER u1@localhost IDENTIFIED BY 'pw'",
             "GRANT SELECT ON golden.* TO u1@localhost",
             "ALTER DATABASE golden2 CHARACTER SET latin1",
         }) {
        EXPECT_FALSE(recorded.contains(sql)) << sql;
        EXPECT_TRUE(read_ddl(sql, "golden").empty()) << sql;
        ++silent;
    }
    EXPECT_EQ(silent, 13U);
}

}  // namespace
}  // namespace obcanal::schema
