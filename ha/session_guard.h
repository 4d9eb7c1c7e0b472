// A small process beside the server's that ends the server's session with ZooKeeper when the server
// was killed (kill -9, out of memory, a crash): its ephemeral nodes go at once, and another server
// takes over without waiting for the session's timeout. That it is dead is certain, because its end
// of a socket between the two is closed by the kernel, as its connections to clients and sources
// are. Owned by the server's ZookeeperPlace; any thread.
#pragma once

#include "protocol/base/result.h"

#include <array>
#include <cstdint>
#include <memory>

namespace obcanal::ha {

struct ZookeeperPlace;

// What a session is known by to the ensemble.
struct SessionKey {
    int64_t id = 0;
    std::array<char, 16> password{};
};

class SessionGuard {
 public:
    // Forks. REQUIRES: this process has started no thread.
    static Result<std::shared_ptr<SessionGuard>> start(const ZookeeperPlace& place);
    // The server ends in good order: nothing is left for the guard to do.
    ~SessionGuard();
    SessionGuard(const SessionGuard&) = delete;
    SessionGuard& operator=(const SessionGuard&) = delete;

    // The session that the server has now. Never waits.
    void watch(const SessionKey& key);

 private:
    explicit SessionGuard(int socket) : socket_(socket) {}

    const int socket_;
};

}  // namespace obcanal::ha
