// The recorded binlog of a MariaDB server through translator and encoder: byte for byte the entries
// that the real Java Canal sent, but for the differences that conf/DIFFERENCES.md names.
#include "server/source/binlog_translator.h"

#include "protocol/base/json.h"
#include "protocol/base/text.h"
#include "protocol/canal/entry.pb.h"
#include "protocol/canal/entry_encoder.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

namespace obcanal::source {
namespace {

namespace pb = obcanal::pb::entry;

std::string read_file(const std::string& name) {
    std::ifstream file(std::string(OBCANAL_FIXTURES) + "/" + name, std::ios::binary);
    EXPECT_TRUE(file) << name;
    return {std::istreambuf_iterator<char>(file), {}};
}

std::string from_base64(std::string_view text) {
    std::string out(text.size() / 4 * 3, '\0');
    const int size = EVP_DecodeBlock(
        reinterpret_cast<unsigned char*>(out.data()),
        reinterpret_cast<const unsigned char*>(text.data()),
        static_cast<int>(text.size())
    );
    EXPECT_GE(size, 0);
    while (text.ends_with('=')) {
        text.remove_suffix(1);
        out.pop_back();
    }
    return out;
}

// What an instance would make of a log: entries in order.
class Replay {
 public:
    explicit Replay(const config::InstanceConfig& config)
        : config_(config),
          filter_(std::make_shared<const filter::TableFilter>(
              filter::TableFilter::compile(config.filter_regex, config.filter_black_regex).value()
          )),
          translator_(BinlogTranslator::make(config_, schemas_, filter_, {}, state_).value()) {}

    Result<void> run(const std::string& file, const std::string& log) {
        constexpr size_t kMagic = 4;
        translator_->begin_stream({file, kMagic}, std::nullopt, false, 0);
        for (size_t at = kMagic; at < log.size();) {
            const Bytes rest = as_bytes(log).subspan(at);
            const uint32_t length = mysql::EventHeader::read(rest.data()).length;
            auto begun = translator_->begin(rest.first(length));
            if (!begun) return begun;
            for (;;) {
                const auto more = translator_->next();
                if (!more) return more.error();
                if (!*more) break;
                for (const canal::Change& change : translator_->changes()) encode(change);
            }
            at += length;
            // A rotate event at the end leads to the next file.
            if (translator_->file() == file) {
                EXPECT_EQ(translator_->position(), at);
            }
        }
        return {};
    }

    std::vector<std::string> entries;

 private:
    void encode(const canal::Change& change) {
        Bytes record;
        if (const auto* begin = std::get_if<canal::TxnBegin>(&change)) {
            record = encoder_.encode(*begin);
            if (begin->resumed) return;
        } else if (const auto* rows = std::get_if<canal::RowsChange>(&change)) {
            record = encoder_.encode(*rows);
        } else if (const auto* ddl = std::get_if<canal::DdlChange>(&change)) {
            record = encoder_.encode(*ddl);
        } else if (const auto* statement = std::get_if<canal::StatementChange>(&change)) {
            record = encoder_.encode(*statement);
        } else if (const auto* end = std::get_if<canal::TxnEnd>(&change)) {
            record = encoder_.encode(*end);
        }
        EXPECT_EQ(encoder_.malformed_column(), std::nullopt);
        ByteReader in(record);
        in.skip(1);
        entries.emplace_back(in.text(in.varint()));
        EXPECT_TRUE(in.ok() && in.empty());
    }

