// Order, duplicates, torn transactions and filters: recorded streams cut at every record, asked for
// again, resumed from every acknowledged entry. Each row must come once, and in its place.
#include "server/source/oblog_translator.h"

#include "protocol/oblog/recording.h"
#include "tests/unit/source/delivery.h"
#include "tests/unit/source/record_builder.h"

#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

namespace obcanal::source {
namespace {

using ::testing::HasSubstr;

std::vector<std::string> recorded(const std::string& name, size_t most = SIZE_MAX) {
    std::ifstream file(std::string(OBCANAL_FIXTURES) + "/oblog/" + name, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    oblog::RecordingReader reader(as_bytes(bytes));
    std::vector<std::string> records;
    while (records.size() < most) {
        const auto record = reader.next();
        if (!record.ok() || !*record) break;
        records.emplace_back(as_text(**record));
    }
    EXPECT_FALSE(records.empty());
    return records;
}

oblog::LogRecord parse(const std::string& record) {
    auto parsed = oblog::LogRecord::parse(as_bytes(record));
    EXPECT_TRUE(parsed.ok());
    return std::move(parsed).value();
}

// What a proxy sends to who asks for everything behind `checkpoint_us`: whole transactions, those
// of the slack before it too.
std::vector<std::string> asked_again(const std::vector<std::string>& all, int64_t checkpoint_us) {
    std::vector<std::string> out;
    const int64_t from = checkpoint_us - 1'000'000;
    for (const std::string& record : all) {
        if (parse(record).commit_us() >= from) out.push_back(record);
    }
    return out;
}

std::vector<std::string> first_of(const std::vector<std::string>& all, size_t count) {
    return {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count)};
}

std::string heartbeat(int64_t us) {
    return RecordBuilder::build({RecordType::Heartbeat, us, us, {}, {}});
}

std::string boundary(RecordType type, const std::string& id, int64_t commit_us) {
    MadeRecord made{type, commit_us, commit_us - 1'500'000, {}, {}};
    if (type == RecordType::Begin) made.ids = {"0", id, "", "4"};
    return RecordBuilder::build(made);
}

std::string insert(const std::string& table, const std::string& value, int64_t commit_us) {
    MadeRecord made{RecordType::Insert, commit_us, commit_us - 1'500'000, "tt.db", table};
    made.columns = {{"id", 8, ""}, {"v", 253, "utf8mb4", true, 8}};
    made.primary_key = {0};
    made.after = {value, "text"};
    return RecordBuilder::build(made);
}

using Translator = ::testing::Test;

// Schema changes between transactions, and transactions of up to nine statements.
class Recorded : public ::testing::TestWithParam<const char*> {
 protected:
    void SetUp() override {
        // Up to the end of a transaction.
        while (parse(all.back()).type() != RecordType::Commit) all.pop_back();
    }

