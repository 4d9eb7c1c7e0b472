// Who is subscribed to one destination and which batches each client has not acknowledged yet:
// Canal's rules, no I/O. Owned by the instance; instance strand.
#pragma once

#include "protocol/base/result.h"
#include "protocol/canal/ids.h"

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace obcanal::meta {

struct Subscription {
    canal::ClientId client;
    std::optional<std::string> filter;  // nothing and "" differ in meta.dat

    bool operator==(const Subscription&) const = default;
};

struct OpenBatch {
    canal::BatchId id;
    canal::Sequence first;
    canal::Sequence last;

    bool operator==(const OpenBatch&) const = default;
};

// The Java exception whose name Canal's server puts before the detail of an error of that code (a
// part of the text that clients print): OutOfOrder comes from the meta manager, Conflict from the
// store, all else from the server.
std::string_view canal_exception(Errc code);

// The detail of every error is the text of the Java server.
class ClientLedger {
 public:
    explicit ClientLedger(std::string destination) : destination_(std::move(destination)) {}

    // A client that is there already moves to the end and gets the new filter. Its batches stay.
    void subscribe(canal::ClientId client, std::optional<std::string> filter);
    // Batches stay: a client that subscribes again may still acknowledge them, and its numbers go
    // on.
    void unsubscribe(canal::ClientId client);
    bool subscribed(canal::ClientId client) const;
    // NotFound "... should subscribe first"
    Result<void> check_subscribed(canal::ClientId client) const;
    // In the order of subscription, the latest last.
    const std::vector<Subscription>& subscriptions() const { return subscriptions_; }

    // A new batch of the entries first..last. NotFound when not subscribed.
    Result<canal::BatchId> open(
        canal::ClientId client, canal::Sequence first, canal::Sequence last
    );
    // Takes the batch off. NotFound when not subscribed or unknown, OutOfOrder when an older one is
    // open (it stays).
    Result<OpenBatch> ack(canal::ClientId client, canal::BatchId batch);
    // Drops all batches of the client. False: not subscribed, nothing to do; true: the ring must go
    // back to its ack point.
    bool rollback(canal::ClientId client);
    // As above from `batch` on, which must be the oldest. Java leaves the later ones registered
    // though their entries are delivered again; here they are dropped with it.
    Result<bool> rollback(canal::ClientId client, canal::BatchId batch);

    // Not acknowledged yet, oldest first.
    const std::deque<OpenBatch>& open_batches(canal::ClientId client) const;

 private:
    struct Batches {
        int64_t next_id = 1;
        std::deque<OpenBatch> open;
    };

    // The client's list, whose front is `batch`; `what` begins the text for a batch that is
    // unknown.
    Result<std::deque<OpenBatch>*> find_oldest(
        std::string_view what, canal::ClientId client, canal::BatchId batch
    );

    std::string destination_;
    std::vector<Subscription> subscriptions_;
    std::map<canal::ClientId, Batches> batches_;
};

}  // namespace obcanal::meta
