// How the destinations of a cluster are shared out. Pure.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace obcanal::ha {

// What a server sees of one destination.
struct Share {
    std::string leader;  // empty: nobody
    std::vector<std::string> candidates;
};

class Balance {
 public:
    explicit Balance(const std::vector<Share>& destinations);

    // As many as each server would lead: destinations by servers, rounded up.
    size_t share() const { return share_; }
    size_t led_by(const std::string& server) const;
    // The candidate that leads the fewest, and fewer than `most`; empty: none.
    std::string least_loaded(const std::vector<std::string>& candidates, size_t most) const;
    // A free destination is left for a moment to a candidate with room when `self` has its share.
    bool leaves_to_others(const std::string& self, const std::vector<std::string>& candidates)
        const;
    // To whom `self` gives one of its destinations, if nobody consumes it; empty: it keeps it. One
    // more than the share is kept, so that an uneven number does not wander.
    std::string give_to(const std::string& self, const std::vector<std::string>& candidates) const;

 private:
    std::map<std::string, size_t> led_;
    size_t share_ = 0;
};

}  // namespace obcanal::ha
