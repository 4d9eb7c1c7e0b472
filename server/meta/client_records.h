// The table of clients that every store keeps in memory. Not thread-safe: its store says who may
// call.
#pragma once

#include "server/meta/meta_store.h"

#include <map>
#include <optional>
#include <string>

namespace obcanal::meta {

class ClientRecords {
 public:
    ClientRecords() = default;
    explicit ClientRecords(ClientTable table);

    void subscribe(canal::ClientId client, const std::optional<std::string>& filter);
    void unsubscribe(canal::ClientId client);
    void save_cursor(canal::ClientId client, const canal::LogPosition& at);
    const canal::LogPosition* cursor(canal::ClientId client) const;
    bool subscribed(canal::ClientId client) const;
    const ClientTable& subscribed_clients() const { return table_; }

 private:
    ClientTable table_;
    // Cursors of clients that unsubscribed: Canal keeps them until the instance stops.
    std::map<canal::ClientId, canal::LogPosition> former_;
};

}  // namespace obcanal::meta
