// Whether a destination is applied: "on" unless somebody said "off". With ZooKeeper the word is in
// /canal-adapter/sync-switch/{destination}, for all adapters and past restarts; without, it is kept
// here and begins as on. Owned by the service. Thread-safe; what blocks says so.
#pragma once

#include "ha/zookeeper_client.h"
#include "protocol/base/log.h"
#include "protocol/base/result.h"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace obcanal::adapter::core {

class SyncSwitch {
 public:
    // `zookeeper`: hosts, empty: none.
    SyncSwitch(const std::string& zookeeper, const std::vector<std::string>& destinations);

    // The destinations that run from now on; new ones begin as on.
    void follow(const std::vector<std::string>& destinations);

    bool is_on(const std::string& destination) const;
    bool knows(const std::string& destination) const;
    // Blocks on ZooKeeper. Without it, unknown destinations are let be, as in the reference.
    Result<void> set(const std::string& destination, bool on);
    // Reads the words from ZooKeeper again; blocks. While it can't be reached, the last ones hold.
    void refresh();
    bool shared() const { return client_ != nullptr; }

    // The right to load a task in full, until the returned object is destroyed; nothing when
    // somebody has it. Blocks on ZooKeeper.
    class EtlLock;
    Result<std::unique_ptr<EtlLock>> lock_etl(const std::string& name);

 private:
    Result<bool> read(const std::string& destination);

    Logger log_{"switch"};
    std::shared_ptr<ha::ZookeeperClient> client_;
    mutable std::mutex mutex_;
    std::map<std::string, bool> on_;
    std::map<std::string, bool> loading_;
    bool failing_ = false;
};

class SyncSwitch::EtlLock {
 public:
    explicit EtlLock(std::function<void()> release) : release_(std::move(release)) {}

    ~EtlLock() { release_(); }

    EtlLock(const EtlLock&) = delete;
    EtlLock& operator=(const EtlLock&) = delete;

 private:
    std::function<void()> release_;
};

}  // namespace obcanal::adapter::core
