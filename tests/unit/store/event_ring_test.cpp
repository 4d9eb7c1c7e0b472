// Ring and transaction buffer on a plain io_context: what a batch holds, when room is there, who
// frees what.
#include "server/store/event_ring.h"

#include "protocol/net/asio.h"
#include "server/store/txn_buffer.h"

#include <gtest/gtest.h>

#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace obcanal::store {
namespace {

using canal::TxnMark;

// A record of `size` bytes that can be told from others.
std::string record(char letter, size_t size) { return std::string(size, letter); }

std::string text_of(const Batch& batch) {
    std::string out;
    for (const Bytes slice : batch.slices) out += as_text(slice);
    return out;
}

class Store : public ::testing::Test {
 protected:
    void make(RingLimits limits, TxnBufferOptions options = {}) {
        ring.emplace(limits, context.get_executor(), context.get_executor());
        buffer.emplace(*ring, pool, options);
    }

    // One transaction whose entries are `letters`; R rows, B begin, E end, D isolated DDL.
    bool put(std::string_view letters, size_t size = 10, const std::string& id = "tx") {
        buffer->begin(TxnMark{id, 5, 4, true});
        for (const char letter : letters) {
            EntryFacts facts;
            facts.kind = letter == 'B'   ? EntryKind::Begin
                         : letter == 'E' ? EntryKind::End
                         : letter == 'D' ? EntryKind::Ddl
                                         : EntryKind::Row;
            facts.rows = facts.kind == EntryKind::Row ? 1 : 0;
            facts.execute_ms = time_ms;
            if (!buffer->append(as_bytes(record(letter, size)), facts)) return false;
        }
        return buffer->try_flush(true);
    }

    void ack(int64_t upto) {
        ring->ack({upto}, [](const Slot&) {});
    }

