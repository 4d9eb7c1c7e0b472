// Batches that overlap: the node answers a bulk of the one in front when the next one has begun.
#include "adapter/es/es_writer.h"

#include "../scratch_dir.h"
#include "made.h"
#include "protocol/net/asio.h"
#include "search_node.h"

#include <boost/asio/use_future.hpp>

#include <future>

namespace obcanal::adapter::es {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

class NoLetters final : public core::DeadLetters {
 public:
    Result<void> park(const core::RefusedChange&) override { return {}; }
    bool was_parked(const core::RefusedChange&) const override { return false; }
    bool has_earlier(const core::RefusedChange&) const override { return false; }
};

Awaitable<void> look(EsWriter* writer, const core::DmlBatch* batch) {
    writer->look_ahead(*batch);
    co_return;
}

// Rows of table "user", one batch of them.
class MadeBatch {
 public:
    using Texts = MadeRows::Texts;

    explicit MadeBatch(int64_t number) : number_(number) {
        core::DmlColumn id;
        id.name = "id";
        id.mysql_type = "int(11)";
        core::DmlColumn name;
        name.name = "name";
        name.mysql_type = "varchar(40)";
        rows_.table("user", {id, name});
    }

    MadeBatch& insert(const Texts& after) { return rows_.insert("user", after), *this; }
    MadeBatch& update(const Texts& before, const Texts& after) {
        return rows_.update("user", before, after), *this;
    }
    MadeBatch& remove(const Texts& before) { return rows_.remove("user", before), *this; }

    const core::DmlBatch& batch() {
        batch_ = rows_.batch();
        batch_.id = canal::BatchId{number_};
        return batch_;
    }

 private:
    MadeRows rows_;
    const int64_t number_;
    core::DmlBatch batch_;
};

class EsWriterTest : public testing::Test {
 protected:
    // With rows 1 and 2 in the index, each named "made".
    void start(bool upsert = false) {
        config_.conf_dir = scratch_.path();
        config_.data_dir = scratch_.path() + "/data";
        config_.data_sources.push_back({"defaultDS", "jdbc:mysql://127.0.0.1:1/t", "u", "p", 1});
        write_text(
            scratch_.path() + "/es8/users.yml",
            "dataSourceKey: defaultDS\ndestination: example\ngroupId: g1\nouterAdapterKey: es\n"
            "esMapping:\n  _index: i\n  _id: _id\n  upsert: " +
                std::string(upsert ? "true" : "false") +
                "\n  sql: select a.id as _id, a.name as name from user a\n"
        );
        adapter_.name = "es8";
        adapter_.key = "es";
        runtime_.start();
        adapter_.hosts = node_.host();
        Result<std::unique_ptr<core::Writer>> made = make_es_writer(
            {config_, "example", "g1", adapter_, config::Placeholders(), letters_, strand_}
        );
        ASSERT_TRUE(made.ok()) << made.error().detail;
        writer_.reset(static_cast<EsWriter*>(made->release()));
        const Result<void> opened = await(writer_->open());
        ASSERT_TRUE(opened.ok()) << opened.error().detail;
        first_.insert({"1", "made"}).insert({"2", "made"});
        ASSERT_TRUE(write(first_).ok());
        ASSERT_EQ(node_.document("1"), R"({"name":"made"})");
    }

    void TearDown() override {
        node_.let_through();
        if (writer_) await(writer_->drop_ahead());
        writer_.reset();
    }

    template <class T>
    std::future<T> begin(Awaitable<T> work) {
        return asio::co_spawn(strand_, std::move(work), asio::use_future);
    }

    template <class T>
    T await(Awaitable<T> work) {
        return begin(std::move(work)).get();
    }

    Result<void> write(MadeBatch& batch) { return await(writer_->write(batch.batch())); }

