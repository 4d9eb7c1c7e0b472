#include "server/meta/client_ledger.h"

#include <gtest/gtest.h>

namespace obcanal::meta {
namespace {

using canal::BatchId;
using canal::ClientId;
using canal::Sequence;

constexpr ClientId kClient{1001};
constexpr ClientId kOther{-7};

class ClientLedgerTest : public testing::Test {
 protected:
    ClientLedgerTest() { ledger_.subscribe(kClient, std::nullopt); }

    BatchId open(ClientId client, int64_t first, int64_t last) {
        auto id = ledger_.open(client, Sequence{first}, Sequence{last});
        EXPECT_TRUE(id.ok());
        return id.ok() ? *id : BatchId{};
    }

    ClientLedger ledger_{"example"};
};

TEST_F(ClientLedgerTest, NumbersBatchesFromOnePerClientAndNeverTwice) {
    ledger_.subscribe(kOther, "a\\..*");
    EXPECT_EQ(open(kClient, 0, 9).value, 1);
    EXPECT_EQ(open(kClient, 10, 19).value, 2);
    EXPECT_EQ(open(kOther, 20, 20).value, 1);
    EXPECT_TRUE(ledger_.rollback(kClient));
    EXPECT_EQ(open(kClient, 0, 9).value, 3);
    ledger_.unsubscribe(kClient);
    ledger_.subscribe(kClient, std::nullopt);
    EXPECT_EQ(open(kClient, 0, 9).value, 4);
}

TEST_F(ClientLedgerTest, AcksInOrderAndSaysWhichEntries) {
    open(kClient, 0, 9);
    open(kClient, 10, 19);
    auto early = ledger_.ack(kClient, BatchId{2});
    ASSERT_FALSE(early.ok());
    EXPECT_EQ(early.error().code, Errc::OutOfOrder);
    EXPECT_EQ(early.error().detail, "batchId:2 is not the firstly:1");
    EXPECT_EQ(
        canal_exception(early.error().code),
        "com.alibaba.otter.canal.meta.exception.CanalMetaManagerException"
    );
    ASSERT_EQ(ledger_.open_batches(kClient).size(), 2U);

    auto first = ledger_.ack(kClient, BatchId{1});
    ASSERT_TRUE(first.ok());
    EXPECT_EQ(*first, (OpenBatch{BatchId{1}, Sequence{0}, Sequence{9}}));
    auto again = ledger_.ack(kClient, BatchId{1});
    ASSERT_FALSE(again.ok());
    EXPECT_EQ(again.error().code, Errc::NotFound);
    EXPECT_EQ(
        again.error().detail, "ack error , clientId:1001 batchId:1 is not exist , please check"
    );
    EXPECT_EQ(
        canal_exception(again.error().code),
        "com.alibaba.otter.canal.server.exception.CanalServerException"
    );
    EXPECT_TRUE(ledger_.ack(kClient, BatchId{2}).ok());
    EXPECT_TRUE(ledger_.open_batches(kClient).empty());
}

TEST_F(ClientLedgerTest, RollbackOfOneTakesTheLaterOnesAlong) {
    open(kClient, 0, 9);
    open(kClient, 10, 19);
    auto wrong = ledger_.rollback(kClient, BatchId{2});
    ASSERT_FALSE(wrong.ok());
    EXPECT_EQ(wrong.error().detail, "batchId:2 is not the firstly:1");
    auto unknown = ledger_.rollback(kClient, BatchId{77});
    ASSERT_FALSE(unknown.ok());
    EXPECT_EQ(
        unknown.error().detail,
        "rollback error, clientId:1001 batchId:77 is not exist , please check"
    );
    EXPECT_EQ(ledger_.open_batches(kClient).size(), 2U);

    auto done = ledger_.rollback(kClient, BatchId{1});
    ASSERT_TRUE(done.ok());
    EXPECT_TRUE(*done);
    EXPECT_TRUE(ledger_.open_batches(kClient).empty());
    EXPECT_FALSE(ledger_.ack(kClient, BatchId{2}).ok());
}

TEST_F(ClientLedgerTest, RollbackTouchesOnlyItsOwnClient) {
    ledger_.subscribe(kOther, std::nullopt);
    open(kClient, 0, 9);
    open(kOther, 10, 19);
    EXPECT_TRUE(ledger_.rollback(kClient));
    EXPECT_TRUE(ledger_.open_batches(kClient).empty());
    EXPECT_EQ(ledger_.open_batches(kOther).size(), 1U);
}

TEST_F(ClientLedgerTest, RefusesWhoIsNotSubscribedButIgnoresItsRollback) {
    const std::string text =
        "ClientIdentity:ClientIdentity[destination=example,clientId=-7,filter=<null>] should "
        "subscribe first";
    auto opened = ledger_.open(kOther, Sequence{0}, Sequence{0});
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().detail, text);
    auto acked = ledger_.ack(kOther, BatchId{1});
    ASSERT_FALSE(acked.ok());
    EXPECT_EQ(acked.error().detail, text);
    // Stock clients roll back before they subscribe.
    EXPECT_FALSE(ledger_.rollback(kOther));
    auto one = ledger_.rollback(kOther, BatchId{3});
    ASSERT_TRUE(one.ok());
    EXPECT_FALSE(*one);
}

TEST_F(ClientLedgerTest, SubscribingAgainMovesToTheEndWithTheNewFilterAndKeepsBatches) {
    ledger_.subscribe(kOther, "x");
    open(kClient, 0, 9);
    ledger_.subscribe(kClient, "");
    const std::vector<Subscription> expected{{kOther, "x"}, {kClient, ""}};
    EXPECT_EQ(ledger_.subscriptions(), expected);
    EXPECT_EQ(ledger_.open_batches(kClient).size(), 1U);
}

TEST_F(ClientLedgerTest, BatchesOutliveUnsubscribing) {
    open(kClient, 0, 9);
    ledger_.unsubscribe(kClient);
    EXPECT_FALSE(ledger_.subscribed(kClient));
    EXPECT_FALSE(ledger_.ack(kClient, BatchId{1}).ok());
    ledger_.subscribe(kClient, std::nullopt);
    EXPECT_TRUE(ledger_.ack(kClient, BatchId{1}).ok());
}

TEST(CanalExceptionTest, StoreErrorsCarryTheStoresName) {
    EXPECT_EQ(canal_exception(Errc::Conflict), "com.alibaba.otter.canal.store.CanalStoreException");
}

}  // namespace
}  // namespace obcanal::meta
