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
    note_heartbeat(std::get<canal::Heartbeat>(change).checkpoint_us);
    return false;
}

Awaitable<Result<void>> Feed::emit(std::span<const Change> changes) {
    Step step;
    for (const Change& change : changes) {
        if (!encode(change, step)) continue;
        if (encoder_.malformed_column()) {
            co_return Error{
                Errc::BadPacket,
                Retry::Never,
                "column " + *encoder_.malformed_column() + ": its bytes are no value of its type"
            };
        }
        while (!buffer_.append(step.record, step.facts)) {
            Result<void> piece = co_await buffer_.flush(false);
            if (!piece) co_return piece;
            open_rows_ = rows_done_;
        }
        rows_done_ = step.facts.rows_done;
        newest_execute_ms_.store(step.facts.execute_ms, std::memory_order_relaxed);
        if (!step.facts.completes) continue;
        if (!buffer_.try_flush(true)) {
            Result<void> flushed = co_await buffer_.flush(true);
            if (!flushed) co_return flushed;
        }
        open_rows_.reset();
        if (step.facts.kind == EntryKind::End)
            transactions_.fetch_add(1, std::memory_order_relaxed);
    }
    co_return Result<void>{};
}

void Feed::note_heartbeat(int64_t us) {
    const std::lock_guard lock(mutex_);
    if (us <= checkpoint_.us) return;
    checkpoint_ = {us, ring_.published()};
}

Checkpoint Feed::checkpoint() const {
    const std::lock_guard lock(mutex_);
    return checkpoint_;
}

}  // namespace obcanal::instance
