// Batches of EsWriter: the one in hand, and the one behind it that has begun already.
#include "adapter/es/es_writer.h"
#include "protocol/base/clock.h"
#include "protocol/net/asio.h"

#include <chrono>

namespace obcanal::adapter::es {

namespace {

constexpr std::chrono::hours kLong{24};

bool is_same(const core::DmlBatch& a, const core::DmlBatch& b) {
    return a.session == b.session && a.id == b.id && a.dmls.data() == b.dmls.data() &&
           a.dmls.size() == b.dmls.size();
}

Error dropped() { return {Errc::Stopped, Retry::Never, "stopped"}; }

}  // namespace

Awaitable<Result<void>> EsWriter::write(const core::DmlBatch& batch) {
    if (next_ != nullptr && is_same(*next_, batch)) next_ = nullptr;
    if (ahead_ && is_same(ahead_->batch, batch)) {
        current_ = std::move(ahead_);
        turn_.notify();
        begin_ahead();
        co_await await_done(current_.get());
    } else {
        if (ahead_) co_await drop_ahead();
        only_task_ = batch.only_task;
        forget_targets();
        current_ = std::make_unique<Work>();
        current_->batch = batch;
        current_->result = co_await look_at_owned();
        if (current_->result) co_await run_work(current_.get());
    }
    fresh_ = false;
    Result<void> done = std::move(current_->result);
    current_.reset();
    if (!done) {
        co_await drop_ahead();
        if (stopped_) co_return dropped();
        // Whatever is wrong may be put right there: look again.
        indexes_.clear();
        targets_.clear();
        co_return done;
    }
    wrote_ = true;
    if (!batch.dmls.empty() && batch.only_task.empty()) {
        last_execute_ms_ = batch.dmls.back().execute_ms;
    }
    co_return done;
}

void EsWriter::look_ahead(const core::DmlBatch& next) {
    next_ = &next;
    begin_ahead();
}

// What the writer knows of indexes is looked at again with a batch that has none before it.
void EsWriter::begin_ahead() {
    if (next_ == nullptr || ahead_ || !current_ || !current_->added || stopped_) return;
    const bool settled = !current_->settling && !fresh_ && only_task_.empty();
    if (!settled || owned_plans_ != plans_.size()) return;
    ahead_ = std::make_unique<Work>();
    ahead_->batch = *next_;
    next_ = nullptr;
    ++counts_.ahead;
    current_->wave.set_followed();
    tasks_.spawn(strand_, run_work(ahead_.get()));
}

Awaitable<void> EsWriter::drop_ahead() {
    next_ = nullptr;
    if (!ahead_) co_return;
    ahead_->cancelled = true;
    bulk_.cancel(&ahead_->wave);
    planner_.give_up();
    turn_.notify();
    co_await tasks_.wait_for_all();
    ahead_.reset();
}

// The planner has one batch at a time, the bulks any number.
Awaitable<void> EsWriter::run_work(Work* work) {
    planner_.begin(work->batch, owned_);
    Result<void> done = co_await write_blocks(work);
    co_await planner_.end();
    if (done) {
        work->added = true;
        begin_ahead();
    }
    work->result = co_await end_wave(&work->wave, std::move(done));
    work->done = true;
    turn_.notify();
}

bool EsWriter::is_ahead(const BulkWave& wave) const {
    return ahead_ && &wave == &ahead_->wave && current_ && !current_->done;
}

bool EsWriter::is_free(
    const BulkWave& wave, const DocumentTarget& target, const DocumentChange& change
) const {
    return !is_ahead(wave) || (!current_->settling && !current_->wave.has(target, change));
}

Awaitable<Result<void>> EsWriter::await_turn(const BulkWave* wave) {
    if (is_ahead(*wave)) ++counts_.waited;
    for (;;) {
        turn_.arm();
        const bool is_dropped = ahead_ && wave == &ahead_->wave && ahead_->cancelled;
        if (stopped_ || is_dropped) co_return dropped();
        if (!is_ahead(*wave)) co_return Result<void>();
        const SteadyTime until = steady_now() + kLong;
        co_await turn_.wait(until);
    }
}

Awaitable<void> EsWriter::await_done(const Work* work) {
    while (!work->done) {
        turn_.arm();
        if (work->done) co_return;
        const SteadyTime until = steady_now() + kLong;
        co_await turn_.wait(until);
    }
}

}  // namespace obcanal::adapter::es
