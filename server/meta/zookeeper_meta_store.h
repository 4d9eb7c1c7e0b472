// Canal's default-instance.xml: what clients have acknowledged lives in memory and is written to
// /otter/canal/destinations/{destination}/{client} in Java's format, subscriptions at once and
// cursors with each flush(). Before there is a cursor, the node {destination}/start, which is ours,
// says where the stream began. load() takes the leadership of the destination (ha/leadership.h),
// and nothing is accepted, nor written, while another server may have it; who owns the leadership
// gives it up. Thread-safe; load(), subscribe(), unsubscribe(), flush() and close() wait for
// ZooKeeper, on a BlockingLane.
#pragma once

#include "ha/leadership.h"
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
    // `leadership`: of the destination.
    ZookeeperMetaStore(
        std::shared_ptr<ha::Leadership> leadership,
        const std::string& destination,
        bool durable_acks = true
    );

    // Conflict: another server has the destination. A cursor that can't be understood is an error.
    Result<ClientTable> load() override;
    Result<void> subscribe(canal::ClientId client, const std::optional<std::string>& filter)
        override;
    Result<void> unsubscribe(canal::ClientId client) override;
    Result<void> save_cursor(canal::ClientId client, const canal::LogPosition& at) override;
    std::optional<canal::LogPosition> cursor(canal::ClientId client) const override;
    bool durable_acks() const override { return durable_acks_; }
    bool keeps_start() const override { return true; }
    void save_start(const canal::LogPosition& at) override;
    bool dirty() const override;
    // Conflict: another server has the destination; this store is of no use any more.
    Result<void> flush() override;
    // Leaves out what it may not write any more: another server has, or may have, moved on.
    Result<void> close() override;
    Result<void> held() const override;
    std::unique_ptr<schema::SchemaStore> schema_store() override;

 private:
    using Session = ha::ZookeeperSession;

    // What of a client stands in ZooKeeper. Not `sure`: a write of it ended without an answer.
    struct Stored {
        bool node = false;
        std::optional<std::string> filter;
        std::optional<std::string> cursor;
        bool sure = true;
    };

    std::string client_path(canal::ClientId client) const;
    Result<Stored> read(Session& session, canal::ClientId client) const;
    Result<ClientTable> read_clients(ha::Term& term);
    Result<void> write(ha::Term& term, const ClientRecord& client);
    Result<void> remove(ha::Term& term, canal::ClientId client);
    Result<std::optional<canal::LogPosition>> read_start(Session& session);
    Result<void> write_start(ha::Term& term, const std::optional<std::string>& wanted);
    Result<void> write_changes(ha::Term& term);
    std::shared_ptr<ha::Term> term() const;

    const std::string path_;
    const std::shared_ptr<ha::Leadership> leadership_;
    const bool durable_acks_;

    std::mutex flush_mutex_;  // held while ZooKeeper is waited for; taken before mutex_
    std::map<canal::ClientId, Stored> stored_;
    std::optional<std::string> stored_start_;
    bool start_sure_ = false;

    mutable std::mutex mutex_;  // what follows
    std::shared_ptr<ha::Term> term_;
    bool dirty_ = false;
    ClientRecords records_;
    std::optional<canal::LogPosition> start_;  // to be written while there is no cursor
};

}  // namespace obcanal::meta
