#include "adapter/core/key_table.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace obcanal::adapter::core {

size_t hash_text(std::string_view text) {
    constexpr uint64_t kMix = 0x9E3779B97F4A7C15U;
    uint64_t sum = text.size() * kMix;
    while (!text.empty()) {
        uint64_t word = 0;
        const size_t size = std::min(text.size(), sizeof word);
        std::memcpy(&word, text.data(), size);
        sum = (sum ^ word) * kMix;
        sum ^= sum >> 32U;
        text.remove_prefix(size);
    }
    sum *= kMix;
    return sum ^ (sum >> 29U);
}

void KeyTable::clear() {
    constexpr size_t kMuch = 16;
    if (used_ * kMuch < slots_.size()) {
        slots_ = {};
    } else {
        std::ranges::fill(slots_, Slot{});
    }
    used_ = 0;
}

void KeyTable::grow(size_t least) {
    constexpr size_t kFirst = 64;
    const std::vector<Slot> before = std::exchange(slots_, {});
    slots_.resize(std::bit_ceil(std::max(kFirst, least)));
    for (const Slot& slot : before) {
        if (slot.behind == 0) continue;
        slots_[place(slot.hash, [](uint32_t) { return false; })] = slot;
    }
}

}  // namespace obcanal::adapter::core
