// A destination's place in the cluster's tree, and the right to serve it: the ephemeral node
// `running`, which one server at a time has. Owned by the destination's meta store; take() and
// release() block (BlockingLane), held() is for any thread.
#pragma once

#include "ha/zookeeper_client.h"
#include "protocol/base/result.h"

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace obcanal::ha {

// The tree that Canal servers and clients share (canal-server, 5.2).
std::string destination_path(std::string_view destination);
// What `running` holds: who serves.
std::string running_payload(std::string_view address);
std::string running_address(std::string_view payload);  // as far as it can be told
// `{ip}:{port}` under which clients find this server: the first that is given, else the first
// address of this machine that is not loopback's.
std::string register_address(
    const std::string& register_ip, const std::string& bind_ip, uint16_t port
);

class DestinationClaim {
 public:
    struct Taken {
        std::shared_ptr<ZookeeperSession> session;
        bool anew = false;  // others may have had it since the last time
    };

    DestinationClaim(
        std::shared_ptr<ZookeeperClient> client, std::string_view destination, std::string address
    );

    // Claims the destination, or makes sure that it is ours still. Conflict: another server has
    // it. What the session writes from now on is written while nobody else serves.
    Result<Taken> take();
    // The session that has the destination; an Error when none has. On the lane.
    Result<std::shared_ptr<ZookeeperSession>> session() const;
    // An Error when another server may serve by now: nothing was heard from ZooKeeper for as long
    // as a session lasts, or it says so.
    Result<void> held() const;
    // Lets others serve and leaves the cluster, when ZooKeeper can be reached.
    Result<void> release();

 private:
    Result<void> join_cluster(ZookeeperSession& session);
    Result<void> claim(ZookeeperSession& session);

    const std::shared_ptr<ZookeeperClient> client_;
    const std::string path_;
    const std::string address_;
    std::shared_ptr<ZookeeperSession> session_;  // the one that has `running`; the lane's
    std::string joined_of_;                      // the lane's: see join_cluster()
    mutable std::mutex mutex_;                   // what follows
    std::chrono::steady_clock::time_point sure_until_{};
    std::optional<Error> lost_;
};

}  // namespace obcanal::ha
