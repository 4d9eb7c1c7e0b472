// One destination on a scripted source and real threads: what clients get, what acks and rollbacks
// do, and where it goes on after a restart.
#include "server/instance/instance.h"

#include "protocol/net/asio.h"
#include "server/meta/file_meta_store.h"
#include "server/meta/memory_meta_store.h"
#include "tests/unit/instance/scripted_source.h"
#include "tests/unit/scratch_dir.h"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace obcanal::instance {
namespace {

using canal::BatchId;
using canal::ClientId;
using namespace std::chrono_literals;

constexpr ClientId kClient{1001};
constexpr ClientId kOther{1002};

class InstanceTest : public ::testing::Test {
 protected:
    void TearDown() override {
        if (instance_) stop();
    }

    Result<void> start(std::unique_ptr<meta::MetaStore> meta) {
        runtime_ = std::make_unique<Runtime>(2);
        runtime_->start();
        Instance::Parts parts;
        parts.config = config_;
        parts.feed_strand = runtime_->make_strand();
        parts.instance_strand = runtime_->make_strand();
        parts.make_source = scripted_source(script_, parts.feed_strand);
        parts.meta = std::move(meta);
        lane_ = std::make_unique<BlockingLane>();
        parts.lane = lane_.get();
        parts.flush_period = 10ms;
        instance_ = std::make_shared<Instance>(std::move(parts));
        return await(instance_->start());
    }

    void start() {
        ASSERT_TRUE(start(std::make_unique<meta::MemoryMetaStore>()).ok());
        ASSERT_TRUE(subscribe(kClient).ok());
    }

    void stop() {
        await(instance_->stop());
        instance_.reset();
        // What ran on the lane may still hold executors of the runtime.
        lane_.reset();
        runtime_.reset();
    }

    // What is begun later runs later.
    template <class T>
    std::future<T> begin(Awaitable<T> work) {
        std::promise<T> promise;
        std::future<T> future = promise.get_future();
        asio::co_spawn(
            instance_->strand(), finish(std::move(work), std::move(promise)), asio::detached
        );
        return future;
    }

    template <class T>
    T await(Awaitable<T> work) {
        return begin(std::move(work)).get();
    }

    template <class T>
    static Awaitable<void> finish(Awaitable<T> work, std::promise<T> promise) {
        if constexpr (std::is_void_v<T>) {
            co_await std::move(work);
            promise.set_value();
        } else {
            T value = co_await std::move(work);
            promise.set_value(std::move(value));
        }
    }

    Result<void> subscribe(ClientId client, std::string filter = "") {
        return await(instance_->subscribe(client, std::move(filter)));
    }

    Awaitable<Result<GetReply>> get_later(
        ClientId client, int64_t fetch_size, std::optional<std::chrono::nanoseconds> wait
    ) {
        GetRequest request;
        request.client = client;
        request.fetch_size = fetch_size;
        request.wait = wait;
        return instance_->get(request, std::make_shared<std::atomic<bool>>(false));
    }

    Result<GetReply> get(
        ClientId client, int64_t fetch_size, std::optional<std::chrono::nanoseconds> wait = 5s
    ) {
        return await(get_later(client, fetch_size, wait));
    }

    // Waits until `entries` of them are there, then takes them all.
    GetReply take(ClientId client, int64_t entries) {
        config_.batch_mode = config::BatchMode::ItemSize;
        Result<GetReply> reply = get(client, entries, 10s);
        EXPECT_TRUE(reply.ok()) << (reply.ok() ? "" : reply.error().detail);
        return reply.ok() ? std::move(reply).value() : GetReply{};
    }

    Result<void> ack(ClientId client, BatchId batch) {
        return await(instance_->ack(client, batch));
    }
    Result<void> rollback(ClientId client, int64_t batch) {
        return await(instance_->rollback(client, BatchId{batch}));
    }

    static std::string text(const Result<void>& result) {
        return result.ok() ? "ok" : result.error().detail;
    }

