// Finds things by a key that they hold themselves: numbers in a table of open addresses, so that a
// batch's thousands of keys need no memory of their own. Whoever asks says how a thing compares.
// One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace obcanal::adapter::core {

// Cheap and well spread, the same in every process.
size_t hash_text(std::string_view text);

class KeyTable {
 public:
    // Of the thing with this key: `is_it(number)` is asked for those whose hash is the same.
    template <typename IsIt>
    std::optional<uint32_t> find(size_t hash, IsIt is_it) const {
        if (slots_.empty()) return std::nullopt;
        const Slot& slot = slots_[place(part_of(hash), is_it)];
        return slot.behind == 0 ? std::nullopt : std::optional(slot.behind - 1);
    }

    // The same; when there is none, `number` becomes the one of this key, and is returned.
    template <typename IsIt>
    uint32_t find_or_add(size_t hash, uint32_t number, IsIt is_it) {
        reserve(used_ + 1);
        Slot& slot = slots_[place(part_of(hash), is_it)];
        if (slot.behind != 0) return slot.behind - 1;
        slot = {number + 1, part_of(hash)};
        ++used_;
        return number;
    }

    // Room for so many keys.
    void reserve(size_t keys) {
        if (keys * 2 > slots_.size()) grow(keys * 2);
    }

    // Keeps its memory if much of it was used.
    void clear();

 private:
    struct Slot {
        uint32_t behind = 0;  // the number, and one; 0: free
        uint32_t hash = 0;    // a part of it, so that other things are looked at seldom
    };

    static uint32_t part_of(size_t hash) { return static_cast<uint32_t>(hash); }

    // The slot that has the key, or the free one where it belongs.
    template <typename IsIt>
    size_t place(uint32_t hash, IsIt is_it) const {
        const size_t mask = slots_.size() - 1;
        for (size_t at = hash & mask;; at = (at + 1) & mask) {
            const Slot& slot = slots_[at];
            if (slot.behind == 0 || (slot.hash == hash && is_it(slot.behind - 1))) return at;
        }
    }

    void grow(size_t least);

    std::vector<Slot> slots_;  // a power of two of them, at least half of them free
    size_t used_ = 0;
};

}  // namespace obcanal::adapter::core
