#include "server/instance/feed.h"

#include "protocol/net/asio.h"

#include <variant>

namespace obcanal::instance {

using canal::Change;
using store::EntryFacts;
using store::EntryKind;

namespace {

EntryFacts facts_of(
    EntryKind kind, uint32_t rows, uint64_t rows_done, const canal::EventMark& mark, bool completes
) {
    return {kind, rows, rows_done, mark.offset, mark.execute_ms, completes};
}

}  // namespace

Feed::Feed(
    store::EventRing& ring,
    std::shared_ptr<ChunkPool> pool,
    store::TxnBufferOptions options,
    std::string_view logfile_name
)
    : ring_(ring), encoder_(logfile_name), buffer_(ring, std::move(pool), options) {}

void Feed::begin(const canal::TxnMark& txn) {
    buffer_.begin(txn);
    open_rows_.reset();
    rows_done_ = 0;
}

bool Feed::encode(const Change& change, Step& step) {
    if (const auto* rows = std::get_if<canal::RowsChange>(&change)) {
        const auto count = static_cast<uint32_t>(rows->rows.size());
        step.facts = facts_of(EntryKind::Row, count, rows->rows_done, rows->mark, false);
        step.record = encoder_.encode(*rows);
        return true;
    }
    if (const auto* txn_begin = std::get_if<canal::TxnBegin>(&change)) {
        begin(txn_begin->txn);
        step.facts = facts_of(EntryKind::Begin, 0, 0, txn_begin->mark, false);
        step.record = encoder_.encode(*txn_begin);
        return !txn_begin->resumed;
    }
    if (const auto* end = std::get_if<canal::TxnEnd>(&change)) {
        step.facts = facts_of(EntryKind::End, 0, rows_done_, end->mark, true);
        step.record = encoder_.encode(*end);
        return true;
    }
    if (const auto* ddl = std::get_if<canal::DdlChange>(&change)) {
        const bool alone = ddl->txn.has_value();
        if (alone) begin(*ddl->txn);
        const bool isolated = ddl->type != canal::EventType::Query;
        const EntryKind kind = isolated ? EntryKind::Ddl : EntryKind::Statement;
        step.facts = facts_of(kind, 0, ddl->rows_done, ddl->mark, alone);
        step.record = encoder_.encode(*ddl);
        return true;
    }
    if (const auto* statement = std::get_if<canal::StatementChange>(&change)) {
        const bool alone = statement->txn.has_value();
        if (alone) begin(*statement->txn);
        step.facts =
            facts_of(EntryKind::Statement, 0, statement->rows_done, statement->mark, alone);
        step.record = encoder_.encode(*statement);
        return true;
    }
    note_heartbeat(std::get<canal::Heartbeat>(change));
    return false;
}

Result<Feed::Waits> Feed::store(const Change& change) {
    if (!encode(change, step_)) return Waits::No;
    if (encoder_.malformed_column()) {
        return Error{
            Errc::BadPacket,
            Retry::Never,
            "column " + *encoder_.malformed_column() + ": its bytes are no value of its type"
        };
    }
    if (!buffer_.append(step_.record, step_.facts)) return Waits::BufferFull;
    return settle();
}

// The change of step_ is in the buffer.
Feed::Waits Feed::settle() {
    rows_done_ = step_.facts.rows_done;
    newest_execute_ms_.store(step_.facts.execute_ms, std::memory_order_relaxed);
    if (!step_.facts.completes) return Waits::No;
    if (!buffer_.try_flush(true)) return Waits::RingFull;
    complete();
    return Waits::No;
}

void Feed::complete() {
    open_rows_.reset();
    if (step_.facts.kind == EntryKind::End) transactions_.fetch_add(1, std::memory_order_relaxed);
}

Result<bool> Feed::try_emit(std::span<const Change> changes) {
    for (; stored_ < changes.size(); ++stored_) {
        Result<Waits> stored = store(changes[stored_]);
        if (!stored) forget_waiting();
        if (!stored) return std::move(stored).error();
        waits_ = *stored;
        if (waits_ != Waits::No) return false;
    }
    stored_ = 0;
    return true;
}

Awaitable<Result<void>> Feed::finish_change() {
    while (waits_ == Waits::BufferFull) {
        Result<void> piece = co_await buffer_.flush(false);
        if (!piece) co_return piece;
        open_rows_ = rows_done_;
        if (buffer_.append(step_.record, step_.facts)) waits_ = settle();
    }
    if (waits_ == Waits::RingFull) {
        Result<void> flushed = co_await buffer_.flush(true);
        if (!flushed) co_return flushed;
        complete();
        waits_ = Waits::No;
    }
    ++stored_;
    co_return Result<void>{};
}

Awaitable<Result<void>> Feed::emit(std::span<const Change> changes) {
    for (;;) {
        if (waits_ != Waits::No) {
            Result<void> finished = co_await finish_change();
            if (!finished) forget_waiting();
            if (!finished) co_return finished;
        }
        Result<bool> all = try_emit(changes);
        if (!all) co_return std::move(all).error();
        if (*all) co_return Result<void>{};
    }
}

void Feed::drop_open() {
    buffer_.drop();
    forget_waiting();
}

void Feed::forget_waiting() {
    stored_ = 0;
    waits_ = Waits::No;
}

void Feed::note_heartbeat(const canal::Heartbeat& beat) {
    const std::lock_guard lock(mutex_);
    if (beat.order() <= checkpoint_.order) return;
    checkpoint_ = {beat.checkpoint_us, beat.order(), ring_.published()};
}

Checkpoint Feed::checkpoint() const {
    const std::lock_guard lock(mutex_);
    return checkpoint_;
}

}  // namespace obcanal::instance
