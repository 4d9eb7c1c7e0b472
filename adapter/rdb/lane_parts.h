// Divides a segment's changes among lanes: into parts that can be written in any order, because all
// changes of rows between which order matters are in one of them. Parts are ranges of keys, so that
// sessions with the target don't meet in the same pages of an index. Filled by the pipeline's
// strand; then lanes take one part after the other, from their threads.
#pragma once

#include "adapter/rdb/lane_work.h"

#include <atomic>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace obcanal::adapter::rdb {

// Changes of equal places keep their order.
struct Place {
    size_t table = 0;  // 0: where other tables matter too
    uint64_t key = 0;

    auto operator<=>(const Place&) const = default;
};

// Of the key that the op finds its row by, in the order of keys; 0 where the table's rows belong
// together.
uint64_t key_place(const Op& op);

// Counts the tables of a segment.
class Places {
 public:
    // `one`: rows of this table stay together in this segment.
    Place of(const Op& op, bool one);

 private:
    std::vector<std::string_view> tables_;
    const SqlPlan* latest_ = nullptr;
    size_t number_ = 0;
};

// How many parts to make of so many changes: one for each lane at least, except for few changes,
// and as many as it takes for `limit` rows in each.
size_t count_parts(size_t ops, size_t lanes, size_t limit);

// The part of each place, which has about as many changes as the others.
std::vector<size_t> divide(std::span<const Place> places, size_t parts);

class LaneParts {
 public:
    // One transaction for each work, one after the other.
    using Part = std::vector<LaneWork>;

    // Empty parts.
    void reset(size_t parts);
    Part& at(size_t part) { return parts_[part]; }
    // The large ones first, because whoever has the last one is waited for; leaves out empty ones.
    void sort();
    size_t count() const { return parts_.size(); }

    // -- any thread
    // Null: there are no more, or one has failed.
    Part* next();
    void fail() { failed_ = true; }

 private:
    std::vector<Part> parts_;
    std::atomic<size_t> next_{0};
    std::atomic<bool> failed_{false};
};

}  // namespace obcanal::adapter::rdb
