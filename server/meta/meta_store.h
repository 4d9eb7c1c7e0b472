// What must outlive the instance: who is subscribed with which filter, and how far each client has
// acknowledged. One store per destination, owned by its instance. Synchronous: load() and close()
// before and after the instance runs, subscribe() and unsubscribe(), and flush() once per period
// may wait for a disk or for ZooKeeper, on a BlockingLane (they may overlap with the others);
// save_cursor(), cursor() and held() never wait, on the instance strand.
#pragma once

#include "protocol/base/result.h"
#include "protocol/canal/ids.h"
#include "protocol/canal/position.h"
#include "server/schema/schema_store.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace obcanal::meta {

struct ClientRecord {
    canal::ClientId id;
    std::optional<std::string> filter;
    std::optional<canal::LogPosition> cursor;

    bool operator==(const ClientRecord&) const = default;
};

// In the order of subscription, the latest last.
struct ClientTable {
    std::vector<ClientRecord> clients;
    std::optional<canal::LogPosition> start{};  // where the stream began, before there is a cursor

    bool operator==(const ClientTable&) const = default;
};

// Where a source must start so that no client misses anything: the first of the cursors, else where
// the stream began, if that is known.
const canal::LogPosition* earliest_cursor(const ClientTable& table);

class MetaStore {
 public:
    virtual ~MetaStore() = default;

    // What the last run left. Once, before anything else.
    virtual Result<ClientTable> load() = 0;
    // Appends the client, or moves it to the end with the new filter; a cursor that is known is
    // kept.
    virtual Result<void> subscribe(
        canal::ClientId client, const std::optional<std::string>& filter
    ) = 0;
    // The cursor stays known to this object, not to what is stored.
    virtual Result<void> unsubscribe(canal::ClientId client) = 0;
    // On success the cursor survives the death of this process; not that of the memory store, and
    // that of ZooKeeper's does from the next flush() on (durable_acks).
    virtual Result<void> save_cursor(canal::ClientId client, const canal::LogPosition& at) = 0;
    virtual std::optional<canal::LogPosition> cursor(canal::ClientId client) const = 0;
    // True: a saved cursor is to be flushed at once, and the client's next get to be answered when
    // that is done. An ack has no answer of its own: with that one it counts as confirmed, and what
    // it has acknowledged never comes again.
    virtual bool durable_acks() const { return false; }
    // Whether it keeps where a stream without a cursor has begun: at the end of the source's log as
    // a rule, so that whoever goes on must not begin at a later end.
    virtual bool keeps_start() const { return false; }
    // Never waits, on the instance strand; written with the next flush(), gone with the first
    // cursor.
    virtual void save_start(const canal::LogPosition& at) { static_cast<void>(at); }
    // An Error while another server may have the destination, so that nothing may be handed out nor
    // accepted. Conflict: it is lost for good, and the instance has to end.
    virtual Result<void> held() const { return {}; }
    // Whether flush() has something to do: an idle destination needs no hop to the lane.
    virtual bool dirty() const { return true; }
    // For the schema history of a source, where it has to be as safe as the cursors. Null: it may
    // be in a file. Not to be used longer than this.
    virtual std::unique_ptr<schema::SchemaStore> schema_store() { return nullptr; }
    // Writes out what changed.
    virtual Result<void> flush() = 0;
    // flush() and release. Nothing may be called afterwards.
    virtual Result<void> close() = 0;
};

}  // namespace obcanal::meta
