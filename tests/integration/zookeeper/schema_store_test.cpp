// The schema history on a real ZooKeeper, whose servers ZOOKEEPER names: started by binlog.py.
#include "server/meta/zookeeper_schema_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace obcanal::meta {
namespace {

using ha::Term;
using ha::ZookeeperSession;
using testing::HasSubstr;
using testing::StartsWith;

class SchemaStoreTest : public testing::Test {
 protected:
    void SetUp() override {
        const char* servers = std::getenv("ZOOKEEPER");
        ASSERT_NE(servers, nullptr);
        ha::ZookeeperPlace place;
        place.servers = servers;
        client_ = std::make_shared<ha::ZookeeperClient>(place);
        Result<std::shared_ptr<ZookeeperSession>> session = client_->session();
        ASSERT_TRUE(session.ok()) << session.error().detail;
        session_ = *session;
        leadership_ = std::make_shared<ha::Leadership>(client_, "history", "127.0.0.1:1");
        begin_anew();
    }

    void begin_anew() {
        ASSERT_TRUE(session_->remove_tree(kPath).ok());
        Result<std::shared_ptr<Term>> term = leadership_->acquire();
        ASSERT_TRUE(term.ok()) << term.error().detail;
        term_ = *term;
    }

    ZookeeperSchemaStore open() {
        return ZookeeperSchemaStore(
            [this]() -> Result<std::shared_ptr<Term>> {
                session_->renew();
                if (claimed_) return term_;
                return Error{Errc::Conflict, Retry::Backoff, "another server has it"};
            },
            kPath
        );
    }

    std::vector<std::string> stored() {
        auto records = open().load();
        EXPECT_TRUE(records.ok()) << records.error().detail;
        return records.ok() ? *records : std::vector<std::string>();
    }

    std::vector<std::string> names(const std::string& below) {
        auto names = session_->children(std::string(kPath) + "/schema" + below);
        EXPECT_TRUE(names.ok());
        std::sort(names->begin(), names->end());
        return *names;
    }

    std::string why_not() {
        auto records = open().load();
        return records.ok() ? "it can be read" : records.error().detail;
    }

    // Text that does not get smaller.
    static std::string noise(size_t size) {
        std::mt19937 random(static_cast<unsigned>(size));
        std::string text(size, '\0');
        for (char& c : text) c = static_cast<char>(random());
        return text;
    }

