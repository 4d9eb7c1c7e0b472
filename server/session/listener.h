// The client port: accepts connections and serves each as a session on a strand of its own.
#pragma once

#include "protocol/base/result.h"
#include "protocol/net/awaitable.h"
#include "protocol/net/runtime.h"
#include "server/config/server_config.h"
#include "server/instance/instance_set.h"
#include "server/session/session.h"

#include <chrono>
#include <cstdint>
#include <memory>

namespace obcanal::session {

class ClientPort {
 public:
    // `instances` and `front` outlive the port.
    static Result<std::unique_ptr<ClientPort>> open(
        const config::ServerConfig& config, instance::InstanceSet& instances, Runtime& front
    );
    ~ClientPort();

    uint16_t port() const;
    size_t connections() const;  // any thread

    // Accepts from here on until close().
    void start();

    // -- strand(): the port's own
    Executor strand() const;
    // Ends what start() began and, after at most `grace` for frames in flight, the sessions.
    Awaitable<void> close(std::chrono::milliseconds grace);

 private:
    struct State;
    explicit ClientPort(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace obcanal::session
