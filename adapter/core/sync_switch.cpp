#include "adapter/core/sync_switch.h"

#include "protocol/base/text.h"

namespace obcanal::adapter::core {
namespace {

constexpr std::string_view kSwitchRoot = "/canal-adapter/sync-switch/";
constexpr std::string_view kEtlRoot = "/canal-adapter/sync-etl/";
// As the reference: what depends on the switch notices a dead adapter within this time.
constexpr std::chrono::milliseconds kSessionTimeout{6'000};

}  // namespace

SyncSwitch::SyncSwitch(const std::string& zookeeper, const std::vector<std::string>& destinations) {
    for (const std::string& destination : destinations) on_[destination] = true;
    if (zookeeper.empty()) return;
    ha::ZookeeperPlace place;
    place.servers = zookeeper;
    place.session_timeout = kSessionTimeout;
    client_ = std::make_shared<ha::ZookeeperClient>(std::move(place));
}

void SyncSwitch::follow(const std::vector<std::string>& destinations) {
    const std::lock_guard lock(mutex_);
    std::map<std::string, bool> on;
    for (const std::string& destination : destinations) {
        const auto before = on_.find(destination);
        on[destination] = before == on_.end() || before->second;
    }
    on_ = std::move(on);
}

bool SyncSwitch::is_on(const std::string& destination) const {
    const std::lock_guard lock(mutex_);
    const auto found = on_.find(destination);
    return found != on_.end() && found->second;
}

bool SyncSwitch::knows(const std::string& destination) const {
    const std::lock_guard lock(mutex_);
    return on_.contains(destination);
}

Result<bool> SyncSwitch::read(const std::string& destination) {
    Result<std::shared_ptr<ha::ZookeeperSession>> session = client_->session();
    if (!session) return std::move(session).error();
    Result<std::optional<ha::ZookeeperNode>> node =
        (*session)->get(std::string(kSwitchRoot) + destination);
    if (!node) return std::move(node).error();
    return !*node || equals_ignore_case(trim((*node)->data), "on");
}

Result<void> SyncSwitch::set(const std::string& destination, bool on) {
    if (client_ != nullptr) {
        Result<std::shared_ptr<ha::ZookeeperSession>> session = client_->session();
        if (!session) return std::move(session).error();
        Result<void> put =
            (*session)->put(std::string(kSwitchRoot) + destination, on ? "on" : "off");
        if (!put) return put;
    }
    const std::lock_guard lock(mutex_);
    const auto found = on_.find(destination);
    if (found != on_.end()) found->second = on;
    return {};
}

void SyncSwitch::refresh() {
    if (client_ == nullptr) return;
    std::vector<std::string> names;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [name, on] : on_) names.push_back(name);
    }
    for (const std::string& name : names) {
        const Result<bool> on = read(name);
        if (!on) {
            if (!failing_) {
                log_.warn(
                    "ZooKeeper does not answer, the last words hold", {{"cause", on.error().detail}}
                );
            }
            failing_ = true;
            return;
        }
        const std::lock_guard lock(mutex_);
        const auto found = on_.find(name);
        if (found != on_.end()) found->second = *on;
    }
    failing_ = false;
}

Result<std::unique_ptr<SyncSwitch::EtlLock>> SyncSwitch::lock_etl(const std::string& name) {
    {
        const std::lock_guard lock(mutex_);
        if (loading_[name]) return std::unique_ptr<EtlLock>();
        loading_[name] = true;
    }
    const auto release_own = [this, name] {
        const std::lock_guard lock(mutex_);
        loading_[name] = false;
    };
    if (client_ == nullptr) return std::make_unique<EtlLock>(release_own);
    // A lock of the reference's is a child of the same node.
    const std::string path = std::string(kEtlRoot) + name;
    const std::string own = path + "/obcanal";
    Result<std::shared_ptr<ha::ZookeeperSession>> session = client_->session();
    Result<bool> taken = false;
    if (!session) {
        taken = session.error();
    } else {
        const auto children = (*session)->children(path);
        if (!children) {
            taken = children.error();
        } else if (children->empty()) {
            taken = (*session)->create(own, std::nullopt, ha::NodeMode::Ephemeral);
        }
    }
    if (!taken || !*taken) {
        release_own();
        if (!taken) return taken.error();
        return std::unique_ptr<EtlLock>();
    }
    const std::shared_ptr<ha::ZookeeperSession> holder = *session;
    return std::make_unique<EtlLock>([release_own, holder, own] {
        // Without success the end of the session removes it.
        static_cast<void>(holder->remove(own));
        release_own();
    });
}

}  // namespace obcanal::adapter::core