    config::InstanceConfig config_;
    schema::SchemaLog schemas_;
    LiveFilter filter_;
    SourceState state_;
    std::unique_ptr<BinlogTranslator> translator_;
    canal::EntryEncoder encoder_{""};
};

std::vector<std::string> java_entries() {
    std::vector<std::string> entries;
    std::istringstream lines(read_file("binlog/entries.jsonl"));
    for (std::string line; std::getline(lines, line);) {
        const auto entry = parse_json(line);
        EXPECT_TRUE(entry.ok());
        entries.push_back(from_base64(entry->at("rawBase64").as_string()));
    }
    return entries;
}

// Columns whose values differ on purpose, by the Id in conf/DIFFERENCES.md.
const std::map<std::string, std::string> kDifferentColumns{
    {"t_flt.fu", "shortest-float"},
    {"t_bin.cb", "binary-charset"},
    {"t_bin.vcb", "binary-charset"},
    {"t_bin.tcb", "binary-charset"},
    {"t_json.j", "text-is-text"},
    {"t_all.c_json", "text-is-text"},
    {"t_latin1.v", "own-charset"},
    {"t_latin1.t", "own-charset"},
    {"t_gbk.v", "own-charset"},
    {"t_gbk.t", "own-charset"},
    {"d1.b3", "own-charset"},
};

std::string difference_id(const std::string& table, const std::string& column) {
    if (table == "t_cs") return "own-charset";
    const auto found = kDifferentColumns.find(table + "." + column);
    return found == kDifferentColumns.end() ? "" : found->second;
}

using Columns = google::protobuf::RepeatedPtrField<pb::Column>;

// Makes `java` what obcanal should send instead, where a difference is listed; the rest must be
// equal.
void apply_differences(
    const std::string& table,
    Columns* java,
    const Columns& ours,
    std::map<std::string, size_t>& used
) {
    ASSERT_EQ(java->size(), ours.size());
    for (int i = 0; i < java->size(); ++i) {
        pb::Column* column = java->Mutable(i);
        if (table == "t_gen" && column->mysqltype() != ours[i].mysqltype()) {
            // Java's reader gave up and took the server's spelling.
            EXPECT_TRUE(column->mysqltype().find('(') != std::string::npos);
            column->set_mysqltype(ours[i].mysqltype());
            ++used["ddl-understood"];
        }
        const std::string id = difference_id(table, column->name());
        if (id.empty() || column->SerializeAsString() == ours[i].SerializeAsString()) continue;
        ++used[id];
        if (id == "shortest-float") {
            EXPECT_EQ(column->value(), "1.17549435E-38");
            EXPECT_EQ(ours[i].value(), "1.1754944E-38");
        } else if (id == "binary-charset") {
            EXPECT_EQ(ours[i].sqltype(), 2004);
            column->set_sqltype(2004);
        } else if (id == "text-is-text") {
            EXPECT_EQ(column->sqltype(), 2004);
            EXPECT_EQ(ours[i].sqltype(), 2005);
            column->set_sqltype(2005);
        }
        if (!column->isnull()) column->set_value(ours[i].value());
    }
}

pb::Entry parsed(const std::string& bytes) {
    pb::Entry entry;
    EXPECT_TRUE(entry.ParseFromString(bytes));
    return entry;
}

std::string with_differences(
    const std::string& java_bytes, const std::string& our_bytes, std::map<std::string, size_t>& used
) {
    pb::Entry java = parsed(java_bytes);
    const pb::Entry ours = parsed(our_bytes);
    pb::RowChange java_change;
    pb::RowChange our_change;
    EXPECT_TRUE(java_change.ParseFromString(java.storevalue()));
    EXPECT_TRUE(our_change.ParseFromString(ours.storevalue()));
    if (java_change.isddl() && our_change.sql().starts_with("CREATE TABLE t_gen ")) {
        // Java's reader does not understand the statement: no type, no names.
        java.mutable_header()->set_eventtype(pb::CREATE);
        java.mutable_header()->set_schemaname("golden");
        java.mutable_header()->set_tablename("t_gen");
        java_change.set_eventtype(pb::CREATE);
        ++used["ddl-understood"];
    }
    const std::string table = java.header().tablename();
    EXPECT_EQ(java_change.rowdatas_size(), our_change.rowdatas_size());
    for (int row = 0; row < java_change.rowdatas_size(); ++row) {
        pb::RowData* data = java_change.mutable_rowdatas(row);
        const pb::RowData& our_data = our_change.rowdatas(row);
        apply_differences(table, data->mutable_beforecolumns(), our_data.beforecolumns(), used);
        apply_differences(table, data->mutable_aftercolumns(), our_data.aftercolumns(), used);
    }
    java.set_storevalue(java_change.SerializeAsString());
    return java.SerializeAsString();
}

// Values of one column in all entries of a table.
std::vector<std::string> values_of(
    const std::vector<std::string>& entries, const std::string& table, const std::string& column
) {
    std::vector<std::string> values;
    for (const std::string& bytes : entries) {
        const pb::Entry entry = parsed(bytes);
        pb::RowChange change;
        if (entry.header().tablename() != table || !change.ParseFromString(entry.storevalue()))
            continue;
        for (const pb::RowData& row : change.rowdatas()) {
            for (const pb::Column& each : row.aftercolumns()) {
                if (each.name() == column && !each.isnull()) values.push_back(each.value());
            }
        }
    }
    return values;
}

TEST(BinlogTranslator, EntriesAsJavaCanalSentThem) {
    Replay replay{config::InstanceConfig{}};
    const auto done = replay.run("mysql-bin.000002", read_file("binlog/mysql-bin.000002"));
    ASSERT_TRUE(done.ok()) << done.error().detail;
    const std::vector<std::string> java = java_entries();
    ASSERT_EQ(java.size(), replay.entries.size());
    std::map<std::string, size_t> used;
    size_t identical = 0;
    for (size_t i = 0; i < java.size(); ++i) {
        if (java[i] == replay.entries[i]) {
            ++identical;
            continue;
        }
        EXPECT_EQ(
            to_hex(as_bytes(with_differences(java[i], replay.entries[i], used))),
            to_hex(as_bytes(replay.entries[i]))
        ) << "entry "
          << i;
    }
    EXPECT_EQ(identical, 560U);
    std::vector<std::string> ids;
    for (const auto& [id, count] : used) ids.push_back(id);
    EXPECT_EQ(
        ids,
        (std::vector<std::string>{
            "binary-charset", "ddl-understood", "own-charset", "shortest-float", "text-is-text"
        })
    );

    // What is right where Java's entry is not.
    using Values = std::vector<std::string>;
    EXPECT_EQ(values_of(replay.entries, "t_latin1", "v"), Values{"éè € ÿ"});
    EXPECT_EQ(values_of(replay.entries, "t_gbk", "t"), Values{"文本"});
    EXPECT_EQ(values_of(replay.entries, "t_cs", "u16"), Values{"中😀"});
    EXPECT_EQ(values_of(replay.entries, "t_json", "j")[6], R"({"中":"😀","esc":"\"\\\n\u00e9"})");
}

// A log of which the middle is missing: no rows without the table map and the begin before them.
TEST(BinlogTranslator, StartsInsideOfATransaction) {
    const std::string log = read_file("binlog/mysql-bin.000002");
    Replay replay{config::InstanceConfig{}};
    // Behind the first group's GTID event, with the format in front.
    const auto format_size = mysql::EventHeader::read(as_bytes(log).data() + 4).length;
    size_t at = 4 + format_size;
    while (static_cast<mysql::EventType>(log[at + 4]) != mysql::EventType::TableMap)
        at += mysql::EventHeader::read(as_bytes(log).data() + at).length;
    const auto map_size = mysql::EventHeader::read(as_bytes(log).data() + at).length;
    const std::string rows_only = log.substr(0, 4 + format_size) + log.substr(at + map_size);
    const auto done = replay.run("mysql-bin.000002", rows_only);
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().code, Errc::BadPacket);
    EXPECT_NE(done.error().detail.find("mysql-bin.000002:"), std::string::npos);
    EXPECT_NE(done.error().detail.find("no table map for table"), std::string::npos);
}

