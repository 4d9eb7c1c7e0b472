// The feed on a plain io_context: what it stores without waiting, what waits, which heartbeat is
// the later one.
#include "server/instance/feed.h"

#include "protocol/net/asio.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace obcanal::instance {
namespace {

using canal::Change;

// Statements of one transaction; their numbers are the rows done.
std::vector<Change> transaction(int statements) {
    canal::TxnMark txn;
    txn.id = "tx";
    std::vector<Change> changes;
    canal::TxnBegin begin;
    begin.txn = txn;
    changes.emplace_back(begin);
    for (int i = 1; i <= statements; ++i) {
        canal::StatementChange change;
        change.sql = "statement";
        change.rows_done = static_cast<uint64_t>(i);
        changes.emplace_back(change);
    }
    changes.emplace_back(canal::TxnEnd{});
    return changes;
}

Awaitable<void> emit(Feed* feed, const std::vector<Change>* changes, std::optional<bool>* done) {
    Result<void> emitted = co_await feed->emit(*changes);
    *done = emitted.ok();
}

class FeedTest : public ::testing::Test {
 protected:
    void make(size_t slots, size_t transaction_size) {
        store::RingLimits limits;
        limits.slots = slots;
        ring.emplace(limits, context.get_executor(), context.get_executor());
        store::TxnBufferOptions options;
        options.transaction_size = transaction_size;
        feed.emplace(*ring, ChunkPool::make(), options, "");
    }

    void begin_emit(const std::vector<Change>& changes) {
        asio::co_spawn(context, emit(&*feed, &changes, &done), asio::detached);
        run();
    }

    void run() {
        context.restart();
        context.poll();
    }

    // The statements from this entry on, by their rows done.
    std::vector<uint64_t> published(int64_t from) const {
        std::vector<uint64_t> rows;
        for (int64_t at = from; at <= ring->published().value; ++at) {
            const store::Slot& slot = ring->slot({at});
            if (slot.kind == store::EntryKind::Statement) rows.push_back(slot.rows_done);
        }
        return rows;
    }

    asio::io_context context;
    std::optional<store::EventRing> ring;
    std::optional<Feed> feed;
    std::optional<bool> done;
};

TEST_F(FeedTest, WhatFitsNeedsNoCoroutine) {
    make(16, 8);
    EXPECT_TRUE(*feed->try_emit(transaction(3)));
    EXPECT_EQ(ring->published().value, 4);
    EXPECT_EQ(published(0), (std::vector<uint64_t>{1, 2, 3}));
    EXPECT_EQ(feed->transactions(), 1U);
    EXPECT_EQ(feed->open_rows(), std::nullopt);
}

TEST_F(FeedTest, WhatTheBufferDoesNotHoldIsEndedByEmit) {
    make(16, 2);
    const std::vector<Change> changes = transaction(6);
    EXPECT_FALSE(*feed->try_emit(changes));
    EXPECT_EQ(ring->published().value, -1);
    begin_emit(changes);
    EXPECT_EQ(done, true);
    EXPECT_EQ(published(0), (std::vector<uint64_t>{1, 2, 3, 4, 5, 6}));
    EXPECT_EQ(ring->published().value, 7) << "each once";
    EXPECT_EQ(feed->transactions(), 1U);
    // The next changes begin at their own first one.
    EXPECT_TRUE(*feed->try_emit(transaction(0)));
}

TEST_F(FeedTest, AFullRingIsWaitedFor) {
    make(4, 8);
    EXPECT_TRUE(*feed->try_emit(transaction(2)));
    const std::vector<Change> changes = transaction(2);
    EXPECT_FALSE(*feed->try_emit(changes));
    begin_emit(changes);
    EXPECT_EQ(done, std::nullopt);
    EXPECT_EQ(feed->transactions(), 1U);
    ring->ack({3}, [](const store::Slot&) {});
    run();
    EXPECT_EQ(done, true);
    EXPECT_EQ(published(4), (std::vector<uint64_t>{1, 2}));
    EXPECT_EQ(feed->transactions(), 2U);
}

TEST_F(FeedTest, ALostConnectionForgetsWhatWaited) {
    make(16, 2);
    EXPECT_FALSE(*feed->try_emit(transaction(6)));
    feed->drop_open();
    // From its first change on, not from the one that waited.
    const std::vector<Change> again = transaction(6);
    EXPECT_FALSE(*feed->try_emit(again));
    begin_emit(again);
    EXPECT_EQ(done, true);
    EXPECT_EQ(ring->published().value, 7);
    EXPECT_EQ(published(0), (std::vector<uint64_t>{1, 2, 3, 4, 5, 6}));
}

TEST_F(FeedTest, AHeartbeatIsLaterByItsNumberWhateverTheClock) {
    make(16, 8);
    const auto beat = [this](int64_t us, int64_t number) {
        canal::Heartbeat heartbeat;
        heartbeat.checkpoint_us = us;
        heartbeat.number = number;
        EXPECT_TRUE(*feed->try_emit(std::vector<Change>{heartbeat}));
        return feed->checkpoint().us;
    };
    EXPECT_EQ(beat(5000, 1), 5000);
    EXPECT_EQ(beat(2000, 2), 2000) << "our clock was set back";
    EXPECT_EQ(beat(9000, 1), 2000) << "an earlier one";
    EXPECT_EQ(feed->checkpoint().order, 2);
}

TEST_F(FeedTest, AHeartbeatWithoutANumberIsLaterByItsTime) {
    make(16, 8);
    for (const int64_t us : {5000, 2000, 5000}) {
        canal::Heartbeat heartbeat;
        heartbeat.checkpoint_us = us;
        EXPECT_TRUE(*feed->try_emit(std::vector<Change>{heartbeat}));
        EXPECT_EQ(feed->checkpoint().us, 5000);
    }
}

}  // namespace
}  // namespace obcanal::instance