    config::InstanceConfig config_ = items();
    std::shared_ptr<Script> script_ = std::make_shared<Script>();
    std::unique_ptr<BlockingLane> lane_;
    std::unique_ptr<Runtime> runtime_;
    std::shared_ptr<Instance> instance_;

 private:
    static config::InstanceConfig items() {
        config::InstanceConfig config;
        config.destination = "example";
        config.batch_mode = config::BatchMode::ItemSize;
        config.get_linger_ms = -1;
        config.retry_min_ms = 1;
        config.retry_max_ms = 2;
        return config;
    }
};

TEST_F(InstanceTest, DeliversBatchesInOrderAndCountsThemFromOne) {
    start();
    script_->add({"t1", 1'000'000, 2});
    script_->add({"t2", 2'000'000, 1});
    const GetReply first = take(kClient, 4);
    EXPECT_EQ(first.id.value, 1);
    EXPECT_EQ(first.batch.entries(), 4);
    EXPECT_EQ(first.batch.rows, 2);
    const GetReply second = take(kClient, 3);
    EXPECT_EQ(second.id.value, 2);
    EXPECT_EQ(second.batch.first.value, 4);
    EXPECT_EQ(text(ack(kClient, second.id)), "batchId:2 is not the firstly:1");
    EXPECT_TRUE(ack(kClient, first.id).ok());
    EXPECT_TRUE(ack(kClient, second.id).ok());
    EXPECT_EQ(
        text(ack(kClient, second.id)),
        "ack error , clientId:1001 batchId:2 is not exist , please check"
    );
}

TEST_F(InstanceTest, GetWithoutWaitingAnswersAtOnce) {
    start();
    const Result<GetReply> empty = get(kClient, 100, std::nullopt);
    ASSERT_TRUE(empty.ok());
    EXPECT_EQ(empty->id.value, -1);
    const Result<GetReply> timed = get(kClient, 100, 1ms);
    ASSERT_TRUE(timed.ok());
    EXPECT_EQ(timed->id.value, -1);
}

// Whose flush() the test lets through.
class HeldStore final : public meta::MetaStore {
 public:
    struct Gate {
        void enter() {
            std::unique_lock lock(mutex);
            ++flushes;
            changed.notify_all();
            changed.wait(lock, [this] { return open; });
        }
        void wait_for(int count) {
            std::unique_lock lock(mutex);
            changed.wait(lock, [this, count] { return flushes >= count; });
        }
        void let_through() {
            const std::lock_guard lock(mutex);
            open = true;
            changed.notify_all();
        }
        int count() {
            const std::lock_guard lock(mutex);
            return flushes;
        }

        std::mutex mutex;
        std::condition_variable changed;
        int flushes = 0;
        bool open = false;
    };

    explicit HeldStore(std::shared_ptr<Gate> gate) : gate_(std::move(gate)) {}

    Result<meta::ClientTable> load() override { return records_.load(); }
    Result<void> subscribe(ClientId client, const std::optional<std::string>& filter) override {
        return records_.subscribe(client, filter);
    }
    Result<void> unsubscribe(ClientId client) override { return records_.unsubscribe(client); }
    Result<void> save_cursor(ClientId client, const canal::LogPosition& at) override {
        return records_.save_cursor(client, at);
    }
    std::optional<canal::LogPosition> cursor(ClientId client) const override {
        return records_.cursor(client);
    }
    bool durable_acks() const override { return true; }
    bool dirty() const override { return false; }
    Result<void> flush() override {
        gate_->enter();
        return {};
    }
    Result<void> close() override { return {}; }