std::string event_of_type(uint8_t type, uint16_t flags) {
    std::string event(mysql::EventHeader::kSize, '\0');
    event[4] = static_cast<char>(type);
    event[9] = static_cast<char>(mysql::EventHeader::kSize);
    event[13] = static_cast<char>(4 + mysql::EventHeader::kSize);
    event[17] = static_cast<char>(flags);
    return event;
}

TEST(BinlogTranslator, UnknownEventsStopUnlessIgnorable) {
    Replay replay{config::InstanceConfig{}};
    const std::string magic = "bin.";
    const auto stopped = replay.run("log.000001", magic + event_of_type(120, 0));
    ASSERT_FALSE(stopped.ok());
    EXPECT_EQ(stopped.error().code, Errc::Unsupported);
    EXPECT_EQ(
        stopped.error().detail,
        "log.000001:4: event type 120: not known, and not marked as ignorable"
    );
    Replay other{config::InstanceConfig{}};
    EXPECT_TRUE(other.run("log.000001", magic + event_of_type(120, 0x80)).ok());
    EXPECT_TRUE(other.entries.empty());
}

// What the reference drops or cannot read: compressed events, payloads, partial JSON, XA.
TEST(BinlogTranslator, LogsThatStopTheReference) {
    Replay mariadb{config::InstanceConfig{}};
    const auto read = mariadb.run("m.000001", read_file("server_logs/mariadb-10.11.binlog"));
    ASSERT_TRUE(read.ok()) << read.error().detail;
    using Values = std::vector<std::string>;
    EXPECT_EQ(
        values_of(mariadb.entries, "old", "t3"),
        (Values{"01:02:03.004", "00:00:00.000", "-838:59:59.000"})
    );
    EXPECT_EQ(
        values_of(mariadb.entries, "plain", "v"),
        (Values{"café", "ü", "a longer text that is worth compressing, is worth compressing", "xa"})
    );
    EXPECT_EQ(values_of(mariadb.entries, "packed", "g")[0], "中文");

    Replay mysql{config::InstanceConfig{}};
    const auto other = mysql.run("m.000001", read_file("server_logs/mysql-8.0.binlog"));
    ASSERT_TRUE(other.ok()) << other.error().detail;
    EXPECT_EQ(values_of(mysql.entries, "meta", "v"), (Values{"中文", "one", "two"}));
    const Values documents = values_of(mysql.entries, "doc", "k");
    EXPECT_EQ(std::count(documents.begin(), documents.end(), "JSON_REPLACE(k, '$[0]', \"q\")"), 1);
    size_t xa_commits = 0;
    for (const std::string& bytes : mysql.entries) {
        if (parsed(bytes).header().eventtype() == pb::XACOMMIT) ++xa_commits;
    }
    EXPECT_EQ(xa_commits, 1U);
}

