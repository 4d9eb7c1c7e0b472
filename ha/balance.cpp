#include "ha/balance.h"

#include <algorithm>

namespace obcanal::ha {

Balance::Balance(const std::vector<Share>& destinations) {
    size_t alive = 0;
    for (const Share& one : destinations) {
        // What stands in ZooKeeper of a destination that no server has any more.
        if (one.candidates.empty() && one.leader.empty()) continue;
        ++alive;
        for (const std::string& candidate : one.candidates) led_.try_emplace(candidate, 0);
        if (!one.leader.empty()) ++led_[one.leader];
    }
    const size_t servers = std::max<size_t>(led_.size(), 1);
    share_ = (alive + servers - 1) / servers;
}

size_t Balance::led_by(const std::string& server) const {
    const auto found = led_.find(server);
    return found == led_.end() ? 0 : found->second;
}

std::string Balance::least_loaded(const std::vector<std::string>& candidates, size_t most) const {
    std::string least;
    for (const std::string& one : candidates) {
        const size_t load = led_by(one);
        if (load < most && (least.empty() || load < led_by(least))) least = one;
    }
    return least;
}

bool Balance::leaves_to_others(const std::string& self, const std::vector<std::string>& candidates)
    const {
    if (led_by(self) < share_) return false;
    const std::string other = least_loaded(candidates, share_);
    return !other.empty() && other != self;
}

std::string Balance::give_to(const std::string& self, const std::vector<std::string>& candidates)
    const {
    if (led_by(self) <= share_ + 1) return {};
    return least_loaded(candidates, share_);
}

}  // namespace obcanal::ha
