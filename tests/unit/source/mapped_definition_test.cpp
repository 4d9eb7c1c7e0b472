// Tables that the history does not describe: asked for, or told by their table maps alone.
#include "server/source/mapped_definition.h"

#include "protocol/base/text.h"
#include "protocol/canal/entry.pb.h"
#include "protocol/canal/entry_encoder.h"
#include "server/source/binlog_translator.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>

namespace obcanal::source {
namespace {

using mysql::ColumnType;

mysql::MappedColumn column(ColumnType type, uint32_t length = 0) {
    mysql::MappedColumn out;
    out.type = type;
    out.length = length;
    return out;
}

schema::TableDefinition table(const std::string& columns) {
    return *schema::read_definition("create table t (" + columns + ")", {"s", "t"});
}

TEST(MappedDefinition, FitsWhatMayBeMeant) {
    mysql::TableMap map;
    map.columns = {column(ColumnType::Long), column(ColumnType::VarChar, 40)};
    EXPECT_TRUE(fits(map, table("a int, b varchar(10)")));
    EXPECT_TRUE(fits(map, table("a INTEGER UNSIGNED, b national varchar(10), added text")));
    EXPECT_TRUE(fits(map, table("a int, b inet6")));  // of a plugin: anything
    EXPECT_FALSE(fits(map, table("a int")));
    EXPECT_FALSE(fits(map, table("b varchar(10), a int")));
    EXPECT_FALSE(fits(map, table("a bigint, b varchar(10)")));
    map.columns = {column(ColumnType::Blob, 2)};
    for (const char* type : {"text", "blob", "json", "varchar(70000)", "long varchar"})
        EXPECT_TRUE(fits(map, table(std::string("a ") + type))) << type;
    for (const char* type : {"int", "datetime", "bit(3)", "enum('a')"})
        EXPECT_FALSE(fits(map, table(std::string("a ") + type))) << type;
}

TEST(MappedDefinition, NamesColumnsByNumberUnlessTheLogNamesThem) {
    mysql::TableMap map;
    map.schema = "s";
    map.table = "t";
    map.columns = {
        column(ColumnType::LongLong), column(ColumnType::String, 4), column(ColumnType::Blob, 4)
    };
    map.columns[0].is_unsigned = true;
    map.columns[2].collation = 45;  // utf8mb4_general_ci
    schema::TableDefinition made = mapped_definition(map);
    EXPECT_EQ(
        schema::create_statement(made),
        "CREATE TABLE `s`.`t` (`@1` bigint unsigned NOT NULL, `@2` char(4) NOT NULL, `@3` longtext "
        "CHARACTER SET utf8mb4 NOT NULL)"
    );
    EXPECT_TRUE(fits(map, made));
    map.has_names = true;
    map.columns[0].name = "id";
    map.columns[0].primary_key = true;
    map.columns[1] = column(ColumnType::Enum, 1);
    map.columns[1].name = "e";
    map.columns[1].members = {"a", "it's"};
    map.columns[1].nullable = true;
    map.columns[2].name = "n";
    made = mapped_definition(map);
    EXPECT_EQ(
        schema::create_statement(made),
        "CREATE TABLE `s`.`t` (`id` bigint unsigned NOT NULL, `e` enum('a','it''s'), `n` longtext "
        "CHARACTER SET utf8mb4 NOT NULL, PRIMARY KEY (`id`))"
    );
}

// The recorded log without its CREATE TABLE statements.
class Orphans {
 public:
    explicit Orphans(bool leave_out) {
        config_.binlog.filter_table_error = leave_out;
        translator_ = BinlogTranslator::make(config_, schemas_, filter_, {}, state_).value();
    }

    void run(bool answer) {
        std::ifstream file(
            std::string(OBCANAL_FIXTURES) + "/binlog/mysql-bin.000002", std::ios::binary
        );
        const std::string log{std::istreambuf_iterator<char>(file), {}};
        translator_->begin_stream({"mysql-bin.000002", 4}, std::nullopt, false, 0);
        for (size_t at = 4; at < log.size();) {
            const Bytes event = event_at(log, at);
            at += event.size();
            // A statement has a GTID event before it.
            if (at < log.size() && keep_for_later(event_at(log, at))) {
                at += event_at(log, at).size();
                continue;
            }
            ASSERT_TRUE(translator_->begin(event).ok());
            for (;;) {
                const auto more = translator_->next();
                ASSERT_TRUE(more.ok()) << more.error().detail;
                if (const auto& name = translator_->missing_table()) {
                    asked.insert(name->table);
                    if (answer)
                        schemas_.define(
                            {{*name, created_[name->table]}, {}}, translator_->moment()
                        );
                }
                if (!*more) break;
                for (const canal::Change& change : translator_->changes()) {
                    if (const auto* some = std::get_if<canal::RowsChange>(&change)) take(*some);
                }
            }
        }
    }

    std::set<std::string> asked;
    std::map<std::string, size_t> rows;        // by table
    std::map<std::string, std::string> first;  // name of the first column
    SourceState state_;

 private:
    static Bytes event_at(const std::string& log, size_t at) {
        const Bytes rest = as_bytes(log).subspan(at);
        return rest.first(mysql::EventHeader::read(rest.data()).length);
    }

    bool keep_for_later(Bytes event) {
        if (mysql::EventHeader::read(event.data()).type != mysql::EventType::Query) return false;
        const std::string_view text = as_text(event);
        const size_t begin = text.find("CREATE TABLE t_");
        if (begin == std::string_view::npos) return false;
        const std::string sql(text.substr(begin, text.size() - begin - 4));  // checksum
        created_[sql.substr(13, sql.find_first_of(" (", 13) - 13)] = sql;
        return true;
    }

    void take(const canal::RowsChange& change) {
        ByteReader in(encoder_.encode(change));
        in.skip(1);
        pb::entry::Entry entry;
        EXPECT_TRUE(entry.ParseFromString(std::string(in.text(in.varint()))));
        pb::entry::RowChange parsed;
        EXPECT_TRUE(parsed.ParseFromString(entry.storevalue()));
        const std::string& name = entry.header().tablename();
        rows[name] += change.rows.size();
        const pb::entry::RowData& row = parsed.rowdatas(0);
        first[name] =
            row.aftercolumns_size() > 0 ? row.aftercolumns(0).name() : row.beforecolumns(0).name();
    }

    config::InstanceConfig config_;
    schema::SchemaLog schemas_;
    LiveFilter filter_{std::make_shared<const filter::TableFilter>(
        filter::TableFilter::compile(".*\\..*", "").value()
    )};
    std::unique_ptr<BinlogTranslator> translator_;
    canal::EntryEncoder encoder_{""};
    std::map<std::string, std::string> created_;
};

TEST(MappedDefinition, AnswersComeBeforeGuesses) {
    Orphans told(false);
    told.run(true);
    EXPECT_TRUE(told.asked.contains("t_int"));
    EXPECT_EQ(told.first["t_int"], "id");
    EXPECT_EQ(told.state_.unnamed_tables.load(), 0U);

    Orphans untold(false);
    untold.run(false);
    EXPECT_EQ(untold.asked, told.asked);
    EXPECT_EQ(untold.rows, told.rows);
    EXPECT_EQ(untold.first["t_int"], "@1");
    EXPECT_GT(untold.state_.unnamed_tables.load(), 0U);

    Orphans left_out(true);
    left_out.run(false);
    EXPECT_FALSE(left_out.rows.contains("t_int"));
    EXPECT_EQ(left_out.state_.unnamed_tables.load(), 0U);
}

}  // namespace
}  // namespace obcanal::source
