// Numbers that must not be mixed up: a client of a destination, a batch of a client, an entry of a
// ring.
#pragma once

#include <compare>
#include <cstdint>

namespace obcanal::canal {

// Canal's clientId, 16 bits on the wire (as decimal text) and in ZooKeeper.
struct ClientId {
    int16_t value = 0;
    auto operator<=>(const ClientId&) const = default;
};

// Counted per client from 1; 0 and -1 mean "all" and "none" on the wire.
struct BatchId {
    int64_t value = 0;
    auto operator<=>(const BatchId&) const = default;
};

// The place of an entry in its destination's ring, counted from 0 since the instance started.
struct Sequence {
    int64_t value = -1;
    auto operator<=>(const Sequence&) const = default;
    Sequence next() const { return {value + 1}; }
};

}  // namespace obcanal::canal
