#include "protocol/oblog/resume_window.h"

#include <algorithm>

namespace obcanal::oblog {

ResumeWindow::ResumeWindow(const ResumeState& state, size_t max_ids)
    : max_ids_(max_ids),
      checkpoint_us_(std::max<int64_t>(state.checkpoint_us, 0)),
      commit_us_(state.commit_us > 0 ? state.commit_us : kNever),
      ordered_(state.ordered),
      open_(state.open),
      open_rows_(state.open_rows) {
    // The list holds no times; the latest keeps each id as long as any of them can come again.
    for (const std::string& id : state.consumed) consumed_.push_back({state.commit_us, id});
    while (consumed_.size() > max_ids_) {
        consumed_.pop_front();
        ++forgotten_;
    }
    restart();
}

void ResumeWindow::restart() {
    repeats_ = {};
    repeats_.commit_us = commit_us_;
    repeats_.ordered = ordered_;
    for (const Consumed& one : consumed_) ++repeats_.ids[one.id];
    repeats_.open = open_;
    repeats_.open_rows = open_rows_;
}

void ResumeWindow::set_ordered(bool ordered) {
    if (!ordered) {
        ordered_ = false;
        ordered_behind_.reset();
        return;
    }
    if (ordered_ || ordered_behind_) return;
    ordered_behind_ = commit_us_;
    try_ordered();
}

void ResumeWindow::try_ordered() {
    const bool settled = *ordered_behind_ == kNever || *ordered_behind_ < checkpoint_us_ - kSlackUs;
    if (!settled) return;
    ordered_ = true;
    ordered_behind_.reset();
    std::erase_if(consumed_, [this](const Consumed& one) { return one.commit_us != commit_us_; });
}

bool ResumeWindow::was_consumed(int64_t commit_us, std::string_view id) {
    if (commit_us > repeats_.commit_us) return false;
    const bool below = repeats_.ordered && commit_us < repeats_.commit_us;
    if (below) return id.empty() || id != repeats_.open;
    const auto found = repeats_.ids.find(id);
    if (found == repeats_.ids.end()) return false;
    if (--found->second == 0) repeats_.ids.erase(found);
    return true;
}

std::optional<uint64_t> ResumeWindow::rows_to_skip(int64_t commit_us, std::string_view id) {
    if (id.empty() || id != repeats_.open) return std::nullopt;
    const bool below = repeats_.ordered && commit_us < repeats_.commit_us;
    repeats_.open.clear();
    return below ? std::nullopt : std::optional(repeats_.open_rows);
}

void ResumeWindow::checkpoint(int64_t us) {
    if (us <= checkpoint_us_) return;
    checkpoint_us_ = us;
    if (ordered_) return;
    if (ordered_behind_) try_ordered();
    if (ordered_) return;
    std::erase_if(consumed_, [us](const Consumed& one) { return one.commit_us < us - kSlackUs; });
}

// An ordered window can't say that something below its commit time is missing, so what comes late
// ends the order until nothing of that time can come again.
void ResumeWindow::note_order(int64_t commit_us) {
    if (commit_us >= commit_us_) return;
    if (ordered_) ++out_of_order_;
    if (ordered_ || ordered_behind_) ordered_behind_ = commit_us_;
    ordered_ = false;
}

void ResumeWindow::consumed(int64_t commit_us, std::string_view id) {
    note_order(commit_us);
    // Whether it was this one or another: no transaction is open behind a whole one.
    open_.clear();
    open_rows_ = 0;
    if (commit_us > commit_us_) {
        commit_us_ = commit_us;
        if (ordered_ && !id.empty() && !consumed_.empty()) {
            // The usual case: one takes the place of the one before, with its memory.
            consumed_.resize(1);
            consumed_.front().commit_us = commit_us;
            consumed_.front().id.assign(id);
            return;
        }
        if (ordered_) consumed_.clear();
    }
    // Nothing tells two transactions without an id apart.
    if (id.empty()) return;
    consumed_.push_back({commit_us, std::string(id)});
    if (consumed_.size() > max_ids_) {
        consumed_.pop_front();
        ++forgotten_;
    }
}

void ResumeWindow::consumed_rows(int64_t commit_us, std::string_view id, uint64_t rows) {
    note_order(commit_us);
    if (open_ != id) {
        open_ = id;
        open_rows_ = 0;
    }
    if (!open_.empty()) open_rows_ = std::max(open_rows_, rows);
}

ResumeState ResumeWindow::state() const {
    ResumeState state{
        checkpoint_us_, commit_us_ == kNever ? 0 : commit_us_, ordered_, {}, open_, open_rows_
    };
    state.consumed.reserve(consumed_.size());
    for (const Consumed& one : consumed_) state.consumed.push_back(one.id);
    return state;
}

}  // namespace obcanal::oblog
