// Sessions with a ZooKeeper ensemble over its C client, which the source of this header alone
// includes. Calls block, each for a bounded time, and fail at once while the connection is away:
// use them on a BlockingLane. Thread-safe.
#pragma once

#include "protocol/base/log.h"
#include "protocol/base/result.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace obcanal::ha {

struct ZookeeperPlace {
    std::string servers;  // host:port,host:port[/chroot]
    std::string digest;   // user:password; then all that is created is for this user only
    std::chrono::milliseconds session_timeout{90'000};  // asked for; the ensemble decides
};

enum class NodeMode : uint8_t { Persistent, Ephemeral };

struct ZookeeperNode {
    std::string data;
    int64_t owner = 0;  // the session of an ephemeral node
};

// One session, from its start until it expires or this is destroyed. Whoever must not write after
// losing an ephemeral node keeps to the session that made it: an expired one can write no more.
class ZookeeperSession {
 public:
    // Starts to connect and goes on with that by itself, resolving the names anew each time.
    static Result<std::shared_ptr<ZookeeperSession>> start(const ZookeeperPlace& place);
    ~ZookeeperSession();  // ends the session, and with it its ephemeral nodes

    // Waits for the connection until `until`.
    Result<void> connected(std::chrono::steady_clock::time_point until);
    // False: expired, or refused by the ensemble; a new one is needed.
    bool alive() const;
    int64_t id() const;
    // What the ensemble granted. REQUIRES: connected before.
    std::chrono::milliseconds timeout() const;

    // An Error names path and cause. Backoff: the outcome is unknown, or may be another next time.
    Result<std::optional<ZookeeperNode>> get(const std::string& path);
    // Of a node that isn't there: none.
    Result<std::vector<std::string>> children(const std::string& path);
    // With its parents. False: it is there already. No `data`: a node with none.
    Result<bool> create(
        const std::string& path, const std::optional<std::string>& data, NodeMode mode
    );
    // Creates the node if it isn't there.
    Result<void> put(const std::string& path, const std::string& data);
    // Not being there is success.
    Result<void> remove(const std::string& path);
    // With all that is below.
    Result<void> remove_tree(const std::string& path);

 private:
    struct State;
    struct Reply;

    explicit ZookeeperSession(std::unique_ptr<State> state);
    // Starts a call of the C client with the completion's context, and waits for the reply.
    template <class Start>
    Result<Reply> call(const std::string& path, Start start);

    std::unique_ptr<State> state_;
};

// The server's way to the ensemble: the session in use, replaced when it is dead.
class ZookeeperClient {
 public:
    explicit ZookeeperClient(ZookeeperPlace place) : place_(std::move(place)) {}

    // A connected one. Waits for a new session, and never long for one that lost its connection.
    Result<std::shared_ptr<ZookeeperSession>> session();

 private:
    const ZookeeperPlace place_;
    std::mutex mutex_;
    std::shared_ptr<ZookeeperSession> session_;
    std::chrono::steady_clock::time_point patience_{};  // until when the session may be waited for
};

}  // namespace obcanal::ha