    asio::io_context context;
    std::shared_ptr<ChunkPool> pool = ChunkPool::make();
    std::optional<EventRing> ring;
    std::optional<TxnBuffer> buffer;
    int64_t time_ms = 1'000'000;
};

TEST_F(Store, BatchesFollowItemAndMemoryLimits) {
    make({16, 1 << 20, false});
    ASSERT_TRUE(put("BRRE"));
    EXPECT_EQ(text_of(ring->get({0}, {2, -1})), record('B', 10) + record('R', 10));
    EXPECT_EQ(ring->get({0}, {100, -1}).entries(), 4);
    // Entries are taken while what lies before them is within the limit.
    EXPECT_EQ(ring->get({0}, {-1, 0}).entries(), 1);
    EXPECT_EQ(ring->get({0}, {-1, 9}).entries(), 1);
    EXPECT_EQ(ring->get({0}, {-1, 10}).entries(), 2);
    EXPECT_EQ(ring->get({1}, {-1, 19}).entries(), 2);
    EXPECT_EQ(ring->get({0}, {-1, 1 << 30}).slices.size(), 1U)
        << "records of a chunk are one slice";
    EXPECT_EQ(ring->get({0}, {-1, 1 << 30}).rows, 2);
}

TEST_F(Store, DdlIsReturnedAloneOnlyWithIsolation) {
    make({16, 1 << 20, true});
    ASSERT_TRUE(put("BRE"));
    ASSERT_TRUE(put("D"));
    ASSERT_TRUE(put("D"));
    ASSERT_TRUE(put("BRE"));
    EXPECT_EQ(ring->get({0}, {100, -1}).last.value, 2);
    EXPECT_EQ(ring->get({3}, {100, -1}).last.value, 3);
    EXPECT_EQ(ring->get({4}, {100, -1}).last.value, 4);
    EXPECT_EQ(ring->get({5}, {100, -1}).last.value, 7);
}

TEST_F(Store, TransactionsWithoutRowsAreDroppedUntilTheyAreDue) {
    make({16, 1 << 20, false});
    ASSERT_TRUE(put("BE")) << "the first one is due";
    EXPECT_EQ(ring->published().value, 1);
    ASSERT_TRUE(put("BE"));
    EXPECT_EQ(ring->published().value, 1);
    time_ms += 5001;
    ASSERT_TRUE(put("BE"));
    EXPECT_EQ(ring->published().value, 3);
}

TEST_F(Store, FullRingTakesNothingUntilAcked) {
    make({4, 1 << 20, false});
    ASSERT_TRUE(put("BRRE"));
    EXPECT_FALSE(put("BRRE"));
    ack(3);
    EXPECT_TRUE(buffer->try_flush(true));
    EXPECT_EQ(ring->published().value, 7);
}

TEST_F(Store, ByteBudgetHoldsButOneOversizeEntryPassesAlone) {
    make({1024, 4096, false});
    ASSERT_TRUE(put("R", 1 << 20));
    EXPECT_FALSE(put("R", 10));
    const Batch batch = ring->get({0}, {-1, 1});
    EXPECT_EQ(batch.bytes, 1 << 20);
    ack(0);
    EXPECT_TRUE(buffer->try_flush(true));
}

TEST_F(Store, MemoryGoesBackWhenTheLastUserGoes) {
    make({1024, size_t{64} << 20, false});
    for (int i = 0; i < 40; ++i) ASSERT_TRUE(put("R", 100'000));
    const size_t full = pool->in_use();
    EXPECT_GE(full, 20 * ChunkPool::kChunkBytes);
    {
        const Batch kept = ring->get({0}, {20, -1});
        ack(39);
        EXPECT_GE(pool->in_use(), 10 * ChunkPool::kChunkBytes)
            << "a batch being written keeps its chunks";
        EXPECT_EQ(text_of(kept), record('R', 20 * 100'000));
    }
    EXPECT_LE(pool->in_use(), 2 * ChunkPool::kChunkBytes);
    buffer.reset();
    ring.reset();
    EXPECT_EQ(pool->in_use(), 0U);
}

TEST_F(Store, DroppedTransactionsLeaveNothingBehind) {
    make({1024, size_t{64} << 20, false});
    ASSERT_TRUE(put("BRE", 10, "kept"));
    for (int i = 0; i < 200; ++i) {
        buffer->begin(TxnMark{"void", 5, 4, true});
        ASSERT_TRUE(buffer->append(as_bytes(record('x', 50'000)), {EntryKind::Row, 1, 1, {}}));
        buffer->drop();
    }
    EXPECT_LE(pool->in_use(), 2 * ChunkPool::kChunkBytes);
    ASSERT_TRUE(put("BRE", 10, "next"));
    EXPECT_EQ(
        text_of(ring->get({0}, {100, -1})),
        "BBBBBBBBBBRRRRRRRRRREEEEEEEEEEBBBBBBBBBBRRRRRRRRRREEEEEEEEEE"
    );
    EXPECT_EQ(ring->slot({0}).txn->id, "kept");
    EXPECT_EQ(ring->slot({5}).txn->id, "next");
}

TEST_F(Store, TransactionLargerThanTheBufferAsksForAFlush) {
    make({64, 1 << 20, false}, {4, false});
    EXPECT_FALSE(put("BRRRRRE"));
    EXPECT_TRUE(buffer->try_flush(false));
    EXPECT_EQ(ring->published().value, 3);
}

TEST_F(Store, FilteredBoundariesComeThroughOnceInAWhile) {
    make({64, 1 << 20, false}, {1024, true});
    ASSERT_TRUE(put("BRE"));
    const int64_t first = ring->published().value;
    ASSERT_TRUE(put("BRE"));
    EXPECT_EQ(ring->published().value, first + 1) << "the row alone";
}

// Producer and consumer on their own threads; every byte arrives once and in order. Run under TSan
// in CI.
TEST(StoreThreads, ProducerAndConsumer) {
    asio::io_context feed;
    asio::io_context front;
    EventRing ring({256, 16 * 1024, false}, feed.get_executor(), front.get_executor());
    const auto pool = ChunkPool::make();
    constexpr int kTransactions = 20'000;
    int64_t rows = 0;
    uint64_t expected = 0;
    const auto produce = [&]() -> Awaitable<void> {
        TxnBuffer buffer(ring, pool, {64, false});
        for (uint64_t i = 0; i < kTransactions; ++i) {
            buffer.begin(TxnMark{"t" + std::to_string(i), 1, 1, true});
            std::string text(8 + i % 100, '.');
            std::memcpy(text.data(), &i, sizeof i);
            EXPECT_TRUE(buffer.append(as_bytes(text), {EntryKind::Row, 1, 1, {}}));
            Result<void> flushed = co_await buffer.flush(true);
            EXPECT_TRUE(flushed.ok());
        }
    };
    const auto consume = [&]() -> Awaitable<void> {
        Sequence next{0};
        while (expected < kTransactions) {
            ring.readable().arm();
            if (next > ring.published()) {
                co_await ring.readable().wait(SteadyTime::max());
                continue;
            }
            const Batch batch = ring.get(next, {-1, 2000});
            rows += batch.rows;
            std::string all = text_of(batch);
            size_t at = 0;
            for (int64_t s = batch.first.value; s <= batch.last.value; ++s) {
                uint64_t number = 0;
                std::memcpy(&number, all.data() + at, sizeof number);
                EXPECT_EQ(number, expected++);
                at += ring.slot({s}).size;
            }
            next = batch.last.next();
            ring.ack(batch.last, [](const Slot&) {});
        }
    };
    asio::co_spawn(feed, produce(), asio::detached);
    asio::co_spawn(front, consume(), asio::detached);
    std::thread feeder([&feed] { feed.run(); });
    front.run();
    feeder.join();
    EXPECT_EQ(rows, kTransactions);
}

}  // namespace
}  // namespace obcanal::store
