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

constexpr int kTries = 5;  // while clients change what is below their node

Error not_open() { return Error{Errc::Stopped, Retry::Never, "meta store is not open"}; }

// Somebody may mend it, while we run.
Error not_understood(Error error, const std::string& path) {
    Error named = std::move(error).in("ZooKeeper " + path);
    named.retry = Retry::Backoff;
    return named;
}

Error changes_all_the_time(const std::string& path) {
    return {Errc::Refused, Retry::Backoff, "ZooKeeper " + path + " changes all the time"};
}

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
    std::shared_ptr<ha::Leadership> leadership, const std::string& destination, bool durable_acks
)
    : path_(ha::destination_path(destination)),
      leadership_(std::move(leadership)),
      durable_acks_(durable_acks) {}

std::string ZookeeperMetaStore::client_path(ClientId client) const {
    return path_ + "/" + std::to_string(client.value);
}

std::shared_ptr<ha::Term> ZookeeperMetaStore::term() const {
    const std::scoped_lock lock(mutex_);
    return term_;
}

Result<ZookeeperMetaStore::Stored> ZookeeperMetaStore::read(Session& session, ClientId client)
    const {
    const std::string path = client_path(client);
    Stored stored;
    Result<std::optional<ha::ZookeeperNode>> node = session.get(path);
    if (!node) return std::move(node).error();
    stored.node = node->has_value();
    if (!stored.node) return stored;
    for (const auto& [name, to] :
         {std::pair{"/filter", &stored.filter}, std::pair{"/cursor", &stored.cursor}}) {
        node = session.get(path + name);
        if (!node) return std::move(node).error();
        if (*node) *to = std::move((*node)->data);
    }
    return stored;
}

Result<ClientTable> ZookeeperMetaStore::read_clients(ha::Term& term) {
    Result<std::vector<std::string>> names = term.session().children(path_);
    if (!names) return std::move(names).error();
    ClientTable table;
    for (const std::string& name : *names) {
        const std::optional<ClientId> client = client_of_node(name);
        if (!client || std::to_string(client->value) != name) continue;
        Result<Stored> stored = read(term.session(), *client);
        if (!stored) return std::move(stored).error();
        Result<ClientRecord> record = client_from_nodes(*client, stored->filter, stored->cursor);
        if (!record)
            return not_understood(std::move(record).error(), client_path(*client) + "/cursor");
        stored_[*client] = std::move(stored).value();
        table.clients.push_back(std::move(record).value());
    }
    const auto by_id = [](const ClientRecord& a, const ClientRecord& b) { return a.id < b.id; };
    std::sort(table.clients.begin(), table.clients.end(), by_id);
    return table;
}

Result<ClientTable> ZookeeperMetaStore::load() {
    const std::scoped_lock one_at_a_time(flush_mutex_);
    Result<std::shared_ptr<ha::Term>> term = leadership_->acquire();
    if (!term) return std::move(term).error();
    Result<ClientTable> table = read_clients(**term);
    if (!table) return table;
    Result<std::optional<LogPosition>> start = read_start((*term)->session());
    if (!start) return std::move(start).error();
    table->start = std::move(start).value();
    const std::scoped_lock lock(mutex_);
    records_ = ClientRecords({table->clients});
    term_ = std::move(term).value();
    return table;
}

Result<void> ZookeeperMetaStore::held() const {
    const std::shared_ptr<ha::Term> term = this->term();
    return term ? term->held() : not_open();
}

std::unique_ptr<schema::SchemaStore> ZookeeperMetaStore::schema_store() {
    const auto current = [this]() -> Result<std::shared_ptr<ha::Term>> {
        const std::shared_ptr<ha::Term> term = this->term();
        if (!term) return not_open();
        if (Result<void> ours = term->held(); !ours) return std::move(ours).error();
        return term;
    };
    return std::make_unique<ZookeeperSchemaStore>(current, path_);
}

Result<void> ZookeeperMetaStore::subscribe(
    ClientId client, const std::optional<std::string>& filter
) {
    {
        const std::scoped_lock lock(mutex_);
        if (!term_) return not_open();
        records_.subscribe(client, filter);
        dirty_ = true;
    }
    return flush();
}

Result<void> ZookeeperMetaStore::unsubscribe(ClientId client) {
    {
        const std::scoped_lock lock(mutex_);
        if (!term_) return not_open();
        records_.unsubscribe(client);
        dirty_ = true;
    }
    return flush();
}

Result<void> ZookeeperMetaStore::save_cursor(ClientId client, const LogPosition& at) {
    if (Result<void> ours = held(); !ours) return ours;
    const std::scoped_lock lock(mutex_);
    records_.save_cursor(client, at);
    dirty_ = true;
    return {};
}

void ZookeeperMetaStore::save_start(const LogPosition& at) {
    const std::scoped_lock lock(mutex_);
    start_ = at;
    dirty_ = true;
}

std::optional<LogPosition> ZookeeperMetaStore::cursor(ClientId client) const {
    const std::scoped_lock lock(mutex_);
    const LogPosition* found = records_.cursor(client);
    return found == nullptr ? std::nullopt : std::optional(*found);
}

bool ZookeeperMetaStore::dirty() const {
    const std::scoped_lock lock(mutex_);
    return dirty_;
}

