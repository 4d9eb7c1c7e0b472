#include "server/meta/client_ledger.h"

#include <algorithm>
#include <utility>

namespace obcanal::meta {

using canal::BatchId;
using canal::ClientId;
using canal::Sequence;

std::string_view canal_exception(Errc code) {
    if (code == Errc::OutOfOrder)
        return "com.alibaba.otter.canal.meta.exception.CanalMetaManagerException";
    if (code == Errc::Conflict) return "com.alibaba.otter.canal.store.CanalStoreException";
    return "com.alibaba.otter.canal.server.exception.CanalServerException";
}

void ClientLedger::subscribe(ClientId client, std::optional<std::string> filter) {
    unsubscribe(client);
    subscriptions_.push_back({client, std::move(filter)});
}

void ClientLedger::unsubscribe(ClientId client) {
    std::erase_if(subscriptions_, [client](const Subscription& one) {
        return one.client == client;
    });
}

bool ClientLedger::subscribed(ClientId client) const {
    return std::any_of(
        subscriptions_.begin(),
        subscriptions_.end(),
        [client](const Subscription& one) { return one.client == client; }
    );
}

Result<void> ClientLedger::check_subscribed(ClientId client) const {
    if (subscribed(client)) return {};
    return Error{
        Errc::NotFound,
        Retry::Never,
        "ClientIdentity:ClientIdentity[destination=" + destination_ +
            ",clientId=" + std::to_string(client.value) + ",filter=<null>] should subscribe first"
    };
}

Result<BatchId> ClientLedger::open(ClientId client, Sequence first, Sequence last) {
    if (auto known = check_subscribed(client); !known) return std::move(known).error();
    Batches& batches = batches_[client];
    const BatchId id{batches.next_id++};
    batches.open.push_back({id, first, last});
    return id;
}

Result<std::deque<OpenBatch>*> ClientLedger::find_oldest(
    std::string_view what, ClientId client, BatchId batch
) {
    const auto found = batches_.find(client);
    const bool known =
        found != batches_.end() && std::any_of(
                                       found->second.open.begin(),
                                       found->second.open.end(),
                                       [batch](const OpenBatch& one) { return one.id == batch; }
                                   );
    const std::string number = std::to_string(batch.value);
    if (!known) {
        return Error{
            Errc::NotFound,
            Retry::Never,
            std::string(what) + ", clientId:" + std::to_string(client.value) +
                " batchId:" + number + " is not exist , please check"
        };
    }
    std::deque<OpenBatch>& open = found->second.open;
    if (open.front().id != batch) {
        return Error{
            Errc::OutOfOrder,
            Retry::Never,
            "batchId:" + number + " is not the firstly:" + std::to_string(open.front().id.value)
        };
    }
    return &open;
}

Result<OpenBatch> ClientLedger::ack(ClientId client, BatchId batch) {
    if (auto known = check_subscribed(client); !known) return std::move(known).error();
    auto open = find_oldest("ack error ", client, batch);
    if (!open) return std::move(open).error();
    const OpenBatch acked = (*open)->front();
    (*open)->pop_front();
    return acked;
}

bool ClientLedger::rollback(ClientId client) {
    if (!subscribed(client)) return false;
    if (const auto found = batches_.find(client); found != batches_.end())
        found->second.open.clear();
    return true;
}

Result<bool> ClientLedger::rollback(ClientId client, BatchId batch) {
    if (!subscribed(client)) return false;
    auto open = find_oldest("rollback error", client, batch);
    if (!open) return std::move(open).error();
    (*open)->clear();
    return true;
}

const std::deque<OpenBatch>& ClientLedger::open_batches(ClientId client) const {
    static const std::deque<OpenBatch> kNone;
    const auto found = batches_.find(client);
    return found == batches_.end() ? kNone : found->second.open;
}

}  // namespace obcanal::meta
