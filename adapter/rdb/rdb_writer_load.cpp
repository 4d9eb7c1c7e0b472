// Full loads of the relational target, and what they leave for the stream that goes on.
#include "adapter/core/source_session.h"
#include "adapter/rdb/rdb_writer.h"

#include <algorithm>

namespace obcanal::adapter::rdb {

namespace {

constexpr uint32_t kWorkersLimit = 16;

std::string cover_key(std::string_view task, std::string_view table) {
    return std::string(task) + '\0' + std::string(table);
}

}  // namespace

// What full loads of earlier processes, and of this one, have left.
Result<void> RdbWriter::read_loads() {
    auto states = load_store_.all();
    if (!states) {
        return states.error();
    }
    using Phase = core::LoadState::Phase;
    unfinished_.clear();
    covers_.clear();
    replay_until_ms_ = 0;
    for (const core::LoadState& state : *states) {
        if (state.phase == Phase::Running && mappings_.find(state.request.task) != nullptr) {
            unfinished_.push_back(state.request);
        }
        replay_until_ms_ = std::max(replay_until_ms_, state.replayed_until_ms);
        for (const auto& [table, part] : state.parts) {
            if (part.done && !part.log_file.empty()) {
                covers_[cover_key(state.request.task, table)] =
                    SourceMark{part.log_file, part.log_offset, 1};
            }
        }
    }
    return {};
}

Result<void> RdbWriter::announce_loads(const std::vector<core::FullLoadRequest>& requests) {
    std::map<std::string, std::string> targets;
    for (const core::FullLoadRequest& request : requests) {
        const config::RdbMapping* mapping = mappings_.find(request.task);
        if (mapping == nullptr || mapping->mirror_db || !request.truncate) {
            continue;
        }
        const auto [database, table] = target_of(*mapping, core::Dml());
        const auto [other, added] = targets.emplace(database + "." + table, request.task);
        if (!added) {
            return Error{
                Errc::BadConfig,
                Retry::Never,
                other->second + " and " + request.task +
                    " have one target table: with truncate=true, the one would remove what the "
                    "other has loaded"
            };
        }
    }
    for (const core::FullLoadRequest& request : requests) {
        auto begun = load_store_.begin(request);
        if (!begun) {
            return begun.error();
        }
    }
    return {};
}

Awaitable<Result<core::FullLoadOutcome>> RdbWriter::full_load(core::FullLoadRequest request) {
    const config::RdbMapping* mapping = mappings_.find(request.task);
    if (mapping == nullptr) {
        co_return Error{Errc::NotFound, Retry::Never, "no mapping " + request.task};
    }
    if (request.rebuild) {
        co_return Error{
            Errc::Unsupported, Retry::Never, "a table is not built anew: truncate=true empties it"
        };
    }
    auto state = load_store_.begin(request);
    if (!state) {
        co_return state.error();
    }
    LoadContext context;
    Result<void> ready;
    if (auto source = core::find_source(config_, mapping->data_source_key, mapping->task)) {
        context.source = std::move(*source);
    } else {
        ready = source.error();
    }
    if (!ready) {
        state->phase = core::LoadState::Phase::Failed;
        static_cast<void>(load_store_.save(*state));
        co_return ready.error();
    }
    context.open_target = session_opener(options_);
    context.family = options_.url.family;
    context.zero_date = options_.zero_date;
    context.dead_letters = &dead_letters_;
    context.store = &load_store_;
    context.progress = &load_progress_;
    context.workers = std::clamp<uint32_t>(context.source.max_active, 1, kWorkersLimit);
    context.stream_log = stream_log_;
    auto load = std::make_shared<FullLoad>(std::move(context), *mapping, strand_);
    {
        const std::lock_guard lock(load_mutex_);
        load_ = load;
    }
    if (stopped_) {
        load->stop();
    }
    Result<core::FullLoadOutcome> outcome = co_await load->run(*state);
    {
        const std::lock_guard lock(load_mutex_);
        load_ = nullptr;
    }
    routes_.forget_plans();
    if (auto read = read_loads(); !read && outcome) {
        co_return read.error();
    }
    co_return outcome;
}

void RdbWriter::stop_load() {
    const std::lock_guard lock(load_mutex_);
    if (load_) {
        load_->stop();
    }
}

// Before the batch: is it one whose changes rows of a load may hold already?
bool RdbWriter::is_after_load(const core::DmlBatch& batch) const {
    return replay_until_ms_ > 0 && only_task_.empty() && !batch.dmls.empty() &&
           batch.dmls.front().execute_ms <= replay_until_ms_;
}

// What commits after a load's end is in no row of it, and the log has it in this order.
void RdbWriter::end_replay(const core::DmlBatch& batch) {
    if (replay_until_ms_ == 0 || !only_task_.empty()) {
        return;
    }
    const bool over = std::ranges::any_of(batch.dmls, [this](const core::Dml& dml) {
        return dml.execute_ms > replay_until_ms_;
    });
    if (!over) {
        return;
    }
    auto states = load_store_.all();
    for (const core::LoadState& state : states ? *states : std::vector<core::LoadState>()) {
        if (state.phase == core::LoadState::Phase::Done) {
            static_cast<void>(load_store_.forget(state.request.task));
        }
    }
    replay_until_ms_ = 0;
    covers_.clear();
    log_.info("the stream is behind the full load", {{"destination", destination_}});
}

// The rows of a table without key that a load has brought hold this change already.
Result<bool> RdbWriter::is_covered(const Route& route, const core::Dml& dml) const {
    if (covers_.empty()) {
        return false;
    }
    const auto cover = covers_.find(cover_key(route.mapping->task, dml.table));
    if (cover == covers_.end()) {
        return false;
    }
    if (!same_log(dml.log_file, cover->second.file)) {
        return Error{
            Errc::Conflict,
            Retry::Backoff,
            route.mapping->task + ": its rows were loaded at " + cover->second.file +
                ", and the stream comes from another log (" + std::string(dml.log_file) +
                "): which of its changes they hold is not known; load it again"
        };
    }
    return compare_place(dml.log_file, dml.log_offset, cover->second) < 0;
}

std::optional<core::LoadFigures> RdbWriter::load_figures() const {
    return load_progress_.figures();
}

std::vector<core::WriterCounter> RdbWriter::counters() const {
    return {
        {"target_rows", "Rows that were given to the target.", counts_.rows},
        {"duplicates_skipped", "INSERTs whose row was there.", counts_.duplicates_skipped},
        {"unmatched", "UPDATEs that found no row.", counts_.unmatched},
        {"reinserted", "Rows that an UPDATE did not find and inserted.", counts_.reinserted},
        {"parked", "Changes that went to the dead letters.", counts_.parked},
        {"rdb_ahead", "Batches that were divided while the one before was written.", counts_.ahead},
        {"row_by_row", "Parts of batches that were written row by row.", counts_.row_by_row},
        {"tried_again", "Transactions that a deadlock or lock ended.", counts_.tried_again},
    };
}

std::vector<std::string> RdbWriter::tasks() const {
    std::vector<std::string> names;
    for (const config::RdbMapping* mapping : mappings_.mappings()) {
        names.push_back(mapping->task);
    }
    return names;
}

}  // namespace obcanal::adapter::rdb