    std::vector<std::string> all = recorded(GetParam(), 150);
};

INSTANTIATE_TEST_SUITE_P(
    All,
    Recorded,
    ::testing::Values("shop-ddl.logmsg", "shop.logmsg"),
    [](const ::testing::TestParamInfo<const char*>& param) {
        return std::string(param.index == 0 ? "shop_ddl" : "shop");
    }
);

TEST_F(Translator, DeliversEveryRecordOfARecording) {
    for (const char* name :
         {"shop.logmsg", "shop-ddl.logmsg", "types.logmsg", "types-crc.logmsg"}) {
        const auto records = recorded(name);
        Delivery delivery;
        EXPECT_EQ(delivery.add_all(records), "");
        size_t beats = 0;
        for (const std::string& record : records)
            beats += parse(record).type() == RecordType::Heartbeat ? 1 : 0;
        EXPECT_EQ(delivery.published.size() + beats, records.size()) << name;
        EXPECT_EQ(delivery.heartbeats.size(), beats);
        EXPECT_EQ(delivery.state.records.load(), records.size());
    }
}

TEST_P(Recorded, HowThePacketsAreCutChangesNothing) {
    Delivery whole, single;
    ASSERT_EQ(whole.add_all(all), "");
    for (const std::string& record : all) ASSERT_EQ(single.add_all({record}), "");
    EXPECT_EQ(whole.entries(), single.entries());
}

TEST_P(Recorded, ACutAtEveryRecordLosesAndRepeatsNothing) {
    Delivery expected;
    ASSERT_EQ(expected.add_all(all), "");
    for (size_t cut = 0; cut <= all.size(); ++cut) {
        SCOPED_TRACE(cut);
        Delivery delivery;
        ASSERT_EQ(delivery.add_all(first_of(all, cut)), "");
        delivery.reconnect();
        ASSERT_EQ(delivery.add_all(asked_again(all, delivery.translator->checkpoint_us())), "");
        EXPECT_EQ(delivery.entries(), expected.entries());
    }
}

TEST_P(Recorded, ACutBehindAVisiblePieceGoesOnBehindIt) {
    Delivery expected;
    ASSERT_EQ(expected.add_all(all), "");
    for (size_t cut = 1; cut <= all.size(); ++cut) {
        SCOPED_TRACE(cut);
        Delivery delivery;
        ASSERT_EQ(delivery.add_all(first_of(all, cut)), "");
        delivery.publish_piece();
        delivery.reconnect();
        ASSERT_EQ(delivery.add_all(asked_again(all, delivery.translator->checkpoint_us())), "");
        EXPECT_EQ(delivery.entries(), expected.entries());
    }
}

TEST_P(Recorded, ManyCutsInARow) {
    Delivery expected, delivery;
    ASSERT_EQ(expected.add_all(all), "");
    for (size_t reach = 3; reach < all.size() + 7; reach += 7) {
        const auto from = asked_again(all, delivery.translator->checkpoint_us());
        const size_t skipped = all.size() - from.size();
        const size_t count = std::min(reach, all.size()) - std::min(reach, skipped);
        ASSERT_EQ(delivery.add_all(first_of(from, std::min(count, from.size()))), "");
        delivery.reconnect();
    }
    EXPECT_EQ(delivery.entries(), expected.entries());
}

// A process that ends after any acknowledged entry goes on right behind it.
TEST_P(Recorded, ARestartBehindAnyAcknowledgedEntryGoesOnThere) {
    Delivery expected;
    ASSERT_EQ(expected.add_all(all), "");
    OblogTracker tracker({"127.0.0.1", 2983}, std::nullopt);
    for (size_t acked = 1; acked <= expected.published.size(); ++acked) {
        SCOPED_TRACE(acked);
        const Published& last = expected.published[acked - 1];
        canal::TxnMark txn;
        txn.id = last.txn;
        txn.commit_us = last.commit_us;
        txn.checkpoint_us = last.checkpoint_us;
        txn.ordered = last.ordered;
        tracker.consumed({txn, last.rows_done, last.complete, 0, 0});
        const auto position = canal::parse_log_position(canal::to_json(tracker.position(), false));
        ASSERT_TRUE(position.ok());
        Delivery again;
        again.translator->resume_from(resume_state(*position));
        again.translator->begin_stream();
        ASSERT_EQ(again.add_all(asked_again(all, again.translator->checkpoint_us())), "");
        const auto entries = expected.entries();
        EXPECT_EQ(
            again.entries(),
            std::vector<std::string>(
                entries.begin() + static_cast<std::ptrdiff_t>(acked), entries.end()
            )
        );
    }
}

TEST_P(Recorded, HeartbeatsInsideOfTransactionsAreNoBoundaries) {
    Delivery expected, delivery;
    ASSERT_EQ(expected.add_all(all), "");
    std::vector<std::string> mixed;
    for (const std::string& record : all) {
        mixed.push_back(record);
        // Lower than the commit time of any transaction it can stand in.
        mixed.push_back(heartbeat(parse(record).checkpoint_us()));
    }
    ASSERT_EQ(delivery.add_all(mixed), "");
    EXPECT_EQ(delivery.entries(), expected.entries());
}

TEST_F(Translator, HeartbeatsAloneMoveTheCheckpoint) {
    Delivery delivery;
    ASSERT_EQ(delivery.add_all({heartbeat(5'000'000), heartbeat(6'000'000)}), "");
    EXPECT_TRUE(delivery.published.empty());
    EXPECT_EQ(delivery.heartbeats, (std::vector<int64_t>{5'000'000, 6'000'000}));
    EXPECT_EQ(delivery.translator->checkpoint_us(), 6'000'000);
    delivery.reconnect();
    ASSERT_EQ(delivery.add_all({heartbeat(4'000'000)}), "");
    EXPECT_EQ(delivery.translator->checkpoint_us(), 6'000'000);
}

TEST_F(Translator, RowsBeforeTheFirstBeginAreLeftOut) {
    const int64_t time = 1'700'000'000'000'000;
    Delivery delivery;
    const std::vector<std::string> records{
        insert("t", "0", time),
        boundary(RecordType::Commit, "", time),
        boundary(RecordType::Begin, "1_1", time + 10),
        insert("t", "1", time + 10),
        boundary(RecordType::Commit, "", time + 10)
    };
    ASSERT_EQ(delivery.add_all(records), "");
    EXPECT_EQ(delivery.published.size(), 3U);
    EXPECT_EQ(delivery.rows(1).rowdatas(0).aftercolumns(0).value(), "1");
}

TEST_F(Translator, ABrokenOrderOfRecordsIsAnErrorThatNamesThem) {
    const int64_t time = 1'700'000'000'000'000;
    const std::string begin = boundary(RecordType::Begin, "1_1", time);
    const std::string commit = boundary(RecordType::Commit, "", time);
    Delivery no_end;
    EXPECT_EQ(no_end.add(begin), "");
    EXPECT_THAT(no_end.add(boundary(RecordType::Begin, "1_2", time + 1)), HasSubstr("1_1"));
    EXPECT_EQ(no_end.error.retry, Retry::Backoff);
    Delivery outside;
    EXPECT_EQ(outside.add_all({begin, commit}), "");
    EXPECT_THAT(outside.add(insert("t", "1", time)), HasSubstr("INSERT"));
    EXPECT_THAT(outside.add(commit), HasSubstr("COMMIT"));
    // The transaction without an end is asked for again, and comes once.
    no_end.reconnect();
    EXPECT_EQ(no_end.add_all({begin, insert("t", "1", time), commit}), "");
    EXPECT_EQ(no_end.published.size(), 3U);
}

TEST_F(Translator, ADamagedRecordIsAnErrorAndWhatCameBeforeIsSound) {
    auto records = recorded("types-crc.logmsg");
    records[2][records[2].size() / 2] = static_cast<char>(records[2][records[2].size() / 2] ^ 1);
    Delivery delivery;
    EXPECT_THAT(delivery.add_all(records), HasSubstr("CRC"));
    EXPECT_EQ(delivery.published.size(), 1U);  // the DDL
    records = recorded("types-crc.logmsg");
    delivery.reconnect();
    EXPECT_EQ(delivery.add_all(records), "");
    Delivery expected;
    ASSERT_EQ(expected.add_all(records), "");
    EXPECT_EQ(delivery.entries(), expected.entries());
}

TEST_F(Translator, TableFilterChoosesAndCanBeReplaced) {
    const int64_t time = 1'700'000'000'000'000;
    Delivery delivery({}, "db\\.a");
    const auto transaction = [time](int64_t n) {
        return std::vector<std::string>{
            boundary(RecordType::Begin, "1_" + std::to_string(n), time + n),
            insert("a", "1", time + n),
            insert("b", "2", time + n),
            boundary(RecordType::Commit, "", time + n)
        };
    };
    ASSERT_EQ(delivery.add_all(transaction(1)), "");
    ASSERT_EQ(delivery.published.size(), 3U);
    EXPECT_EQ(delivery.entry(1).header().tablename(), "a");
    auto other = filter::TableFilter::compile("db\\.b", "");
    ASSERT_TRUE(other.ok());
    delivery.filter->replace(std::make_shared<const filter::TableFilter>(std::move(other).value()));
    delivery.translator->refresh_filter();
    ASSERT_EQ(delivery.add_all(transaction(2)), "");
    ASSERT_EQ(delivery.published.size(), 6U);
    EXPECT_EQ(delivery.entry(4).header().tablename(), "b");
}

TEST_F(Translator, FilteredRowsCountWhenATransactionIsResumed) {
    const int64_t time = 1'700'000'000'000'000;
    std::vector<std::string> records{boundary(RecordType::Begin, "1_1", time)};
    for (int i = 0; i < 6; ++i)
        records.push_back(insert(i % 2 == 0 ? "a" : "b", std::to_string(i), time));
    records.push_back(boundary(RecordType::Commit, "", time));
    Delivery expected({}, "db\\.b");
    ASSERT_EQ(expected.add_all(records), "");
    for (size_t cut = 1; cut < records.size(); ++cut) {
        Delivery delivery({}, "db\\.b");
        ASSERT_EQ(delivery.add_all(first_of(records, cut)), "");
        delivery.publish_piece();
        delivery.reconnect();
        ASSERT_EQ(delivery.add_all(records), "");
        EXPECT_EQ(delivery.entries(), expected.entries()) << cut;
    }
}

TEST_F(Translator, RowFiltersDropWhatTheySay) {
    const auto all = recorded("shop.logmsg", 400);
    const auto count = [&all](auto set) {
        config::InstanceConfig config;
        set(config);
        Delivery delivery(config);
        EXPECT_EQ(delivery.add_all(all), "");
        size_t counts[3] = {0, 0, 0};
        size_t ddl = 0;
        for (size_t i = 0; i < delivery.published.size(); ++i) {
            const auto type = delivery.entry(i).header().eventtype();
            if (delivery.entry(i).entrytype() != pb::entry::ROWDATA) continue;
            if (type == pb::entry::INSERT)
                ++counts[0];
            else if (type == pb::entry::UPDATE)
                ++counts[1];
            else if (type == pb::entry::DELETE)
                ++counts[2];
            else
                ++ddl;
        }
        return std::vector<size_t>{counts[0], counts[1], counts[2], ddl};
    };
    const auto none = count([](auto&) {});
    for (const size_t one : none) ASSERT_GT(one, 0U);
    const auto without = [&none](size_t which) {
        auto expected = none;
        expected[which] = 0;
        return expected;
    };
    EXPECT_EQ(count([](auto& c) { c.filter_dml_insert = true; }), without(0));
    EXPECT_EQ(count([](auto& c) { c.filter_dml_update = true; }), without(1));
    EXPECT_EQ(count([](auto& c) { c.filter_dml_delete = true; }), without(2));
    EXPECT_EQ(count([](auto& c) { c.filter_query_ddl = true; }), without(3));
    const std::vector<size_t> only_ddl{0, 0, 0, none[3]};
    EXPECT_EQ(count([](auto& c) { c.filter_rows = true; }), only_ddl);
    EXPECT_EQ(count([](auto& c) { c.filter_query_dml = true; }), only_ddl);
}

TEST_F(Translator, ColumnFilterKeepsPositionsOfTheTable) {
    config::InstanceConfig config;
    config.filter_black_field = "db.t:id";
    Delivery delivery(config);
    const int64_t time = 1'700'000'000'000'000;
    ASSERT_EQ(
        delivery.add_all(
            {boundary(RecordType::Begin, "1_1", time),
             insert("t", "1", time),
             boundary(RecordType::Commit, "", time)}
        ),
        ""
    );
    const auto row = delivery.rows(1).rowdatas(0);
    ASSERT_EQ(row.aftercolumns_size(), 1);
    EXPECT_EQ(row.aftercolumns(0).name(), "v");
    EXPECT_EQ(row.aftercolumns(0).index(), 1);
}

TEST_F(Translator, AColumnFilterThatIsNoneIsRefused) {
    Delivery delivery;
    config::InstanceConfig config;
    config.filter_field = "nonsense";
    SourceState state;
    const auto made = OblogTranslator::make(config, *delivery.filter, state);
    ASSERT_FALSE(made.ok());
    EXPECT_EQ(made.error().code, Errc::BadConfig);
}

TEST_F(Translator, AnUnorderedSourceIsFollowedById) {
    // OceanBase 3: later transactions may have been committed earlier.
    const auto begin = [](const std::string& id, int64_t commit_us) {
        MadeRecord made{RecordType::Begin, commit_us, 1'000'000'000, {}, {}};
        made.ids = {"0", id, "", "3"};
        return RecordBuilder::build(made);
    };
    const auto end = [](int64_t commit_us) {
        return RecordBuilder::build({RecordType::Commit, commit_us, 1'000'000'000, {}, {}});
    };
    const int64_t t = 1'001'000'000;
    Delivery delivery;
    ASSERT_EQ(delivery.add_all({begin("b", t + 2), end(t + 2)}), "");
    delivery.reconnect();
    ASSERT_EQ(
        delivery.add_all(
            {begin("a", t + 1),
             end(t + 1),
             begin("b", t + 2),
             end(t + 2),
             begin("c", t + 2),
             end(t + 2)}
        ),
        ""
    );
    std::vector<std::string> ids;
    for (const Published& one : delivery.published) {
        if (one.complete) ids.push_back(one.txn);
    }
    EXPECT_EQ(ids, (std::vector<std::string>{"b", "a", "c"}));
    EXPECT_EQ(delivery.state.repeated_transactions.load(), 1U);
}

}  // namespace
}  // namespace obcanal::source