    static constexpr const char* kPath = "/otter/canal/destinations/history";
    std::shared_ptr<ha::ZookeeperClient> client_;
    std::shared_ptr<ZookeeperSession> session_;
    std::shared_ptr<ha::Leadership> leadership_;
    std::shared_ptr<Term> term_;
    bool claimed_ = true;
};

TEST_F(SchemaStoreTest, WhatIsWrittenIsReadByTheNext) {
    EXPECT_EQ(stored(), std::vector<std::string>());
    ZookeeperSchemaStore store = open();
    ASSERT_TRUE(store.load().ok());
    std::vector<std::string> all = {"one", std::string("\0two\n", 5)};
    ASSERT_TRUE(store.replace(all).ok());
    const std::vector<std::string> more = {"", noise(3'000'000)};
    ASSERT_TRUE(store.append(more).ok());
    all.insert(all.end(), more.begin(), more.end());
    EXPECT_EQ(stored(), all);
    EXPECT_EQ(names("/g1").size(), 13U);
    ASSERT_TRUE(store.replace(more).ok());
    EXPECT_EQ(stored(), more);
    EXPECT_EQ(names(""), std::vector<std::string>{"g2"});
}

TEST_F(SchemaStoreTest, ManyFramesBecomeOne) {
    ZookeeperSchemaStore store = open();
    ASSERT_TRUE(store.load().ok());
    std::vector<std::string> all;
    for (int i = 0; i < 600; ++i) {
        all.push_back("record " + std::to_string(i));
        ASSERT_TRUE(store.append({&all.back(), 1}).ok());
    }
    EXPECT_EQ(stored(), all);
    EXPECT_EQ(names(""), std::vector<std::string>{"g3"});
    EXPECT_LE(names("/g3").size(), ZookeeperSchemaStore::kMostFrames);
}

// Whatever a writer that died over a frame has left of it, the frames before stay, and the next one
// takes its place.
TEST_F(SchemaStoreTest, LastFrameIsTorn) {
    const std::vector<std::string> first = {"first"};
    const std::vector<std::string> second = {noise(1'000'000)};
    const std::vector<std::string> third = {"third"};
    for (size_t left = 0; left < 4; ++left) {
        begin_anew();
        ZookeeperSchemaStore store = open();
        ASSERT_TRUE(store.replace(first).ok());
        ASSERT_TRUE(store.append(second).ok());
        const std::vector<std::string> there = names("/g1");
        ASSERT_EQ(there.size(), 5U);
        for (size_t i = 1 + left; i < there.size(); ++i)
            ASSERT_TRUE(session_->remove(std::string(kPath) + "/schema/g1/" + there[i]).ok());
        EXPECT_EQ(stored(), first) << left;
        ZookeeperSchemaStore next = open();
        ASSERT_TRUE(next.load().ok());
        ASSERT_TRUE(next.append(third).ok());
        EXPECT_EQ(stored(), (std::vector<std::string>{"first", "third"})) << left;
    }
}

// A generation that was never named is as if it had not been begun.
TEST_F(SchemaStoreTest, GenerationIsTorn) {
    const std::vector<std::string> records = {"first"};
    const std::string place = std::string(kPath) + "/schema/g1/f0000000000-0001-0002";
    ASSERT_TRUE(session_->create(place, part_data("x"), ha::NodeMode::Persistent).ok());
    EXPECT_EQ(stored(), std::vector<std::string>());
    ZookeeperSchemaStore store = open();
    ASSERT_TRUE(store.load().ok());
    ASSERT_TRUE(store.append(records).ok());
    EXPECT_EQ(stored(), records);
    EXPECT_EQ(names("/g1").size(), 1U);
}

TEST_F(SchemaStoreTest, DamageIsNamed) {
    ZookeeperSchemaStore store = open();
    const std::vector<std::string> big = {noise(600'000)};
    ASSERT_TRUE(store.replace(big).ok());
    ASSERT_TRUE(store.append(big).ok());
    ASSERT_TRUE(store.append(big).ok());
    const std::string place = std::string(kPath) + "/schema/g1/";
    const std::string middle = place + "f0000000001-0002-0003";
    const auto good = session_->get(middle);
    ASSERT_TRUE(good.ok() && *good);
    std::string bad = (*good)->data;
    bad[1000] = static_cast<char>(bad[1000] ^ 1);
    ASSERT_TRUE(session_->put(middle, bad).ok());
    EXPECT_THAT(why_not(), StartsWith("schema history, ZooKeeper " + middle + ": its checksum"));
    ASSERT_TRUE(session_->put(middle, "").ok());
    EXPECT_THAT(why_not(), HasSubstr("is no part of a schema history"));
    ASSERT_TRUE(session_->put(middle, part_data("garbage")).ok());
    EXPECT_THAT(why_not(), HasSubstr("gzip: damaged or cut off"));
    ASSERT_TRUE(session_->remove(middle).ok());
    EXPECT_THAT(why_not(), HasSubstr("what belongs before or beside it is missing"));
    ASSERT_TRUE(session_->put(middle, (*good)->data).ok());
    EXPECT_EQ(why_not(), "it can be read");
    ASSERT_TRUE(session_->remove(place + "f0000000000-0003-0003").ok());
    EXPECT_THAT(why_not(), HasSubstr("f0000000000-0001-0003: what belongs before or beside it"));
    ASSERT_TRUE(session_->put(place + "leftover", "").ok());
    EXPECT_THAT(why_not(), HasSubstr(place + "leftover: is not known here"));
    ASSERT_TRUE(session_->put(std::string(kPath) + "/schema", "of another make").ok());
    EXPECT_THAT(why_not(), HasSubstr("holds of another make, which is not known here"));
}

TEST_F(SchemaStoreTest, WhoHasLostTheDestinationWritesNothing) {
    ZookeeperSchemaStore store = open();
    const std::vector<std::string> records = {"first"};
    ASSERT_TRUE(store.replace(records).ok());
    claimed_ = false;
    EXPECT_FALSE(store.append(records).ok());
    EXPECT_FALSE(store.replace(records).ok());
    EXPECT_FALSE(store.load().ok());
    EXPECT_FALSE(store.readers().ok());
    claimed_ = true;
    // The other one has gone on meanwhile.
    ZookeeperSchemaStore other = open();
    ASSERT_TRUE(other.load().ok());
    ASSERT_TRUE(other.append(records).ok());
    EXPECT_TRUE(store.append(records).ok());
    EXPECT_EQ(stored(), (std::vector<std::string>{"first", "first", "first"}));
    // It does so while this one believes to know what is there.
    ASSERT_TRUE(other.load().ok());
    ASSERT_TRUE(other.append(records).ok());
    const Result<void> late = store.append(records);
    ASSERT_FALSE(late.ok());
    EXPECT_THAT(late.error().detail, HasSubstr("another server has written it"));
}

// Its term is over, and it does not know yet.
TEST_F(SchemaStoreTest, WhatIsWrittenUnderAnOldTermIsNot) {
    ZookeeperSchemaStore store = open();
    const std::vector<std::string> records = {"first"};
    ASSERT_TRUE(store.replace(records).ok());
    const std::string epoch = std::string(kPath) + "/epoch";
    ASSERT_TRUE(session_->put(epoch, "raised by another server").ok());
    const Result<void> late = store.append(records);
    ASSERT_FALSE(late.ok());
    EXPECT_THAT(late.error().detail, HasSubstr("another server has taken over"));
    const Result<std::shared_ptr<Term>> next = leadership_->acquire();
    ASSERT_TRUE(next.ok());
    term_ = *next;
    EXPECT_EQ(stored(), records);
}

TEST_F(SchemaStoreTest, CursorsSayWhatIsRead) {
    ZookeeperSchemaStore store = open();
    auto readers = store.readers();
    ASSERT_TRUE(readers.ok());
    EXPECT_TRUE(readers->empty());
    const std::string cursor =
        R"({"identity":{"slaveId":-1,"sourceAddress":{"address":"db","port":3306}},)"
        R"("postion":{"gtid":"","included":false,"journalName":"bin.000012","position":4567,)"
        R"("serverId":1,"timestamp":1700000000000}})";
    ASSERT_TRUE(session_->put(std::string(kPath) + "/1001/cursor", cursor).ok());
    ASSERT_TRUE(session_->put(std::string(kPath) + "/1002/filter", "a").ok());
    readers = store.readers();
    ASSERT_TRUE(readers.ok()) << readers.error().detail;
    ASSERT_EQ(readers->size(), 1U);
    EXPECT_EQ(readers->front().origin, "db:3306");
    EXPECT_EQ(readers->front().at.point.text(), "bin.000012:4567");
    EXPECT_EQ(readers->front().at.time_ms, 1700000000000);
    ASSERT_TRUE(session_->put(std::string(kPath) + "/1002/cursor", "{").ok());
    EXPECT_FALSE(store.readers().ok());
}

}  // namespace
}  // namespace obcanal::meta
