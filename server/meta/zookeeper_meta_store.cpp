#include "server/meta/zookeeper_meta_store.h"

#include "protocol/base/text.h"
#include "server/meta/zookeeper_schema_store.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace obcanal::meta {

using canal::ClientId;
using canal::LogPosition;

namespace {

Error not_open() { return Error{Errc::Stopped, Retry::Never, "meta store is not open"}; }

}  // namespace

std::optional<ClientId> client_of_node(std::string_view name) {
    // Negative ids too, whose nodes the reference reads but does not list.
    const std::string_view digits = name.substr(name.starts_with('-') ? 1 : 0);
    const bool number = !digits.empty() && std::all_of(digits.begin(), digits.end(), [](char c) {
        return c >= '0' && c <= '9';
    });
    const auto id = number ? parse_int(name) : std::nullopt;
    if (!id || *id < std::numeric_limits<int16_t>::min() ||
        *id > std::numeric_limits<int16_t>::max())
        return std::nullopt;
    return ClientId{static_cast<int16_t>(*id)};
}

Result<ClientRecord> client_from_nodes(
    ClientId client,
    const std::optional<std::string>& filter,
    const std::optional<std::string>& cursor
) {
    ClientRecord record{client, std::nullopt, std::nullopt};
    if (filter && !filter->empty()) record.filter = filter;
    if (!cursor || trim(*cursor).empty()) return record;
    Result<LogPosition> position = canal::parse_log_position(*cursor);
    if (!position) return std::move(position).error();
    record.cursor = std::move(position).value();
    return record;
}

ZookeeperMetaStore::ZookeeperMetaStore(
    std::shared_ptr<ha::ZookeeperClient> client, const std::string& destination, std::string address
)
    : path_(ha::destination_path(destination)),
      claim_(std::move(client), destination, std::move(address)) {}

std::string ZookeeperMetaStore::client_path(ClientId client) const {
    return path_ + "/" + std::to_string(client.value);
}

Result<std::optional<std::string>> ZookeeperMetaStore::read(
    Session& session, const std::string& path
) const {
    Result<std::optional<ha::ZookeeperNode>> node = session.get(path);
    if (!node) return std::move(node).error();
    if (!*node) return std::optional<std::string>();
    return std::optional(std::move((*node)->data));
}

Result<ClientTable> ZookeeperMetaStore::read_clients(Session& session) {
    Result<std::vector<std::string>> names = session.children(path_);
    if (!names) return std::move(names).error();
    ClientTable table;
    for (const std::string& name : *names) {
        const std::optional<ClientId> client = client_of_node(name);
        if (!client) continue;
        const std::string path = path_ + "/" + name;
        Result<std::optional<std::string>> filter = read(session, path + "/filter");
        if (!filter) return std::move(filter).error();
        Result<std::optional<std::string>> cursor = read(session, path + "/cursor");
        if (!cursor) return std::move(cursor).error();
        Result<ClientRecord> record = client_from_nodes(*client, *filter, *cursor);
        if (!record) return std::move(record).error().in("ZooKeeper " + path + "/cursor");
        stored_[*client] = {*filter, *cursor, std::nullopt};
        table.clients.push_back(std::move(record).value());
    }
    const auto by_id = [](const ClientRecord& a, const ClientRecord& b) { return a.id < b.id; };
    std::sort(table.clients.begin(), table.clients.end(), by_id);
    return table;
}

Result<ClientTable> ZookeeperMetaStore::load() {
    const std::scoped_lock one_at_a_time(flush_mutex_);
    Result<ha::DestinationClaim::Taken> taken = claim_.take();
    if (!taken) return std::move(taken).error();
    Result<ClientTable> table = read_clients(*taken->session);
    if (!table) {
        if (const Result<void> released = claim_.release(); !released)
            return std::move(table).error().in(released.error().detail);
        return table;
    }
    const std::scoped_lock lock(mutex_);
    records_ = ClientRecords(*table);
    open_ = true;
    return table;
}

Result<void> ZookeeperMetaStore::held() const {
    {
        const std::scoped_lock lock(mutex_);
        if (displaced_) return *displaced_;
    }
    return claim_.held();
}

std::unique_ptr<schema::SchemaStore> ZookeeperMetaStore::schema_store() {
    return std::make_unique<ZookeeperSchemaStore>([this] { return claim_.session(); }, path_);
}

Result<void> ZookeeperMetaStore::subscribe(
    ClientId client, const std::optional<std::string>& filter
) {
    {
        const std::scoped_lock lock(mutex_);
        if (!open_) return not_open();
        records_.subscribe(client, filter);
        dirty_ = true;
    }
    return flush();
}

