// The adapter's one session with a destination: finds the server, directly or in ZooKeeper,
// subscribes as the configured client id, and keeps gets in flight ahead of the acks. Owned by the
// pipeline, on its strand.
#pragma once

#include "adapter/config/adapter_config.h"
#include "ha/zookeeper_client.h"
#include "protocol/base/log.h"
#include "protocol/base/result.h"
#include "protocol/canal/packets.h"
#include "protocol/client/canal_client.h"
#include "protocol/net/awaitable.h"
#include "protocol/net/runtime.h"

#include <chrono>
#include <memory>
#include <string>

namespace obcanal::adapter::core {

class CanalFeed {
 public:
    // `wait`: how long a get may wait for changes. `lane` and `zookeeper`, null without, outlive
    // it.
    CanalFeed(
        const config::CanalSourceConfig& source,
        std::string destination,
        std::chrono::milliseconds wait,
        BlockingLane& lane,
        std::shared_ptr<ha::ZookeeperClient> zookeeper
    );

    // Connects and subscribes; what an earlier session left unacknowledged comes again. Conflict:
    // another client consumes the destination.
    Awaitable<Result<void>> open();
    // The next batch, id -1 when there was nothing for the wait. Valid as long as `memory`, where
    // its bytes are, is given to no other call. Others may queue and flush meanwhile.
    Awaitable<Result<canal::Messages>> receive(InputBuffer* memory);
    // Leaves with the next receive() or flush().
    void ack(canal::BatchId id) { client_->ack(id); }
    Awaitable<Result<void>> flush();
    // Ends what is awaited.
    void close();
    // Lets another client consume; after close().
    Awaitable<void> release();
    bool connected() const { return client_ != nullptr; }
    const std::string& server() const { return server_; }

 private:
    Result<Endpoint> find_server();
    Result<void> claim();

    const config::CanalSourceConfig source_;
    const std::string destination_;
    const std::chrono::milliseconds wait_;
    BlockingLane& lane_;
    const std::shared_ptr<ha::ZookeeperClient> zookeeper_;
    std::string server_;
    std::unique_ptr<client::CanalClient> client_;
    std::shared_ptr<ha::ZookeeperSession> claim_;  // that made our node; the lane's
};

}  // namespace obcanal::adapter::core