    // The node has got the batch's bulk, and does not answer.
    std::future<Result<void>> begin_held(MadeBatch& batch, const std::string& part) {
        node_.hold(part);
        std::future<Result<void>> written = begin(writer_->write(batch.batch()));
        EXPECT_TRUE(node_.comes([this] { return node_.is_held(); }));
        return written;
    }

    void look_ahead(MadeBatch& batch) { await(look(writer_.get(), &batch.batch())); }

    uint64_t counter(const std::string& name) const {
        for (const core::WriterCounter& counter : writer_->counters()) {
            if (name == counter.name) return counter.value;
        }
        ADD_FAILURE() << name;
        return 0;
    }

    bool comes_to_wait() {
        return node_.comes([this] { return counter("es_ahead_waited") == 1; });
    }

    ScratchDir scratch_;
    config::AdapterConfig config_;
    config::OuterAdapterConfig adapter_;
    NoLetters letters_;
    Runtime runtime_{4};
    const Executor strand_ = runtime_.make_strand();
    SearchNode node_{runtime_, R"({"name":{"type":"keyword"}})"};
    std::unique_ptr<EsWriter> writer_;
    MadeBatch first_{1};
    MadeBatch second_{2};
    MadeBatch third_{3};
};

class EsWriterOrder : public EsWriterTest, public testing::WithParamInterface<bool> {};

// Were the second one's bulk sent, it would be written, and then the first one over it: an action
// that is stale is sent again.
TEST_P(EsWriterOrder, WhatBothBatchesAreAboutWaits) {
    start(GetParam());
    second_.update({"1", "made"}, {"1", "older"});
    third_.update({"1", "older"}, {"1", "newer"});
    std::future<Result<void>> written = begin_held(second_, "older");
    look_ahead(third_);
    EXPECT_TRUE(node_.comes([this] {
        return counter("es_ahead_waited") == 1 || node_.document("1") == R"({"name":"newer"})";
    }));
    EXPECT_EQ(node_.document("1"), R"({"name":"made"})");
    node_.let_through();
    EXPECT_TRUE(written.get().ok());
    EXPECT_TRUE(write(third_).ok());
    EXPECT_EQ(node_.document("1"), R"({"name":"newer"})");
    EXPECT_THAT(node_.bulks(), ElementsAre("1 2", "1", "1"));
    EXPECT_EQ(counter("es_ahead"), 1u);
    EXPECT_EQ(counter("es_stale"), 0u);
}

INSTANTIATE_TEST_SUITE_P(WholeAndByField, EsWriterOrder, testing::Bool());

TEST_F(EsWriterTest, WhatTheNextBatchAloneIsAboutIsWrittenMeanwhile) {
    start();
    second_.update({"1", "made"}, {"1", "slow"});
    third_.update({"2", "made"}, {"2", "fast"}).insert({"3", "fast"});
    std::future<Result<void>> written = begin_held(second_, "slow");
    look_ahead(third_);
    EXPECT_TRUE(node_.comes([this] { return node_.document("2") == R"({"name":"fast"})"; }));
    EXPECT_TRUE(node_.is_held());
    node_.let_through();
    EXPECT_TRUE(written.get().ok());
    EXPECT_TRUE(write(third_).ok());
    EXPECT_EQ(node_.document("1"), R"({"name":"slow"})");
    EXPECT_THAT(node_.bulks(), ElementsAre("1 2", "2 3", "1"));
    EXPECT_EQ(counter("es_ahead_waited"), 0u);
}

// Whatever was written of the batch behind, it is written again, and behind the one in front.
TEST_F(EsWriterTest, ABatchInFrontThatFailsIsWrittenBeforeTheNextOneIsAgain) {
    start();
    second_.update({"1", "made"}, {"1", "older"});
    third_.update({"2", "made"}, {"2", "new"});
    std::future<Result<void>> written = begin_held(second_, "older");
    look_ahead(third_);
    EXPECT_TRUE(node_.comes([this] { return node_.document("2") == R"({"name":"new"})"; }));
    node_.let_through(true);
    EXPECT_FALSE(written.get().ok());
    EXPECT_THAT(node_.bulks(), ElementsAre("1 2", "2", "!1"));
    EXPECT_TRUE(write(second_).ok());
    EXPECT_TRUE(write(third_).ok());
    EXPECT_THAT(node_.bulks(), ElementsAre("1 2", "2", "!1", "1", "2"));
    EXPECT_EQ(node_.document("1"), R"({"name":"older"})");
    EXPECT_EQ(node_.document("2"), R"({"name":"new"})");
}

TEST_F(EsWriterTest, ABatchThatWaitsForOneThatFailsSendsNothing) {
    start();
    second_.update({"1", "made"}, {"1", "older"});
    third_.update({"1", "older"}, {"1", "newer"}).insert({"3", "new"});
    std::future<Result<void>> written = begin_held(second_, "older");
    look_ahead(third_);
    EXPECT_TRUE(comes_to_wait());
    node_.let_through(true);
    EXPECT_FALSE(written.get().ok());
    EXPECT_TRUE(write(second_).ok());
    EXPECT_THAT(node_.bulks(), ElementsAre("1 2", "!1", "1"));
    EXPECT_TRUE(write(third_).ok());
    EXPECT_THAT(node_.bulks(), ElementsAre("1 2", "!1", "1", "1 3"));
    EXPECT_EQ(node_.document("1"), R"({"name":"newer"})");
    EXPECT_EQ(node_.document("3"), R"({"name":"new"})");
}

// As when the session with the Canal server ends.
TEST_F(EsWriterTest, ABatchThatIsDroppedComesAgain) {
    start();
    second_.update({"1", "made"}, {"1", "older"});
    third_.update({"2", "made"}, {"2", "new"});
    std::future<Result<void>> written = begin_held(second_, "older");
    look_ahead(third_);
    EXPECT_TRUE(node_.comes([this] { return node_.document("2") == R"({"name":"new"})"; }));
    node_.let_through();
    EXPECT_TRUE(written.get().ok());
    await(writer_->drop_ahead());
    MadeBatch again(1);
    again.update({"2", "made"}, {"2", "new"}).update({"2", "new"}, {"2", "newer"});
    EXPECT_TRUE(write(again).ok());
    EXPECT_THAT(node_.bulks(), ElementsAre("1 2", "2", "1", "2"));
    EXPECT_EQ(node_.document("2"), R"({"name":"newer"})");
}

TEST_F(EsWriterTest, WhatIsUnderWayOfADroppedBatchEndsBefore) {
    start();
    second_.insert({"3", "first"});
    third_.update({"2", "made"}, {"2", "new"});
    node_.hold("new");
    look_ahead(third_);
    EXPECT_TRUE(write(second_).ok());
    EXPECT_TRUE(node_.comes([this] { return node_.is_held(); }));
    std::future<void> dropped = begin(writer_->drop_ahead());
    EXPECT_EQ(dropped.wait_for(0s), std::future_status::timeout);
    node_.let_through();
    dropped.get();
    EXPECT_THAT(node_.bulks(), ElementsAre("1 2", "3", "2"));
    EXPECT_TRUE(write(third_).ok());
    EXPECT_THAT(node_.bulks(), ElementsAre("1 2", "3", "2", "2"));
    EXPECT_EQ(node_.document("2"), R"({"name":"new"})");
}

TEST_F(EsWriterTest, StopEndsABatchAndTheOneThatWaitsForIt) {
    start();
    second_.remove({"1", "made"});
    third_.insert({"1", "back"});
    std::future<Result<void>> written = begin_held(second_, R"("delete")");
    look_ahead(third_);
    EXPECT_TRUE(comes_to_wait());
    writer_->stop();
    const Result<void> done = written.get();
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().code, Errc::Stopped);
}

}  // namespace
}  // namespace obcanal::adapter::es
