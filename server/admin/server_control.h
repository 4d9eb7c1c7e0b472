// What the admin port and the pages may ask of the server as a whole. Implemented beside main.
#pragma once

#include "protocol/base/result.h"
#include "protocol/net/awaitable.h"
#include "server/instance/instance_set.h"

#include <cstddef>
#include <memory>

namespace obcanal::admin {

class ServerControl {
 public:
    virtual ~ServerControl() = default;

    // -- any thread
    // The destinations while the server serves, else nothing.
    virtual std::shared_ptr<instance::InstanceSet> instances() const = 0;
    virtual size_t client_connections() const = 0;
    virtual Executor strand() const = 0;

    // -- strand(); one after the other. False: it was in that state already.
    virtual Awaitable<Result<bool>> start() = 0;
    // Closes the client port and stops the destinations; the other ports stay.
    virtual Awaitable<bool> stop() = 0;
};

}  // namespace obcanal::admin
