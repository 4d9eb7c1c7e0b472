// Whether a destination is applied: "on" unless somebody said "off". With ZooKeeper the word is in
// /canal-adapter/sync-switch/{destination}, for all adapters and past restarts; without, it is kept
// here and begins as on. While an adapter loads in full, its ephemeral node below
// /canal-adapter/loading/{destination} keeps the others from writing: who writes has one below
// /canal-adapter/writing/{destination}, made before it looks at the loads, and a load begins when
// there are none of others. Owned by the service. Thread-safe; what blocks says so.
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

    // The right to load into adapters of a type in full, until the returned object is destroyed;
    // nothing when somebody has it. `lost` is called when it is lost before, in refresh(). Blocks
    // on ZooKeeper, and until other adapters have stopped to write the destination.
    class EtlLock;
    Result<std::unique_ptr<EtlLock>> lock_etl(
        const std::string& type, const std::string& destination, std::function<void()> lost
    );
    // Does another adapter write the destination? Blocks on ZooKeeper.
    Result<bool> others_write(const std::string& destination);
    // Before the first change of a session with the server is written: false while another adapter
    // loads. Blocks on ZooKeeper.
    Result<bool> begin_writing(const std::string& destination);
    // Nothing of it is written any more. Blocks on ZooKeeper.
    void end_writing(const std::string& destination);

 private:
    using Session = std::shared_ptr<ha::ZookeeperSession>;

    struct Held {
        Session session;
        std::vector<std::string> nodes;
        std::function<void()> lost;
    };

    Result<bool> read(const std::string& destination);
    // Are there children of the node that aren't ours?
    Result<bool> others(ha::ZookeeperSession& session, const std::string& path) const;
    Result<bool> take(Held& held, const std::string& name, const std::string& destination);
    void release(const std::string& name);

    Logger log_{"switch"};
    std::shared_ptr<ha::ZookeeperClient> client_;
    mutable std::mutex mutex_;
    std::map<std::string, bool> on_;
    std::map<std::string, bool> loading_elsewhere_;
    std::map<std::string, Held> held_;     // full loads of ours, by the lock's name
    std::map<std::string, Held> writing_;  // by destination
    const std::string own_;                // our nodes' name
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
