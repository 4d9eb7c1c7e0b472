#include "server/instance/feed.h"

#include "protocol/net/asio.h"

#include <variant>

namespace obcanal::instance {

using canal::Change;
using store::EntryFacts;
using store::EntryKind;

Feed::Feed(
    store::EventRing& ring,
    std::shared_ptr<ChunkPool> pool,
    store::TxnBufferOptions options,
    std::string_view logfile_name
)
    : ring_(ring), encoder_(logfile_name), buffer_(ring, std::move(pool), options) {}

std::optional<Feed::Step> Feed::encode(const Change& change) {
    if (const auto* rows = std::get_if<canal::RowsChange>(&change)) {
        rows_done_ = rows->rows_done;
        const auto count = static_cast<uint32_t>(rows->rows.size());
        const EntryFacts facts{EntryKind::Row, count, rows->rows_done, rows->mark};
        return Step{encoder_.encode(*rows), facts, false};
    }
    if (const auto* begin = std::get_if<canal::TxnBegin>(&change)) {
        buffer_.begin(begin->txn);
        open_rows_.reset();
        rows_done_ = 0;
        const Bytes record = encoder_.encode(*begin);
        if (begin->resumed) return std::nullopt;
        return Step{record, {EntryKind::Begin, 0, 0, begin->mark}, false};
    }
    if (const auto* end = std::get_if<canal::TxnEnd>(&change)) {
        return Step{encoder_.encode(*end), {EntryKind::End, 0, rows_done_, end->mark}, true};
    }
    if (const auto* ddl = std::get_if<canal::DdlChange>(&change)) {
        buffer_.begin(ddl->txn);
        open_rows_.reset();
        rows_done_ = 0;
        const bool isolated = ddl->type != canal::EventType::Query;
        const EntryKind kind = isolated ? EntryKind::Ddl : EntryKind::Statement;
        return Step{encoder_.encode(*ddl), {kind, 0, 0, ddl->mark}, true};
    }
    if (const auto* statement = std::get_if<canal::StatementChange>(&change)) {
        const bool alone = statement->txn.has_value();
        if (alone) {
            buffer_.begin(*statement->txn);
            open_rows_.reset();
            rows_done_ = 0;
        }
        const EntryFacts facts{EntryKind::Statement, 0, rows_done_, statement->mark};
        return Step{encoder_.encode(*statement), facts, alone};
    }
    note_heartbeat(std::get<canal::Heartbeat>(change).checkpoint_us);
    return std::nullopt;
}

Awaitable<Result<void>> Feed::emit(std::span<const Change> changes) {
    for (const Change& change : changes) {
        const std::optional<Step> step = encode(change);
        if (!step) continue;
        if (encoder_.malformed_column()) {
            co_return Error{
                Errc::BadPacket,
                Retry::Never,
                "column " + *encoder_.malformed_column() + ": its bytes are no value of its type"
            };
        }
        while (!buffer_.append(step->record, step->facts)) {
            Result<void> piece = co_await buffer_.flush(false);
            if (!piece) co_return piece;
            open_rows_ = step->facts.rows_done - step->facts.rows;
        }
        newest_execute_ms_.store(step->facts.mark.execute_ms, std::memory_order_relaxed);
        if (!step->flush) continue;
        if (!buffer_.try_flush(true)) {
            Result<void> flushed = co_await buffer_.flush(true);
            if (!flushed) co_return flushed;
        }
        open_rows_.reset();
        if (step->facts.kind == EntryKind::End)
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
