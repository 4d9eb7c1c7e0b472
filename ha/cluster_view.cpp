#include "ha/cluster_view.h"

#include "ha/balance.h"

#include <algorithm>
#include <utility>

namespace obcanal::ha {
namespace {

bool is_client(const std::string& name) {
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    const auto first = name.begin() + (name.starts_with('-') ? 1 : 0);
    return first != name.end() && std::all_of(first, name.end(), digit);
}

Result<std::optional<std::string>> text_of(ZookeeperSession& session, const std::string& path) {
    Result<std::optional<ZookeeperNode>> node = session.get(path);
    if (!node) return std::move(node).error();
    if (!*node) return std::optional<std::string>();
    return std::optional(std::move((*node)->data));
}

Result<std::vector<std::string>> sorted_children(
    ZookeeperSession& session, const std::string& path
) {
    Result<std::vector<std::string>> names = session.children(path);
    if (names) std::sort(names->begin(), names->end());
    return names;
}

Result<ClientView> read_client(
    ZookeeperSession& session, const std::string& destination, const std::string& id
) {
    const std::string path = destination + "/" + id;
    ClientView client{id, std::nullopt, std::nullopt, {}};
    Result<std::optional<std::string>> text = text_of(session, path + "/filter");
    if (!text) return std::move(text).error();
    client.filter = std::move(text).value();
    text = text_of(session, path + "/cursor");
    if (!text) return std::move(text).error();
    client.cursor = std::move(text).value();
    text = text_of(session, path + "/running");
    if (!text) return std::move(text).error();
    if (*text) client.address = parse_running(**text).address;
    return client;
}

Result<DestinationView> read_destination(ZookeeperSession& session, const std::string& name) {
    const std::string path = destination_path(name);
    DestinationView one;
    one.name = name;
    Result<std::optional<ZookeeperNode>> node = session.get(path + "/running");
    if (!node) return std::move(node).error();
    if (*node) {
        one.running = parse_running((*node)->data);
        one.running_version = (*node)->version;
    }
    node = session.get(path + "/epoch");
    if (!node) return std::move(node).error();
    if (*node) {
        one.epoch = (*node)->version;
        one.note = parse_epoch((*node)->data);
    }
    Result<std::vector<std::string>> names = sorted_children(session, path + "/cluster");
    if (!names) return std::move(names).error();
    one.candidates = std::move(names).value();
    names = sorted_children(session, path);
    if (!names) return std::move(names).error();
    for (const std::string& id : *names) {
        if (!is_client(id)) continue;
        Result<ClientView> client = read_client(session, path, id);
        if (!client) return std::move(client).error();
        one.clients.push_back(std::move(client).value());
    }
    return one;
}

}  // namespace

Result<ClusterView> read_cluster(ZookeeperSession& session) {
    ClusterView view;
    Result<std::vector<std::string>> names = sorted_children(session, std::string(kClusterPath));
    if (!names) return std::move(names).error();
    view.servers = std::move(names).value();
    names = sorted_children(session, std::string(kDestinationsPath));
    if (!names) return std::move(names).error();
    for (const std::string& name : *names) {
        Result<DestinationView> one = read_destination(session, name);
        if (!one) return std::move(one).error();
        view.destinations.push_back(std::move(one).value());
    }
    return view;
}

std::vector<Move> moves_to_balance(const ClusterView& view) {
    std::vector<Share> shares;
    for (const DestinationView& one : view.destinations)
        shares.push_back({one.running ? one.running->address : std::string(), one.candidates});
    std::vector<Move> moves;
    for (size_t i = 0; i < shares.size(); ++i) {
        const Balance balance(shares);
        Share& one = shares[i];
        if (one.leader.empty() || balance.led_by(one.leader) <= balance.share()) continue;
        const std::string to = balance.least_loaded(one.candidates, balance.share());
        if (to.empty()) continue;
        moves.push_back({view.destinations[i].name, one.leader, to});
        one.leader = to;
    }
    return moves;
}

Result<void> ask_to_move(ZookeeperSession& session, const DestinationView& one, const Move& move) {
    const std::string path = destination_path(move.destination) + "/running";
    const std::string asked = running_payload({move.from, false, move.to});
    Result<ZookeeperSteps> outcome =
        session.multi({{ZookeeperStep::Kind::Set, path, asked, one.running_version}});
    if (!outcome) return std::move(outcome).error();
    if (outcome->failed) return outcome->why;
    return {};
}

}  // namespace obcanal::ha