TEST(BinlogTranslator, EntriesOfXaSayWhichAndWhose) {
    Replay mysql{config::InstanceConfig{}};
    ASSERT_TRUE(mysql.run("m.000001", read_file("server_logs/mysql-8.0.binlog")).ok());
    std::vector<std::string> found;
    const auto note = [&found](const std::string& what, const auto& props) {
        if (props.empty()) return;
        std::string text = what;
        for (const pb::Pair& pair : props) text += " " + pair.key() + "=" + pair.value();
        found.push_back(text);
    };
    for (const std::string& bytes : mysql.entries) {
        const pb::Entry entry = parsed(bytes);
        pb::TransactionBegin begin;
        pb::TransactionEnd end;
        pb::RowChange change;
        if (entry.entrytype() == pb::TRANSACTIONBEGIN && begin.ParseFromString(entry.storevalue()))
            note("begin", begin.props());
        if (entry.entrytype() == pb::TRANSACTIONEND && end.ParseFromString(entry.storevalue()))
            note("end " + end.transactionid(), end.props());
        if (entry.entrytype() == pb::ROWDATA && change.ParseFromString(entry.storevalue()))
            note(change.sql(), change.props());
    }
    const std::vector<std::string> expected = {
        "begin XA_TYPE=XA START XA_XID= X'67',X'62',1",
        "end 0 XA_TYPE=XA END XA_XID= X'67',X'62',1",
        "XA COMMIT X'67',X'62',1 XA_TYPE=XA COMMIT XA_XID= X'67',X'62',1",
        "begin XA_TYPE=XA START XA_XID= X'6732',X'',1",
        "end 0 XA_TYPE=XA END XA_XID= X'6732',X'',1",
    };
    EXPECT_EQ(found, expected);
}

TEST(BinlogTranslator, FiltersByTableAndColumn) {
    config::InstanceConfig config;
    config.filter_regex = "golden\\.t_all";
    config.filter_field = "golden.t_all:id/c_vc";
    config.filter_query_dml = true;
    Replay replay{config};
    ASSERT_TRUE(replay.run("mysql-bin.000002", read_file("binlog/mysql-bin.000002")).ok());
    size_t rows = 0;
    for (const std::string& bytes : replay.entries) {
        const pb::Entry entry = parsed(bytes);
        pb::RowChange change;
        if (entry.entrytype() != pb::ROWDATA || !change.ParseFromString(entry.storevalue()))
            continue;
        for (const pb::RowData& row : change.rowdatas()) {
            EXPECT_EQ(entry.header().tablename(), "t_all");
            ++rows;
            for (const pb::Column& column : row.aftercolumns())
                EXPECT_TRUE(column.name() == "id" || column.name() == "c_vc") << column.name();
        }
    }
    EXPECT_EQ(rows, 7U);
}

}  // namespace
}  // namespace obcanal::source
