// Sessions with a ZooKeeper ensemble over its C client, which the source of this header alone
// includes. Calls block, each for a bounded time, and fail at once while the connection is away:
// use them on a BlockingLane. Thread-safe.
#pragma once

#include "ha/session_guard.h"
#include "ha/zookeeper_events.h"
#include "protocol/base/clock.h"
#include "protocol/base/log.h"
#include "protocol/base/result.h"

#include <chrono>
#include <cstddef>
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
    std::shared_ptr<SessionGuard> guard;                // of the sessions; none: nobody's
};

enum class NodeMode : uint8_t { Persistent, Ephemeral };
// Yes: the next change of what was read is an event (zookeeper_events.h), that an absent node comes
// into being too.
enum class Watch : bool { No, Yes };

struct ZookeeperNode {
    std::string data;
    int64_t owner = 0;    // the session of an ephemeral node
    int32_t version = 0;  // how often its data were set; from 0 again when it is created again
};

// One of the steps that are done together or not at all.
struct ZookeeperStep {
    enum class Kind : uint8_t { Check, Create, CreateEphemeral, Set, Remove };

    Kind kind = Kind::Check;
    std::string path;
    std::optional<std::string> data;
    int32_t version = -1;  // Check, Set, Remove: the version that the node must have; -1: any
};

// What became of them, when the ensemble has answered.
struct ZookeeperSteps {
    std::optional<size_t> failed;   // the step because of which nothing was done
    Error why;                      // its error
    std::vector<int32_t> versions;  // without `failed`: of each node that was set, else 0
};

// One session, from its start until it expires or this is destroyed. Whoever must not write after
// losing an ephemeral node keeps to the session that made it: an expired one can write no more.
class ZookeeperSession {
 public:
    // Starts to connect and goes on with that by itself, resolving the names anew each time.
    static Result<std::shared_ptr<ZookeeperSession>> start(
        const ZookeeperPlace& place, std::shared_ptr<ZookeeperEvents> events
    );
    ~ZookeeperSession();  // ends the session, and with it its ephemeral nodes

    // Waits for the connection until `until`.
    Result<void> connected(std::chrono::steady_clock::time_point until);
    // False: expired, or refused by the ensemble; a new one is needed.
    bool alive() const;
    int64_t id() const;
    // What the ensemble granted. REQUIRES: connected before.
    std::chrono::milliseconds timeout() const;

    // Any thread, never waits. Until when nobody can have ended the session: the ensemble's leader
    // has answered a request that was sent a session's length, less a fifth, before. The fifth is
    // for what the leader is told late by the node that we are connected to.
    SteadyTime sure_until() const;
    // Asks the leader for a sign of life when none is awaited; its answer moves sure_until().
    void renew();

    // An Error names path and cause. Backoff: the outcome is unknown, or may be another next time.
    Result<std::optional<ZookeeperNode>> get(const std::string& path, Watch watch = Watch::No);
    // Of a node that isn't there: none, and no watch.
    Result<std::vector<std::string>> children(const std::string& path, Watch watch = Watch::No);
    // All of the steps, or none. An Error: it is not known which.
    Result<ZookeeperSteps> multi(const std::vector<ZookeeperStep>& steps);
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
    // The node and all that is below, each before what is below it. Not being there: nothing.
    Result<std::vector<std::string>> tree(const std::string& path);

 private:
    friend Result<void> end_session(
        const ZookeeperPlace& place,
        const SessionKey& key,
        std::chrono::steady_clock::time_point until
    );

    struct State;
    struct Reply;

    // `key`: of a session that goes on; nullptr: a new one.
    static Result<std::shared_ptr<ZookeeperSession>> open(
        const ZookeeperPlace& place, std::shared_ptr<ZookeeperEvents> events, const SessionKey* key
    );

    explicit ZookeeperSession(std::unique_ptr<State> state);
    // Starts a call of the C client with the completion's context, and waits for the reply.
    // `leader`: who answers is the ensemble's leader, as for every change.
    enum class Asks : bool { Node, Leader };
    template <class Start>
    Result<Reply> call(const std::string& path, Asks asks, Start start);

    std::unique_ptr<State> state_;
};

// Ends a session of a process that is gone, and with it its ephemeral nodes: takes it over, waiting
// for the ensemble until `until`, and closes it. That it has expired meanwhile is success.
Result<void> end_session(
    const ZookeeperPlace& place, const SessionKey& key, std::chrono::steady_clock::time_point until
);

// The server's way to the ensemble: the session in use, replaced when it is dead.
class ZookeeperClient {
 public:
    explicit ZookeeperClient(ZookeeperPlace place)
        : place_(std::move(place)), events_(std::make_shared<ZookeeperEvents>()) {}

    const ZookeeperPlace& place() const { return place_; }
    ZookeeperEvents& events() { return *events_; }

    // A connected one. Waits for a new session, and never long for one that lost its connection.
    Result<std::shared_ptr<ZookeeperSession>> session();
    // The one in use, connected or not. Never waits.
    std::shared_ptr<ZookeeperSession> current() const;
    // Ends the session in use when nobody else holds it, and with it its ephemeral nodes.
    void drop();

 private:
    const ZookeeperPlace place_;
    const std::shared_ptr<ZookeeperEvents> events_;
    std::mutex mutex_;       // held while a connection is waited for
    SteadyTime patience_{};  // mutex_; until when the session may be waited for
    mutable std::mutex session_mutex_;
    std::shared_ptr<ZookeeperSession> session_;  // session_mutex_
};

}  // namespace obcanal::ha