 private:
    meta::MemoryMetaStore records_;
    std::shared_ptr<Gate> gate_;
};

TEST_F(InstanceTest, AGetIsAnsweredWhenTheAcksBeforeItAreWritten) {
    script_->add({"t1", 1'000'000, 6});
    const auto gate = std::make_shared<HeldStore::Gate>();
    ASSERT_TRUE(start(std::make_unique<HeldStore>(gate)).ok());
    ASSERT_TRUE(subscribe(kClient).ok());
    ASSERT_TRUE(subscribe(kOther).ok());
    const GetReply first = take(kClient, 1);
    const GetReply second = take(kClient, 1);
    const GetReply third = take(kClient, 1);
    ASSERT_TRUE(ack(kClient, first.id).ok());
    gate->wait_for(1);
    ASSERT_TRUE(ack(kClient, second.id).ok());
    ASSERT_TRUE(ack(kClient, third.id).ok());

    std::future<Result<GetReply>> at_once = begin(get_later(kClient, 1, std::nullopt));
    std::future<Result<GetReply>> timed = begin(get_later(kClient, 1, 1ms));
    // Of others nothing is held back.
    EXPECT_TRUE(get(kOther, 1, 1ms).ok());
    EXPECT_EQ(at_once.wait_for(0s), std::future_status::timeout);
    EXPECT_EQ(timed.wait_for(0s), std::future_status::timeout);
    gate->let_through();
    EXPECT_EQ(at_once.get().value().batch.entries(), 1);
    EXPECT_EQ(timed.get().value().batch.entries(), 1);
    // What came during the first write was one more.
    EXPECT_EQ(gate->count(), 2);
}

TEST_F(InstanceTest, ARollbackEndsGetsThatWaitForTheSameClient) {
    start();
    ASSERT_TRUE(subscribe(kOther).ok());
    std::future<Result<GetReply>> old = begin(get_later(kClient, 1, 30s));
    std::future<Result<GetReply>> other = begin(get_later(kOther, 1, 30s));
    ASSERT_TRUE(rollback(kClient, 0).ok());
    const GetReply over = old.get().value();
    EXPECT_EQ(over.id.value, -1);
    EXPECT_TRUE(over.rolled_back);
    EXPECT_EQ(other.wait_for(0s), std::future_status::timeout);
    script_->add({"t1", 1'000'000, 1});
    EXPECT_EQ(other.get().value().id.value, 1);
}

TEST_F(InstanceTest, TimedGetReturnsWhatThereIsWhenTimeIsUp) {
    start();
    script_->add({"t1", 1'000'000, 1});
    ASSERT_EQ(take(kClient, 3).batch.entries(), 3);
    ASSERT_TRUE(rollback(kClient, 0).ok());
    const Result<GetReply> some = get(kClient, 100, 1ms);
    ASSERT_TRUE(some.ok());
    EXPECT_EQ(some->batch.entries(), 3);
}

TEST_F(InstanceTest, LingerEndsATimedGetEarly) {
    config_.get_linger_ms = 0;
    start();
    script_->add({"t1", 1'000'000, 1});
    // Without the linger this would wait for the hour, as the reference does.
    const Result<GetReply> some = get(kClient, 1'000'000, 1h);
    ASSERT_TRUE(some.ok());
    EXPECT_GE(some->batch.entries(), 1);
}

TEST_F(InstanceTest, TheFirstTimedGetWaitsForMore) {
    config_.get_linger_ms = 3'600'000;
    start();
    script_->add({"t0", 500'000, 1});
    std::future<Result<GetReply>> first = begin(get_later(kClient, 100, 1h));
    script_->add({"t1", 1'000'000, 98});
    EXPECT_EQ(first.get().value().batch.entries(), 100);
}

TEST_F(InstanceTest, WhileLittleComesATimedGetIsAnsweredAtOnce) {
    config_.get_linger_ms = 3'600'000;
    start();
    script_->add({"t0", 500'000, 1});
    ASSERT_EQ(take(kClient, 3).batch.entries(), 3);
    script_->add({"t1", 1'000'000, 1});
    EXPECT_EQ(get(kClient, 1'000'000, 1h).value().batch.entries(), 3);
}

TEST_F(InstanceTest, WhileMuchComesATimedGetWaitsForMore) {
    config_.get_linger_ms = 3'600'000;
    start();
    script_->add({"t0", 500'000, 2});
    ASSERT_EQ(take(kClient, 2).batch.entries(), 2);
    ASSERT_EQ(get(kClient, 1'000'000, 1h).value().batch.entries(), 2);
    script_->add({"t1", 1'000'000, 10});
    ASSERT_EQ(take(kClient, 12).batch.entries(), 12);
    script_->add({"t2", 2'000'000, 1});
    std::future<Result<GetReply>> more = begin(get_later(kClient, 100, 1h));
    script_->add({"t3", 3'000'000, 97});
    EXPECT_EQ(more.get().value().batch.entries(), 100);
}

TEST_F(InstanceTest, WhileRowsComeAGetWithoutTimeoutWaitsForThem) {
    config_.get_hold_ms = 3'600'000;
    start();
    EXPECT_EQ(get(kClient, 100, std::nullopt).value().id.value, -1) << "nothing has come yet";
    script_->add({"t0", 500'000, 1});
    ASSERT_EQ(take(kClient, 3).batch.entries(), 3);
    std::future<Result<GetReply>> next = begin(get_later(kClient, 100, std::nullopt));
    EXPECT_EQ(next.wait_for(1ms), std::future_status::timeout);
    script_->add({"t1", 1'000'000, 1});
    EXPECT_GE(next.get().value().batch.entries(), 1);
}

TEST_F(InstanceTest, AHeldGetEndsWithNothing) {
    config_.get_hold_ms = 1;
    start();
    script_->add({"t0", 500'000, 1});
    ASSERT_EQ(take(kClient, 3).batch.entries(), 3);
    EXPECT_EQ(get(kClient, 100, std::nullopt).value().id.value, -1);
}

TEST(FillRateTest, TellsWhatAPeriodBrings) {
    using namespace std::chrono_literals;
    FillRate rate(20ms);
    const SteadyTime start = steady_now();
    rate.note(start, 1000);
    EXPECT_EQ(rate.recent(), 0) << "nobody knows since when";
    rate.note(start + 5ms, 1600);
    EXPECT_EQ(rate.recent(), 600);
    rate.note(start + 45ms, 2000);
    EXPECT_EQ(rate.recent(), 500);
    rate.note(start + 50ms, 9000);
    EXPECT_EQ(rate.recent(), 7000);
    rate.note(start + 10s, 9000);
    EXPECT_EQ(rate.recent(), 14) << "over all the time that has gone by";
}

TEST_F(InstanceTest, RollbackDeliversAgainUnderANewId) {
    start();
    script_->add({"t1", 1'000'000, 3});
    const GetReply first = take(kClient, 2);
    const GetReply second = take(kClient, 3);
    EXPECT_EQ(
        text(rollback(kClient, 7)),
        "rollback error, clientId:1001 batchId:7 is not exist , please check"
    );
    EXPECT_EQ(text(rollback(kClient, second.id.value)), "batchId:2 is not the firstly:1");
    ASSERT_TRUE(rollback(kClient, 0).ok());
    const GetReply again = take(kClient, 5);
    EXPECT_EQ(again.id.value, 3);
    EXPECT_EQ(again.batch.first, first.batch.first);
    EXPECT_FALSE(ack(kClient, first.id).ok());
    EXPECT_TRUE(ack(kClient, again.id).ok());
}

TEST_F(InstanceTest, RefusesWhoIsNotSubscribed) {
    start();
    const Result<GetReply> reply = get(kOther, 1, std::nullopt);
    ASSERT_FALSE(reply.ok());
    EXPECT_EQ(
        reply.error().detail,
        "ClientIdentity:ClientIdentity[destination=example,clientId=1002,filter=<null>] should "
        "subscribe first"
    );
    EXPECT_TRUE(rollback(kOther, 0).ok()) << "a client rolls back before it subscribes";
}

TEST_F(InstanceTest, EachEntryGoesToOneOfTwoClients) {
    start();
    ASSERT_TRUE(subscribe(kOther).ok());
    script_->add({"t1", 1'000'000, 4});
    const GetReply first = take(kClient, 3);
    const GetReply second = take(kOther, 3);
    EXPECT_EQ(second.id.value, 1) << "numbers are counted for each client";
    EXPECT_EQ(second.batch.first.value, first.batch.last.value + 1);
    ASSERT_TRUE(ack(kOther, second.id).ok());
    const Result<void> late = ack(kClient, first.id);
    ASSERT_FALSE(late.ok());
    EXPECT_EQ(late.error().code, Errc::Conflict);
}

TEST_F(InstanceTest, GoesOnBehindTheLastAckAfterARestart) {
    ScratchDir dir;
    ASSERT_TRUE(start(std::make_unique<meta::FileMetaStore>(dir.path(), "example")).ok());
    ASSERT_TRUE(subscribe(kClient).ok());
    script_->add({"t1", 1'000'000, 1});
    script_->add({"t2", 2'000'000, 5});
    ASSERT_TRUE(ack(kClient, take(kClient, 3).id).ok());
    // The second batch ends inside a transaction.
    ASSERT_TRUE(ack(kClient, take(kClient, 3).id).ok());
    take(kClient, 4);
    stop();

    script_ = std::make_shared<Script>();
    ASSERT_TRUE(start(std::make_unique<meta::FileMetaStore>(dir.path(), "example")).ok());
    script_->add({"t3", 3'000'000, 1});
    ASSERT_TRUE(get(kClient, 3).ok()) << "the subscription is kept";
    const std::lock_guard lock(script_->mutex);
    ASSERT_TRUE(script_->started_from.has_value());
    ASSERT_TRUE(script_->started_from->oblog.has_value());
    EXPECT_EQ(script_->started_from->oblog->consumed, std::vector<std::string>{"t1"});
    EXPECT_EQ(script_->started_from->oblog->open, "t2");
    EXPECT_EQ(script_->started_from->oblog->open_rows, 2U);
}

TEST_F(InstanceTest, AFullRingHoldsTheSourceBackAndLosesNothing) {
    config_.memory_buffer_size = 4;
    config_.transaction_size = 4;
    start();
    constexpr int kTransactions = 50;
    for (int i = 1; i <= kTransactions; ++i) {
        script_->add({"t" + std::to_string(i), i * 1'000'000, 6});
    }
    int64_t rows = 0;
    while (rows < kTransactions * 6) {
        const Result<GetReply> reply = get(kClient, 3, 10s);
        ASSERT_TRUE(reply.ok());
        ASSERT_GT(reply->id.value, 0);
        rows += reply->batch.rows;
        ASSERT_TRUE(ack(kClient, reply->id).ok());
    }
    EXPECT_EQ(rows, kTransactions * 6);
}

TEST_F(InstanceTest, TriesAgainAfterALostSourceButNotAfterOneThatIsGoneForGood) {
    start();
    script_->add({.fails = Error{Errc::Closed, Retry::Backoff, "connection lost"}});
    script_->add({"t1", 1'000'000, 1});
    EXPECT_EQ(take(kClient, 3).batch.rows, 1);
    EXPECT_FALSE(instance_->source_failed());
    script_->add({.fails = Error{Errc::PositionPurged, Retry::Never, "position is gone"}});
    while (!instance_->source_failed()) std::this_thread::yield();
    const std::lock_guard lock(script_->mutex);
    EXPECT_EQ(script_->runs, 2);
}

TEST_F(InstanceTest, ABadFilterIsRefusedAndChangesNothing) {
    start();
    EXPECT_FALSE(subscribe(kClient, "shop\\.(").ok());
    EXPECT_TRUE(subscribe(kClient, "shop\\..*").ok());
}

TEST_F(InstanceTest, StoppingEndsAClientThatWaits) {
    start();
    GetRequest request;
    request.client = kClient;
    request.fetch_size = 1;
    request.wait = std::chrono::nanoseconds::max();
    std::promise<Result<GetReply>> promise;
    std::future<Result<GetReply>> waiting = promise.get_future();
    asio::co_spawn(
        instance_->strand(),
        finish(
            instance_->get(request, std::make_shared<std::atomic<bool>>(false)), std::move(promise)
        ),
        asio::detached
    );
    await(instance_->stop());
    EXPECT_FALSE(waiting.get().ok());
    instance_.reset();
    lane_.reset();
    runtime_.reset();
}

}  // namespace
}  // namespace obcanal::instance
