#include "server/meta/client_records.h"

#include <algorithm>
#include <utility>

namespace obcanal::meta {

using canal::ClientId;
using canal::LogPosition;

namespace {

template <class Clients>
auto find(Clients& clients, ClientId client) {
    return std::find_if(clients.begin(), clients.end(), [client](const ClientRecord& one) {
        return one.id == client;
    });
}

}  // namespace

const LogPosition* earliest_cursor(const ClientTable& table) {
    const LogPosition* earliest = nullptr;
    for (const ClientRecord& client : table.clients) {
        if (!client.cursor) continue;
        if (earliest == nullptr || compare(*client.cursor, *earliest) < 0)
            earliest = &*client.cursor;
    }
    return earliest == nullptr && table.start ? &*table.start : earliest;
}

ClientRecords::ClientRecords(ClientTable table) : table_(std::move(table)) {}

void ClientRecords::subscribe(ClientId client, const std::optional<std::string>& filter) {
    unsubscribe(client);
    ClientRecord record{client, filter, std::nullopt};
    if (const auto known = former_.find(client); known != former_.end()) {
        record.cursor = std::move(known->second);
        former_.erase(known);
    }
    table_.clients.push_back(std::move(record));
}

void ClientRecords::unsubscribe(ClientId client) {
    const auto found = find(table_.clients, client);
    if (found == table_.clients.end()) return;
    if (found->cursor) former_.insert_or_assign(client, *std::move(found->cursor));
    table_.clients.erase(found);
}

void ClientRecords::save_cursor(ClientId client, const LogPosition& at) {
    if (const auto found = find(table_.clients, client); found != table_.clients.end()) {
        found->cursor = at;
    } else {
        former_.insert_or_assign(client, at);
    }
}

const LogPosition* ClientRecords::cursor(ClientId client) const {
    if (const auto found = find(table_.clients, client); found != table_.clients.end())
        return found->cursor ? &*found->cursor : nullptr;
    const auto former = former_.find(client);
    return former == former_.end() ? nullptr : &former->second;
}

bool ClientRecords::subscribed(ClientId client) const {
    return find(table_.clients, client) != table_.clients.end();
}

}  // namespace obcanal::meta
