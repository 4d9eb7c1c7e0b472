// What must outlive the instance: who is subscribed with which filter, and how far each client has
// acknowledged. One store per destination, owned by its instance. Synchronous, none of its calls
// waits for another machine: load() and close() before and after the instance runs; flush() once
// per period, on a BlockingLane where it syncs a disk (it may overlap with the others); the others
// on the instance strand.
#pragma once

#include "protocol/base/result.h"
#include "protocol/canal/ids.h"
#include "protocol/canal/position.h"

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

    bool operator==(const ClientTable&) const = default;
};

// Where a source must start so that no subscribed client misses anything: the first of the cursors,
// if there is one.
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
    // On success the cursor survives the death of this process (memory store: it does not).
    virtual Result<void> save_cursor(canal::ClientId client, const canal::LogPosition& at) = 0;
    virtual std::optional<canal::LogPosition> cursor(canal::ClientId client) const = 0;
    // Whether flush() has something to do: an idle destination needs no hop to the lane.
    virtual bool dirty() const { return true; }
    // Writes out what changed; returns at once when nothing did.
    virtual Result<void> flush() = 0;
    // flush() and release. Nothing may be called afterwards.
    virtual Result<void> close() = 0;
};

}  // namespace obcanal::meta
