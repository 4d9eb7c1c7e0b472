// Canal's default-instance.xml: what clients have acknowledged lives in memory and is written to
// /otter/canal/destinations/{destination}/{client} in Java's format, subscriptions at once and
// cursors with each flush(). The destination is claimed first (ha/destination_claim.h), and nothing
// is accepted, nor written, while another server may have it. Thread-safe; load(), subscribe(),
// unsubscribe(), flush() and close() wait for ZooKeeper, on a BlockingLane.
#pragma once

#include "ha/destination_claim.h"
#include "server/meta/client_records.h"
#include "server/meta/meta_store.h"

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace obcanal::meta {

// The name of a client's node as an id; nothing for other nodes.
std::optional<canal::ClientId> client_of_node(std::string_view name);
// What `filter` and `cursor` of a client hold, as a record.
Result<ClientRecord> client_from_nodes(
    canal::ClientId client,
    const std::optional<std::string>& filter,
    const std::optional<std::string>& cursor
);

class ZookeeperMetaStore final : public MetaStore {
 public:
    // `address`: see ha::register_address().
    ZookeeperMetaStore(
        std::shared_ptr<ha::ZookeeperClient> client,
        const std::string& destination,
        std::string address
    );

    // Conflict: another server has the destination. A cursor that can't be understood is an error.
    Result<ClientTable> load() override;
    Result<void> subscribe(canal::ClientId client, const std::optional<std::string>& filter)
        override;
    Result<void> unsubscribe(canal::ClientId client) override;
    Result<void> save_cursor(canal::ClientId client, const canal::LogPosition& at) override;
    std::optional<canal::LogPosition> cursor(canal::ClientId client) const override;
    // Also makes sure of the claim, and takes it again after the session was lost. Conflict:
    // another server had or has the destination; this store is of no use any more.
    Result<void> flush() override;
    Result<void> close() override;
    Result<void> held() const override;
    std::unique_ptr<schema::SchemaStore> schema_store() override;

 private:
    using Session = ha::ZookeeperSession;

    // What of a client stands in ZooKeeper. `tried`: a cursor that may stand there instead, as its
    // write ended without an answer.
    struct Stored {
        std::optional<std::string> filter;
        std::optional<std::string> cursor;
        std::optional<std::string> tried;
    };

    std::string client_path(canal::ClientId client) const;
    Result<std::optional<std::string>> read(Session& session, const std::string& path) const;
    Result<ClientTable> read_clients(Session& session);
    // Conflict when somebody else has moved a cursor.
    Result<void> compare_cursors(Session& session) const;
    Result<void> write(Session& session, const ClientRecord& client);
    Result<void> write_changes(Session& session);

    const std::string path_;

    std::mutex flush_mutex_;  // held while ZooKeeper is waited for; taken before mutex_
    ha::DestinationClaim claim_;
    std::map<canal::ClientId, Stored> stored_;
    bool unsure_ = false;  // a change of what is stored ended without an answer

    mutable std::mutex mutex_;  // what follows
    bool open_ = false;
    bool dirty_ = false;
    std::optional<Error> displaced_;
    ClientRecords records_;
};

}  // namespace obcanal::meta
