#include "server/source/oblog_position.h"

namespace obcanal::source {

namespace {

constexpr int64_t kSecondUs = 1'000'000;

}  // namespace

oblog::ResumeState resume_state(const canal::LogPosition& position) {
    oblog::ResumeState state;
    state.checkpoint_us = position.timestamp_ms / 1000 * kSecondUs + position.position;
    if (!position.oblog) return state;
    state.commit_us = position.oblog->commit_us;
    state.ordered = position.oblog->ordered;
    state.consumed = position.oblog->consumed;
    state.open = position.oblog->open;
    state.open_rows = position.oblog->open_rows;
    return state;
}

canal::LogPosition log_position(const oblog::ResumeState& state, const Endpoint& address) {
    canal::LogPosition position;
    position.identity.host = address.host;
    position.identity.port = address.port;
    position.journal_name = kOblogJournal;
    position.position = state.checkpoint_us % kSecondUs;
    position.timestamp_ms = state.checkpoint_us / kSecondUs * 1000;
    position.gtid = !state.open.empty()      ? state.open
                    : state.consumed.empty() ? ""
                                             : state.consumed.back();
    position.oblog = canal::OblogResume{
        state.commit_us, state.ordered, state.consumed, state.open, state.open_rows
    };
    return position;
}

OblogTracker::OblogTracker(Endpoint address, const std::optional<canal::LogPosition>& from)
    : address_(std::move(address)), window_(from ? resume_state(*from) : oblog::ResumeState{}) {}

void OblogTracker::consumed(const Consumed& entry) {
    const canal::TxnMark& txn = entry.txn;
    if (!open_.empty() && open_ != txn.id) {
        window_.consumed(open_commit_us_, open_);
        open_.clear();
    }
    window_.set_ordered(txn.ordered);
    window_.checkpoint(txn.checkpoint_us);
    if (entry.complete) {
        window_.consumed(txn.commit_us, txn.id);
        open_.clear();
        return;
    }
    window_.consumed_rows(txn.commit_us, txn.id, entry.rows_done);
    open_.assign(txn.id);
    open_commit_us_ = txn.commit_us;
}

canal::LogPosition OblogTracker::position() const {
    return log_position(window_.state(), address_);
}

}  // namespace obcanal::source