Result<void> ZookeeperMetaStore::unsubscribe(ClientId client) {
    {
        const std::scoped_lock lock(mutex_);
        if (!open_) return not_open();
        records_.unsubscribe(client);
        dirty_ = true;
    }
    return flush();
}

Result<void> ZookeeperMetaStore::save_cursor(ClientId client, const LogPosition& at) {
    if (Result<void> ours = held(); !ours) return ours;
    const std::scoped_lock lock(mutex_);
    if (!open_) return not_open();
    records_.save_cursor(client, at);
    dirty_ = true;
    return {};
}

std::optional<LogPosition> ZookeeperMetaStore::cursor(ClientId client) const {
    const std::scoped_lock lock(mutex_);
    const LogPosition* found = records_.cursor(client);
    return found == nullptr ? std::nullopt : std::optional(*found);
}

Result<void> ZookeeperMetaStore::compare_cursors(Session& session) const {
    for (const auto& [client, known] : stored_) {
        const std::string path = client_path(client) + "/cursor";
        Result<std::optional<std::string>> now = read(session, path);
        if (!now) return std::move(now).error();
        if (*now == known.cursor || (known.tried && *now == known.tried)) continue;
        return Error{
            Errc::Conflict,
            Retry::Backoff,
            "another server has moved the cursor meanwhile (ZooKeeper " + path + ")"
        };
    }
    return {};
}

Result<void> ZookeeperMetaStore::write(Session& session, const ClientRecord& client) {
    const std::string path = client_path(client.id);
    const bool known = stored_.contains(client.id);
    if (!known) {
        Result<bool> made = session.create(path, std::nullopt, ha::NodeMode::Persistent);
        if (!made) return std::move(made).error();
    }
    Stored& stored = stored_[client.id];
    // As in the reference, a blank filter leaves the one that is there.
    if (client.filter && !trim(*client.filter).empty() && stored.filter != client.filter) {
        if (Result<void> put = session.put(path + "/filter", *client.filter); !put) return put;
        stored.filter = client.filter;
    }
    if (!client.cursor) return {};
    std::string cursor = canal::to_json(*client.cursor, true);
    if (stored.cursor == cursor && !stored.tried) return {};
    stored.tried = cursor;
    if (Result<void> put = session.put(path + "/cursor", cursor); !put) return put;
    stored.cursor = std::move(cursor);
    stored.tried.reset();
    return {};
}

Result<void> ZookeeperMetaStore::write_changes(Session& session) {
    ClientTable table;
    {
        const std::scoped_lock lock(mutex_);
        if (!dirty_ && !unsure_) return {};
        table = records_.subscribed_clients();
        dirty_ = false;
    }
    unsure_ = true;
    for (auto stored = stored_.begin(); stored != stored_.end();) {
        const ClientId client = stored->first;
        const auto same = [client](const ClientRecord& one) { return one.id == client; };
        if (std::any_of(table.clients.begin(), table.clients.end(), same)) {
            ++stored;
            continue;
        }
        if (Result<void> gone = session.remove_tree(client_path(client)); !gone) return gone;
        stored = stored_.erase(stored);
    }
    for (const ClientRecord& client : table.clients) {
        if (Result<void> written = write(session, client); !written) return written;
    }
    unsure_ = false;
    return {};
}

Result<void> ZookeeperMetaStore::flush() {
    const std::scoped_lock one_at_a_time(flush_mutex_);
    {
        const std::scoped_lock lock(mutex_);
        if (!open_) return not_open();
        if (displaced_) return *displaced_;
    }
    const auto end_if_displaced = [this](const Error& error) {
        if (error.code != Errc::Conflict) return;
        const std::scoped_lock lock(mutex_);
        displaced_ = error;
    };
    Result<ha::DestinationClaim::Taken> taken = claim_.take();
    if (!taken) {
        end_if_displaced(taken.error());
        return std::move(taken).error();
    }
    if (taken->anew) {
        if (Result<void> same = compare_cursors(*taken->session); !same) {
            end_if_displaced(same.error());
            return same;
        }
    }
    return write_changes(*taken->session);
}

Result<void> ZookeeperMetaStore::close() {
    Result<void> flushed = flush();
    const std::scoped_lock one_at_a_time(flush_mutex_);
    {
        const std::scoped_lock lock(mutex_);
        open_ = false;
    }
    Result<void> released = claim_.release();
    return flushed ? std::move(released) : std::move(flushed);
}

}  // namespace obcanal::meta
