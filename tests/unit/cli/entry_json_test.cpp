// The lines of `tail --format jsonl` against what the stock Java client read from the same bytes,
// and against entries that the protobuf library made.
#include "server/cli/entry_json.h"

#include "protocol/base/json.h"
#include "protocol/base/text.h"
#include "protocol/canal/entry.pb.h"

#include <boost/json/array.hpp>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <string_view>

namespace obcanal::cli {
namespace {

namespace pb = obcanal::pb::entry;
using boost::json::object;
using boost::json::value;

std::string from_base64(std::string_view text) {
    constexpr std::string_view kDigits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string bytes;
    uint32_t bits = 0;
    int count = 0;
    for (const char c : text.substr(0, text.find('='))) {
        bits = bits << 6 | static_cast<uint32_t>(kDigits.find(c));
        count += 6;
        if (count < 8) continue;
        count -= 8;
        bytes += static_cast<char>(bits >> count & 0xff);
    }
    return bytes;
}

value parse(const std::string& text) {
    Result<value> parsed = parse_json(text);
    EXPECT_TRUE(parsed) << text;
    return parsed ? std::move(parsed).value() : value();
}

std::string print(std::string_view entry, uint64_t& rows) {
    EntryJson format;
    std::string line;
    Result<uint64_t> count = format.append(as_bytes(entry), UINT64_MAX, line);
    EXPECT_TRUE(count) << count.error().detail;
    rows = *count;
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    return line;
}

// The Java client prints what has no presence as its default, the original protocol's defaults
// included.
bool is_default(std::string_view key, const value& v) {
    if (key == "eventType") return v == value("UPDATE");
    return (v.is_string() && v.get_string().empty()) || (v.is_int64() && v.get_int64() == 0) ||
           (v.is_bool() && !v.get_bool()) || (v.is_array() && v.get_array().empty());
}

void expect_same(const value& theirs, const value& ours, const std::string& where) {
    if (theirs.is_object() && ours.is_object()) {
        for (const auto& [key, field] : theirs.get_object()) {
            if (const value* mine = ours.get_object().if_contains(key)) {
                expect_same(field, *mine, where + "." + std::string(key));
            } else {
                EXPECT_TRUE(is_default(key, field)) << where << "." << key << " is missing";
            }
        }
        for (const auto& field : ours.get_object())
            EXPECT_TRUE(theirs.get_object().contains(field.key())) << where << "." << field.key();
    } else if (theirs.is_array() && ours.is_array()) {
        ASSERT_EQ(theirs.get_array().size(), ours.get_array().size()) << where;
        for (size_t i = 0; i < theirs.get_array().size(); ++i) {
            expect_same(
                theirs.get_array()[i], ours.get_array()[i], where + "[" + std::to_string(i) + "]"
            );
        }
    } else {
        EXPECT_EQ(theirs, ours) << where;
    }
}

TEST(EntryJson, EqualsWhatTheJavaClientReads) {
    std::ifstream lines(OBCANAL_FIXTURES "/binlog/entries.jsonl");
    size_t entries = 0;
    uint64_t all_rows = 0;
    for (std::string line; std::getline(lines, line); ++entries) {
        object theirs = parse(line).get_object();
        const std::string raw = from_base64(theirs.at("rawBase64").as_string());
        theirs.erase("rawBase64");
        uint64_t rows = 0;
        const value ours = parse(print(raw, rows));
        expect_same(theirs, ours, "entry " + std::to_string(entries));
        all_rows += rows;
    }
    EXPECT_EQ(entries, 584u);
    EXPECT_EQ(all_rows, 1453u);
}

void fill(google::protobuf::Message& message, const object& from, const char* key) {
    const auto status =
        google::protobuf::util::JsonStringToMessage(to_json_text(from.at(key)), &message);
    ASSERT_TRUE(status.ok()) << status.message();
}

// The golden lines hold exactly the fields that are on the wire.
void expect_exact(const std::string& name, size_t expected_entries) {
    std::ifstream lines(OBCANAL_FIXTURES "/oblog/golden/" + name);
    size_t entries = 0;
    for (std::string line; std::getline(lines, line); ++entries) {
        object golden = parse(line).get_object();
        golden.erase("fixture");
        pb::Entry entry;
        fill(*entry.mutable_header(), golden, "header");
        pb::EntryType type;
        ASSERT_TRUE(pb::EntryType_Parse(std::string(golden.at("entryType").as_string()), &type));
        entry.set_entrytype(type);
        pb::RowChange change;
        pb::TransactionBegin begin;
        pb::TransactionEnd end;
        google::protobuf::Message* content = &change;
        const char* key = "rowChange";
        if (type == pb::TRANSACTIONBEGIN) content = &begin, key = "transactionBegin";
        if (type == pb::TRANSACTIONEND) content = &end, key = "transactionEnd";
        fill(*content, golden, key);
        entry.set_storevalue(content->SerializeAsString());
        uint64_t rows = 0;
        ASSERT_EQ(parse(print(entry.SerializeAsString(), rows)), value(golden)) << line;
    }
    EXPECT_EQ(entries, expected_entries);
}

size_t line_count(const std::string& file) {
    std::ifstream lines(file);
    size_t count = 0;
    for (std::string line; std::getline(lines, line);) ++count;
    return count;
}

TEST(EntryJson, PrintsExactlyTheFieldsOnTheWire) {
    for (const std::string name :
         {"shop.entries.jsonl", "shop-ddl.entries.jsonl", "types.entries.jsonl"}) {
        const size_t entries = line_count(OBCANAL_FIXTURES "/oblog/golden/" + name);
        ASSERT_GT(entries, 0u);
        expect_exact(name, entries);
    }
}

TEST(EntryJson, KeepsUnknownNumbersAndContents) {
    pb::Entry entry;
    entry.set_storevalue("\x01\xff");
    entry.set_entrytype(pb::HEARTBEAT);
    uint64_t rows = 1;
    EXPECT_EQ(
        print(entry.SerializeAsString(), rows),
        R"({"entryType":"HEARTBEAT","storeValueHex":"01ff"})"
        "\n"
    );
    EXPECT_EQ(rows, 0u);
}

TEST(EntryJson, RefusesWhatIsNoEntry) {
    EntryJson format;
    std::string line;
    EXPECT_FALSE(format.append(as_bytes("\x0a\x7f"), 1, line));
}

}  // namespace
}  // namespace obcanal::cli