Result<void> ZookeeperMetaStore::write(ha::Term& term, const ClientRecord& client) {
    using Kind = ha::ZookeeperStep::Kind;
    const std::string path = client_path(client.id);
    Stored& stored = stored_[client.id];
    const auto put = [](const std::string& node, const std::string& data, bool there) {
        return ha::ZookeeperStep{there ? Kind::Set : Kind::Create, node, data, -1};
    };
    for (int tries = 0; tries < kTries; ++tries) {
        if (!std::exchange(stored.sure, true)) {
            Result<Stored> now = read(term.session(), client.id);
            stored.sure = false;
            if (!now) return std::move(now).error();
            stored = std::move(now).value();
        }
        Stored wanted = stored;
        std::vector<ha::ZookeeperStep> steps;
        if (!stored.node) steps.push_back({Kind::Create, path, std::nullopt, -1});
        wanted.node = true;
        // As in the reference, a blank filter leaves the one that is there.
        if (client.filter && !trim(*client.filter).empty() && stored.filter != client.filter) {
            steps.push_back(put(path + "/filter", *client.filter, stored.filter.has_value()));
            wanted.filter = client.filter;
        }
        if (client.cursor) {
            const std::string cursor = canal::to_json(*client.cursor, true);
            if (stored.cursor != cursor) {
                steps.push_back(put(path + "/cursor", cursor, stored.cursor.has_value()));
                wanted.cursor = cursor;
            }
        }
        if (steps.empty()) return {};
        stored.sure = false;
        Result<ha::ZookeeperSteps> outcome = term.write(steps);
        if (!outcome) return std::move(outcome).error();
        if (!outcome->failed) {
            stored = std::move(wanted);
            return {};
        }
        // The client's own node is also made by clients.
        const Errc code = outcome->why.code;
        if (code != Errc::Conflict && code != Errc::NotFound) return outcome->why;
    }
    return changes_all_the_time(path);
}

// With all that is below, which is clients' too.
Result<void> ZookeeperMetaStore::remove(ha::Term& term, ClientId client) {
    const std::string path = client_path(client);
    for (int tries = 0; tries < kTries; ++tries) {
        Result<std::vector<std::string>> nodes = term.session().tree(path);
        if (!nodes) return std::move(nodes).error();
        if (nodes->empty()) return {};
        std::vector<ha::ZookeeperStep> steps;
        for (auto node = nodes->rbegin(); node != nodes->rend(); ++node)
            steps.push_back({ha::ZookeeperStep::Kind::Remove, *node, std::nullopt, -1});
        Result<ha::ZookeeperSteps> outcome = term.write(steps);
        if (!outcome) return std::move(outcome).error();
        if (!outcome->failed) return {};
        const Errc code = outcome->why.code;
        if (code != Errc::Conflict && code != Errc::NotFound) return outcome->why;
    }
    return changes_all_the_time(path);
}

Result<std::optional<LogPosition>> ZookeeperMetaStore::read_start(Session& session) {
    const std::string path = path_ + "/start";
    Result<std::optional<ha::ZookeeperNode>> node = session.get(path);
    if (!node) return std::move(node).error();
    stored_start_.reset();
    start_sure_ = true;
    if (!*node) return std::optional<LogPosition>();
    stored_start_ = std::move((*node)->data);
    Result<LogPosition> start = canal::parse_log_position(*stored_start_);
    if (!start) return not_understood(std::move(start).error(), path);
    return std::optional(std::move(start).value());
}

Result<void> ZookeeperMetaStore::write_start(
    ha::Term& term, const std::optional<std::string>& wanted
) {
    using Kind = ha::ZookeeperStep::Kind;
    const std::string path = path_ + "/start";
    if (!start_sure_) {
        Result<std::optional<ha::ZookeeperNode>> node = term.session().get(path);
        if (!node) return std::move(node).error();
        stored_start_.reset();
        if (*node) stored_start_ = std::move((*node)->data);
        start_sure_ = true;
    }
    if (stored_start_ == wanted) return {};
    const Kind kind = !wanted ? Kind::Remove : stored_start_ ? Kind::Set : Kind::Create;
    start_sure_ = false;
    Result<ha::ZookeeperSteps> outcome = term.write({{kind, path, wanted, -1}});
    if (!outcome) return std::move(outcome).error();
    if (outcome->failed) return outcome->why;
    stored_start_ = wanted;
    start_sure_ = true;
    return {};
}

Result<void> ZookeeperMetaStore::write_changes(ha::Term& term) {
    ClientTable table;
    std::optional<LogPosition> start;
    {
        const std::scoped_lock lock(mutex_);
        if (!std::exchange(dirty_, false)) return {};
        table = records_.subscribed_clients();
        if (earliest_cursor(table) != nullptr) start_.reset();
        start = start_;
    }
    for (auto stored = stored_.begin(); stored != stored_.end();) {
        const ClientId client = stored->first;
        const auto same = [client](const ClientRecord& one) { return one.id == client; };
        if (std::any_of(table.clients.begin(), table.clients.end(), same)) {
            ++stored;
            continue;
        }
        if (Result<void> gone = remove(term, client); !gone) return gone;
        stored = stored_.erase(stored);
    }
    for (const ClientRecord& client : table.clients) {
        if (Result<void> written = write(term, client); !written) return written;
    }
    if (start) return write_start(term, canal::to_json(*start, true));
    if (earliest_cursor(table) != nullptr) return write_start(term, std::nullopt);
    return {};
}

Result<void> ZookeeperMetaStore::flush() {
    const std::scoped_lock one_at_a_time(flush_mutex_);
    const std::shared_ptr<ha::Term> term = this->term();
    if (!term) return not_open();
    Result<void> written = write_changes(*term);
    if (!written) {
        const std::scoped_lock lock(mutex_);
        dirty_ = true;
    }
    return written;
}

Result<void> ZookeeperMetaStore::close() {
    Result<void> flushed = held();
    if (flushed) flushed = flush();
    const std::scoped_lock one_at_a_time(flush_mutex_);
    const std::scoped_lock lock(mutex_);
    term_.reset();
    return flushed;
}

}  // namespace obcanal::meta
