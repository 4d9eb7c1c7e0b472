#include "adapter/core/sync_switch.h"

#include "protocol/base/text.h"

#include <unistd.h>

#include <random>

namespace obcanal::adapter::core {
namespace {

constexpr std::string_view kSwitchRoot = "/canal-adapter/sync-switch/";
constexpr std::string_view kEtlRoot = "/canal-adapter/sync-etl/";
constexpr std::string_view kLoadingRoot = "/canal-adapter/loading/";
constexpr std::string_view kWritingRoot = "/canal-adapter/writing/";
// As the reference: what depends on the switch notices a dead adapter within this time.
constexpr std::chrono::milliseconds kSessionTimeout{6'000};

std::string own_name() {
    std::random_device random;
    std::string name(256, '\0');
    ::gethostname(name.data(), name.size() - 1);
    name.resize(name.find('\0'));
    return name + "-" + std::to_string(::getpid()) + "-" + std::to_string(random());
}

std::string path_of(std::string_view root, const std::string& destination) {
    return std::string(root) + destination;
}

}  // namespace

SyncSwitch::SyncSwitch(const std::string& zookeeper, const std::vector<std::string>& destinations)
    : own_(own_name()) {
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
    const auto loading = loading_elsewhere_.find(destination);
    return found != on_.end() && found->second &&
           (loading == loading_elsewhere_.end() || !loading->second);
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
    std::vector<std::function<void()>> lost;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [name, on] : on_) names.push_back(name);
        for (auto& [name, held] : held_) {
            if (held.session == nullptr || held.session->alive() || !held.lost) continue;
            lost.push_back(std::move(held.lost));
            held.lost = nullptr;
        }
    }
    for (const std::function<void()>& call : lost) call();
    for (const std::string& name : names) {
        Result<bool> on = read(name);
        Result<bool> loading = false;
        if (on) {
            const Result<Session> session = client_->session();
            loading = session ? others(**session, path_of(kLoadingRoot, name)) : session.error();
            if (!loading) on = loading.error();
        }
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
        loading_elsewhere_[name] = *loading;
    }
    failing_ = false;
}

Result<bool> SyncSwitch::others(ha::ZookeeperSession& session, const std::string& path) const {
    const Result<std::vector<std::string>> children = session.children(path);
    if (!children) return children.error();
    for (const std::string& child : *children) {
        if (child != own_) return true;
    }
    return false;
}

Result<bool> SyncSwitch::begin_writing(const std::string& destination) {
    if (client_ == nullptr) return true;
    const Result<Session> session = client_->session();
    if (!session) return session.error();
    const std::string own = path_of(kWritingRoot, destination) + "/" + own_;
    const Result<bool> made = (*session)->create(own, std::nullopt, ha::NodeMode::Ephemeral);
    if (!made) return made.error();
    {
        const std::lock_guard lock(mutex_);
        writing_[destination] = Held{*session, {own}, {}};
    }
    const Result<bool> loading = others(**session, path_of(kLoadingRoot, destination));
    if (loading && !*loading) return true;
    end_writing(destination);
    if (!loading) return loading.error();
    return false;
}

void SyncSwitch::end_writing(const std::string& destination) {
    Held held;
    {
        const std::lock_guard lock(mutex_);
        const auto found = writing_.find(destination);
        if (found == writing_.end()) return;
        held = std::move(found->second);
        writing_.erase(found);
    }
    // Without success the end of the session removes it.
    for (const std::string& node : held.nodes) static_cast<void>(held.session->remove(node));
}

Result<bool> SyncSwitch::others_write(const std::string& destination) {
    if (client_ == nullptr) return false;
    const Result<Session> session = client_->session();
    if (!session) return session.error();
    return others(**session, path_of(kWritingRoot, destination));
}

// All nodes of the lock; false: somebody has it.
Result<bool> SyncSwitch::take(Held& held, const std::string& name, const std::string& destination) {
    const Result<Session> session = client_->session();
    if (!session) return session.error();
    held.session = *session;
    // A lock of the reference's is a child of the same node.
    const std::string path = path_of(kEtlRoot, name);
    const auto children = (*session)->children(path);
    if (!children) return children.error();
    if (!children->empty()) return false;
    const std::string loading = path_of(kLoadingRoot, destination);
    for (const std::string& node : {path + "/obcanal", loading + "/" + own_}) {
        const Result<bool> made = (*session)->create(node, std::nullopt, ha::NodeMode::Ephemeral);
        if (!made) return made.error();
        if (!*made) return false;
        held.nodes.push_back(node);
    }
    return true;
}

void SyncSwitch::release(const std::string& name) {
    Held held;
    {
        const std::lock_guard lock(mutex_);
        held = std::move(held_[name]);
    }
    // Without success the end of the session removes them.
    for (const std::string& node : held.nodes) static_cast<void>(held.session->remove(node));
    const std::lock_guard lock(mutex_);
    held_.erase(name);
}

Result<std::unique_ptr<SyncSwitch::EtlLock>> SyncSwitch::lock_etl(
    const std::string& type, const std::string& destination, std::function<void()> lost
) {
    const std::string name = type + "-" + destination;
    {
        const std::lock_guard lock(mutex_);
        if (!held_.try_emplace(name).second) return std::unique_ptr<EtlLock>();
    }
    if (client_ != nullptr) {
        Held held;
        const Result<bool> taken = take(held, name, destination);
        held.lost = std::move(lost);
        {
            const std::lock_guard lock(mutex_);
            held_[name] = std::move(held);
        }
        if (!taken || !*taken) {
            release(name);
            if (!taken) return taken.error();
            return std::unique_ptr<EtlLock>();
        }
    }
    return std::make_unique<EtlLock>([this, name] { release(name); });
}

}  // namespace obcanal::adapter::core
