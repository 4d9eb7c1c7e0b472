// `obcanal status --zookeeper`: a whole cluster, as its tree in ZooKeeper shows it.
#pragma once

#include <string>

namespace obcanal::ha {
struct ClusterView;
}

namespace obcanal::cli {

struct ClusterOptions {
    std::string servers;  // host:port,host:port[/chroot]; empty: not asked for
    std::string digest;
    bool rebalance = false;
    bool json = false;
};

// Returns the exit status.
int run_cluster_status(const ClusterOptions& options);

// What it prints.
std::string cluster_json(const ha::ClusterView& view);
std::string cluster_table(const ha::ClusterView& view);

}  // namespace obcanal::cli
