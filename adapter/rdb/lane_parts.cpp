#include "adapter/rdb/lane_parts.h"

#include "adapter/core/key_table.h"

#include <algorithm>
#include <charconv>
#include <functional>

namespace obcanal::adapter::rdb {

namespace {

// A transaction more costs the target as much as writing so many rows, or more.
constexpr size_t kFewRows = 16;
constexpr uint64_t kSign = uint64_t{1} << 63U;

// In the order of the numbers; of what is none, by its text.
uint64_t key_number(std::string_view text, bool is_unsigned) {
    const char* end = text.data() + text.size();
    uint64_t number = 0;
    std::from_chars_result read{};
    if (is_unsigned) {
        read = std::from_chars(text.data(), end, number);
    } else {
        int64_t value = 0;
        read = std::from_chars(text.data(), end, value);
        number = static_cast<uint64_t>(value) ^ kSign;
    }
    return read.ec == std::errc() && read.ptr == end ? number : core::hash_text(text);
}

size_t rows_of(const LaneParts::Part& part) {
    size_t rows = 0;
    for (const LaneWork& work : part) {
        rows += work.ops.size();
    }
    return rows;
}

}  // namespace

uint64_t key_place(const Op& op) {
    const SqlPlan& plan = *op.plan;
    if (plan.strict || !plan.exact_keys) {
        return 0;
    }
    const core::DmlRow& row = op.values();
    const auto& image = row.before.empty() ? row.after : row.before;
    if (plan.key.size() == 1) {
        const PlanColumn& column = plan.key.front();
        return key_number(image[column.source].text, column.rule.bind == BindAs::Unsigned);
    }
    uint64_t sum = 0;
    for (const PlanColumn& column : plan.key) {
        sum = sum * 31 + core::hash_text(image[column.source].text);
    }
    return sum;
}

Place Places::of(const Op& op, bool one) {
    const SqlPlan& plan = *op.plan;
    if (plan.constrained || !plan.mapping->concurrent) {
        return {};
    }
    if (latest_ != &plan) {
        const auto found = std::ranges::find(tables_, plan.table);
        number_ = static_cast<size_t>(found - tables_.begin()) + 1;
        if (found == tables_.end()) {
            tables_.push_back(plan.table);
        }
        latest_ = &plan;
    }
    return {number_, one ? 0 : op.place};
}

size_t count_parts(size_t ops, size_t lanes, size_t limit) {
    if (lanes <= 1) {
        return 1;
    }
    const auto quotient = [](size_t number, size_t by) {
        return number / by + (number % by != 0 ? 1 : 0);
    };
    // So that lanes that are equally fast end together.
    const size_t full = quotient(quotient(ops, limit), lanes) * lanes;
    return std::clamp<size_t>(quotient(ops, kFewRows), 1, std::max(lanes, full));
}

std::vector<size_t> divide(std::span<const Place> places, size_t parts) {
    std::vector<size_t> part_of(places.size());
    if (parts <= 1) {
        return part_of;
    }
    std::vector<Place> sorted(places.begin(), places.end());
    if (!std::ranges::is_sorted(sorted)) {
        std::ranges::sort(sorted);
    }
    std::vector<Place> first;  // of the second part and those behind it
    for (size_t i = 1; i < parts; i++) {
        first.push_back(sorted[sorted.size() * i / parts]);
    }
    for (size_t i = 0; i < places.size(); i++) {
        const auto behind = std::ranges::upper_bound(first, places[i]);
        part_of[i] = static_cast<size_t>(behind - first.begin());
    }
    return part_of;
}

void LaneParts::reset(size_t parts) {
    parts_.clear();
    parts_.resize(parts);
    next_ = 0;
    failed_ = false;
}

void LaneParts::sort() {
    std::erase_if(parts_, [](const Part& part) { return part.empty(); });
    std::ranges::stable_sort(parts_, std::greater<>(), rows_of);
}

LaneParts::Part* LaneParts::next() {
    const size_t part = failed_ ? parts_.size() : next_++;
    return part < parts_.size() ? &parts_[part] : nullptr;
}

}  // namespace obcanal::adapter::rdb
