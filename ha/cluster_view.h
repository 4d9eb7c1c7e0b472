// A whole cluster as its tree shows it, for people. Blocks, as ZooKeeper's sessions do.
#pragma once

#include "ha/canal_tree.h"
#include "ha/zookeeper_client.h"
#include "protocol/base/result.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace obcanal::ha {

struct ClientView {
    std::string id;
    std::optional<std::string> filter;
    std::optional<std::string> cursor;  // JSON, as it stands there
    std::string address;                // of the client that consumes; empty: none
};

struct DestinationView {
    std::string name;
    std::optional<Running> running;
    int32_t running_version = 0;
    std::optional<int32_t> epoch;  // none: no obcanal server has served it
    EpochNote note;
    std::vector<std::string> candidates;
    std::vector<ClientView> clients;
};

struct ClusterView {
    std::vector<std::string> servers;
    std::vector<DestinationView> destinations;
};

Result<ClusterView> read_cluster(ZookeeperSession& session);

// A destination that another of its candidates should serve.
struct Move {
    std::string destination;
    std::string from;
    std::string to;

    bool operator==(const Move&) const = default;
};

// The fewest moves after which no server leads more than its share, as far as candidates allow.
std::vector<Move> moves_to_balance(const ClusterView& view);
// Asks the server that leads it to hand a destination over; Java's obey too. Conflict: it is
// another's by now.
Result<void> ask_to_move(ZookeeperSession& session, const DestinationView& one, const Move& move);

}  // namespace obcanal::ha
