// Who wants to know that something in ZooKeeper changed: a watched node, or the session. Listeners
// are told that they have to look, not what they will see. Owned by the client; thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace obcanal::ha {

class ZookeeperEvents {
 public:
    using Listener = std::function<void()>;
    // Ends with the last copy; a call that is under way may still come.
    using Subscription = std::shared_ptr<const Listener>;

    // `listener` runs on ZooKeeper's thread: it wakes somebody and returns. It is called for
    // `path` itself and for changes of the session.
    Subscription listen(const std::string& path, Listener listener) {
        auto kept = std::make_shared<const Listener>(std::move(listener));
        const std::lock_guard lock(mutex_);
        std::erase_if(listeners_, [](const auto& one) { return one.second.expired(); });
        listeners_.emplace(path, kept);
        return kept;
    }

    void changed(const std::string& path) {
        std::vector<Subscription> told;
        {
            const std::lock_guard lock(mutex_);
            const auto [first, last] = listeners_.equal_range(path);
            for (auto one = first; one != last; ++one) told.push_back(one->second.lock());
        }
        tell(told);
    }

    void session_changed() {
        std::vector<Subscription> told;
        {
            const std::lock_guard lock(mutex_);
            for (const auto& [path, listener] : listeners_) told.push_back(listener.lock());
        }
        tell(told);
    }

 private:
    static void tell(const std::vector<Subscription>& listeners) {
        for (const Subscription& listener : listeners) {
            if (listener) (*listener)();
        }
    }

    std::mutex mutex_;
    std::multimap<std::string, std::weak_ptr<const Listener>> listeners_;
};

}  // namespace obcanal::ha
