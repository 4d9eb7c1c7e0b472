#include "server/cli/cluster_status.h"

#include "ha/cluster_view.h"
#include "protocol/base/json.h"
#include "protocol/base/text.h"
#include "server/cli/table.h"
#include "server/cli/verbs.h"

#include <boost/json/array.hpp>

#include <algorithm>
#include <iostream>
#include <memory>
#include <utility>
#include <vector>

namespace obcanal::cli {
namespace {

namespace json = boost::json;

constexpr std::chrono::milliseconds kSession{10'000};

std::vector<std::string> standbys(const ha::DestinationView& one) {
    std::vector<std::string> names = one.candidates;
    if (one.running) std::erase(names, one.running->address);
    return names;
}

json::object client_json(const ha::ClientView& client) {
    json::object to{{"id", client.id}};
    to["filter"] = client.filter ? json::value(*client.filter) : json::value();
    to["address"] = client.address.empty() ? json::value() : json::value(client.address);
    to["cursor"] = nullptr;
    if (client.cursor) {
        Result<json::value> cursor = parse_json(*client.cursor);
        to["cursor"] = cursor ? std::move(cursor).value() : json::value(*client.cursor);
    }
    return to;
}

json::object destination_json(const ha::DestinationView& one) {
    json::object to{{"destination", one.name}};
    to["leader"] = one.running ? json::value(one.running->address) : json::value();
    to["active"] = one.running && one.running->active;
    to["epoch"] = one.epoch ? json::value(*one.epoch) : json::value();
    json::array standing_by;
    for (const std::string& name : standbys(one)) standing_by.emplace_back(name);
    to["standby"] = std::move(standing_by);
    json::array clients;
    for (const ha::ClientView& client : one.clients) clients.push_back(client_json(client));
    to["clients"] = std::move(clients);
    return to;
}

std::string joined(const std::vector<std::string>& names) {
    std::string all;
    for (const std::string& name : names) all += (all.empty() ? "" : ", ") + printable(name);
    return all.empty() ? "-" : all;
}

int failed(const Error& error) {
    std::cerr << "obcanal status: " << error.detail << '\n';
    return kExitFailed;
}

int rebalance(ha::ZookeeperSession& session, const ha::ClusterView& view) {
    const std::vector<ha::Move> moves = ha::moves_to_balance(view);
    if (moves.empty()) std::cerr << "every server leads its share, as far as that can be\n";
    for (const ha::Move& move : moves) {
        const auto named = [&move](const ha::DestinationView& one) {
            return one.name == move.destination;
        };
        const auto one = std::find_if(view.destinations.begin(), view.destinations.end(), named);
        if (Result<void> asked = ha::ask_to_move(session, *one, move); !asked)
            return failed(asked.error().in(move.destination));
        std::cerr << printable(move.destination) << ": " << move.from
                  << " is asked to hand over to " << printable(move.to) << '\n';
    }
    return kExitDone;
}

}  // namespace

std::string cluster_json(const ha::ClusterView& view) {
    json::object all;
    json::array servers;
    for (const std::string& name : view.servers) servers.emplace_back(name);
    all["servers"] = std::move(servers);
    json::array destinations;
    for (const ha::DestinationView& one : view.destinations)
        destinations.push_back(destination_json(one));
    all["destinations"] = std::move(destinations);
    return to_json_text(all);
}

std::string cluster_table(const ha::ClusterView& view) {
    std::vector<Row> servers{{"SERVER", "LEADS", "STANDS BY"}};
    for (const std::string& name : view.servers) {
        size_t leads = 0;
        size_t stands_by = 0;
        for (const ha::DestinationView& one : view.destinations) {
            const std::vector<std::string> others = standbys(one);
            if (one.running && one.running->address == name) ++leads;
            if (std::find(others.begin(), others.end(), name) != others.end()) ++stands_by;
        }
        servers.push_back({printable(name), std::to_string(leads), std::to_string(stands_by)});
    }
    std::vector<Row> rows{{"DESTINATION", "LEADER", "EPOCH", "STANDBY"}};
    std::vector<Row> clients{{"DESTINATION", "CLIENT", "CONSUMED BY", "FILTER", "CURSOR"}};
    for (const ha::DestinationView& one : view.destinations) {
        const std::string name = printable(one.name);
        std::string leader = one.running ? one.running->address : "nobody";
        if (one.running && !one.running->active) leader += " (asked to hand over)";
        const std::string epoch = one.epoch ? std::to_string(*one.epoch) : "-";
        rows.push_back({name, std::move(leader), epoch, joined(standbys(one))});
        for (const ha::ClientView& client : one.clients) {
            const Result<json::value> cursor = parse_json(client.cursor.value_or(""));
            const json::object* const at = cursor ? cursor->if_object() : nullptr;
            clients.push_back(
                {name,
                 printable(client.id),
                 client.address.empty() ? "-" : client.address,
                 client.filter ? printable(*client.filter) : "-",
                 at == nullptr ? "-" : cursor_text(*at)}
            );
        }
    }
    std::string out;
    append_rows(out, servers);
    for (const std::vector<Row>& table : {rows, clients}) {
        if (table.size() == 1) continue;
        out += "\n";
        append_rows(out, table);
    }
    return out;
}

int run_cluster_status(const ClusterOptions& options) {
    ha::ZookeeperPlace place;
    place.servers = options.servers;
    place.digest = options.digest;
    place.session_timeout = kSession;
    ha::ZookeeperClient client(std::move(place));
    const Result<std::shared_ptr<ha::ZookeeperSession>> session = client.session();
    if (!session) return failed(session.error());
    const Result<ha::ClusterView> view = ha::read_cluster(**session);
    if (!view) return failed(view.error());
    if (options.rebalance) return rebalance(**session, *view);
    std::cout << (options.json ? cluster_json(*view) + "\n" : cluster_table(*view)) << std::flush;
    return kExitDone;
}

}  // namespace obcanal::cli
