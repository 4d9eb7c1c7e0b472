#include "adapter/core/pipeline.h"

#include "adapter/core/letter_text.h"
#include "adapter/core/pipeline_target.h"
#include "protocol/base/clock.h"
#include "protocol/net/asio.h"

#include <algorithm>

namespace obcanal::adapter::core {

using namespace std::chrono_literals;

namespace {

constexpr std::chrono::milliseconds kSwitchPause = 500ms;
// Between looks at whether the client that consumes is still there.
constexpr std::chrono::milliseconds kStandbyPause = 2s;
// A session that held as long was a good one.
constexpr std::chrono::milliseconds kGoodSession = 30s;
constexpr std::chrono::milliseconds kRefreshPeriod = 3s;
constexpr std::chrono::milliseconds kLongestGet = 1s;

bool is_connection_error(const Error& error) {
    return error.code == Errc::Io || error.code == Errc::Closed || error.code == Errc::Timeout;
}

}  // namespace

Pipeline::Pipeline(PipelineContext context)
    : context_(std::move(context)),
      log_("adapter." + context_.destination.name),
      feed_(
          context_.config.canal,
          context_.destination.name,
          std::min(context_.config.timeout, kLongestGet),
          context_.lane,
          context_.zookeeper
      ),
      wake_(context_.strand),
      random_(std::random_device{}()) {}

Pipeline::~Pipeline() = default;

Result<std::unique_ptr<Pipeline>> Pipeline::make(PipelineContext context) {
    std::unique_ptr<Pipeline> pipeline(new Pipeline(std::move(context)));
    Result<void> made = pipeline->make_targets();
    if (!made) return std::move(made).error();
    return pipeline;
}

Result<void> Pipeline::make_targets() {
    Result<std::unique_ptr<DeadLetterStore>> letters =
        DeadLetterStore::open(context_.config.data_dir, context_.destination.name);
    if (!letters) return std::move(letters).error();
    letters_ = std::move(letters).value();
    for (const config::GroupConfig& group : context_.destination.groups) {
        for (const config::OuterAdapterConfig& adapter : group.adapters) {
            auto target = std::make_unique<Target>(group.id, adapter);
            const auto factory = context_.writers.find(adapter.name);
            if (factory == context_.writers.end()) {
                return Error{
                    Errc::Unsupported,
                    Retry::Never,
                    adapter.place + ": no adapter '" + adapter.name + "'"
                };
            }
            const LetterOwner owner{group.id, adapter.key};
            target->letters = std::make_unique<WriterDeadLetters>(*letters_, owner);
            const WriterContext writer{
                context_.config,
                context_.destination.name,
                group.id,
                target->adapter,
                context_.placeholders,
                *target->letters,
                context_.strand
            };
            Result<std::unique_ptr<Writer>> made = factory->second(writer);
            if (!made) return std::move(made).error().in(adapter.place);
            target->writer = std::move(made).value();
            targets_.push_back(std::move(target));
        }
    }
    // Positions count all entries of a place.
    const bool all = counts_places() || std::ranges::any_of(targets_, [](const auto& target) {
                         return target->writer->takes_statements();
                     });
    for (Fetched& fetched : fetched_) fetched.reader.leave_out_statements(!all);
    return {};
}

Awaitable<void> Pipeline::pause(std::chrono::milliseconds time) {
    const SteadyTime until = steady_now() + time;
    while (!stopping_ && steady_now() < until) {
        wake_.arm();
        if (stopping_) co_return;
        co_await wake_.wait(until);
    }
}

std::chrono::milliseconds Pipeline::jittered(std::chrono::milliseconds time) {
    std::uniform_int_distribution<int64_t> part(time.count() * 4 / 5, time.count());
    return std::chrono::milliseconds(part(random_));
}

Awaitable<void> Pipeline::run() {
    std::chrono::milliseconds backoff = kFirstPause;
    // What the pipeline before this one has parked since make().
    const Result<void> letters = letters_->refresh();
    if (!letters) log_.error("dead letters can't be read", {{"cause", letters.error().detail}});
    while (!stopping_) {
        // Full loads come while the switch is off, too.
        co_await between_batches();
        if (stopping_) break;
        if (!context_.sync_switch.is_on(name())) {
            co_await pause(kSwitchPause);
            continue;
        }
        Result<void> session = co_await feed_.open();
        const SteadyTime since = steady_now();
        if (session) session = co_await begin_writing();
        if (session && !stopping_) {
            stats_.standby = false;
            log_.info("connected", {{"server", feed_.server()}});
            stats_.connected = true;
            stats_.connects.fetch_add(1);
            stats_.set_error({});
            const uint64_t before = stats_.batches.load();
            session = co_await consume();
            const bool good = stats_.batches.load() > before || steady_now() - since > kGoodSession;
            if (good) backoff = kFirstPause;
        }
        stats_.connected = false;
        feed_.close();
        const std::function<void()> written = [this] { context_.sync_switch.end_writing(name()); };
        co_await context_.lane.run(written);
        co_await feed_.release();
        if (session || stopping_) continue;
        if (session.error().code == Errc::Conflict) {
            if (!stats_.standby.exchange(true)) {
                log_.info("standing by", {{"cause", session.error().detail}});
            }
            co_await pause(kStandbyPause);
            continue;
        }
        stats_.standby = false;
        const std::chrono::milliseconds time = jittered(backoff);
        log_.warn(
            "no session with the Canal server",
            {{"cause", session.error().detail}, {"retry_in_ms", time.count()}}
        );
        stats_.set_error(session.error().detail);
        co_await pause(time);
        backoff = doubled(backoff);
    }
    // stop() has reached whoever is inside of a writer still.
    while (callers_ > 0) {
        wake_.arm();
        if (callers_ == 0) break;
        co_await wake_.wait(steady_now() + kRefreshPeriod);
    }
    for (const std::unique_ptr<Target>& target : targets_) co_await target->writer->close();
}

// No other adapter loads in full meanwhile.
Awaitable<Result<void>> Pipeline::begin_writing() {
    Result<bool> may = false;
    const std::function<void()> begin = [this, &may] {
        may = context_.sync_switch.begin_writing(name());
    };
    co_await context_.lane.run(begin);
    if (!may) co_return may.error();
    if (!*may) co_return Error{Errc::Conflict, Retry::Backoff, "another adapter loads in full"};
    co_return Result<void>{};
}

// Until the switch is off, stop(), or an error of the session.
Awaitable<Result<void>> Pipeline::consume() {
    acks_.clear();
    TaskGroup fetching(context_.strand);
    fetching.spawn(context_.strand, fetch(fetched_.data()));
    Result<void> done = co_await deliver_fetched(&fetching);
    // What was fetched and not delivered comes again with the next session.
    feed_.close();
    co_await fetching.wait_for_all();
    co_await drop_ahead();
    co_return done;
}

Awaitable<Result<void>> Pipeline::deliver_fetched(TaskGroup* fetching) {
    for (size_t at = 0;; at ^= 1) {
        co_await fetching->wait_for_all();
        co_await between_batches();
        if (stopping_ || !context_.sync_switch.is_on(name())) co_return Result<void>{};
        const Result<DmlBatch>& batch = fetched_.at(at).batch;
        if (!batch) co_return batch.error();
        ahead_ = false;
        fetching->spawn(context_.strand, fetch(&fetched_.at(at ^ 1)));
        const bool nothing = batch->id.value <= 0;
        if (nothing && !acks_.starves()) continue;
        if (!nothing) acknowledge(acks_.begins(*batch));
        const bool within = nothing ? acks_.shared() : acks_.within_acknowledged();
        if (within && counts_places()) {
            const bool uncounted = co_await stop_counting();
            if (!uncounted) co_return Result<void>{};
        }
        Result<void> sent = co_await feed_.flush();
        if (!sent) co_return sent;
        if (nothing) {
            acknowledge(acks_.release());
        } else {
            if (!batch->dmls.empty()) {
                const bool delivered = co_await deliver(*batch);
                if (!delivered) co_return Result<void>{};
            }
            acknowledge(acks_.written(*batch, counts_places()));
        }
        sent = co_await feed_.flush();
        if (!sent) co_return sent;
    }
}

Awaitable<void> Pipeline::fetch(Fetched* to) {
    to->batch = DmlBatch{};
    const Result<canal::Messages> messages = co_await feed_.receive(&to->memory);
    if (!messages) {
        to->batch = messages.error();
        co_return;
    }
    if (messages->batch_id <= 0) co_return;
    to->batch = to->reader.read(name(), *messages);
    if (to->batch) {
        to->batch->session = stats_.connects.load();
        announce(*to->batch);
    } else {
        to->batch = to->batch.error().in("batch " + std::to_string(messages->batch_id));
    }
}

// Unless something has to be done before it that no batch may be under way meanwhile.
void Pipeline::announce(const DmlBatch& batch) {
    if (batch.dmls.empty() || loads_ > 0 || steady_now() >= next_refresh_) return;
    for (const std::unique_ptr<Target>& target : targets_) {
        const size_t limit = target->writer->part_rows(context_.config.sync_batch_size);
        if (batch.rows + batch.dmls.size() > limit) continue;
        target->writer->look_ahead(batch);
        ahead_ = true;
    }
}

Awaitable<void> Pipeline::drop_ahead() {
    for (const std::unique_ptr<Target>& target : targets_) co_await target->writer->drop_ahead();
    ahead_ = false;
}

bool Pipeline::counts_places() const {
    return std::ranges::any_of(targets_, [](const std::unique_ptr<Target>& target) {
        return target->writer->counts_places();
    });
}

void Pipeline::acknowledge(const HeldAcks::Ids& batches) {
    for (const canal::BatchId batch : batches) {
        feed_.ack(batch);
        stats_.last_batch = batch.value;
        stats_.batches.fetch_add(1);
    }
}

Awaitable<bool> Pipeline::stop_counting() {
    for (const std::unique_ptr<Target>& target : targets_) {
        std::chrono::milliseconds backoff = kFirstPause;
        while (!stopping_) {
            const Result<void> done = co_await target->writer->stop_counting();
            if (done) break;
            const std::chrono::milliseconds time = jittered(backoff);
            report_failure(*target, done.error(), time);
            co_await pause(time);
            backoff = doubled(backoff);
        }
    }
    co_return !stopping_;
}

Awaitable<void> Pipeline::wait_while_loading() {
    while (loads_ > 0 && !stopping_) {
        wake_.arm();
        if (loads_ == 0 || stopping_) co_return;
        co_await wake_.wait(steady_now() + kRefreshPeriod);
    }
}

Awaitable<void> Pipeline::between_batches() {
    // What is under way already is the next batch.
    if (ahead_ || steady_now() < next_refresh_) co_return;
    next_refresh_ = steady_now() + kRefreshPeriod;
    co_await go_on_loading();
    co_await wait_while_loading();
    if (stopping_) co_return;
    busy_ = true;
    co_await refresh_targets();
    if (context_.sync_switch.is_on(name())) co_await retry_letters();
    busy_ = false;
    wake_.notify();
}

Awaitable<void> Pipeline::refresh_targets() {
    for (const std::unique_ptr<Target>& target : targets_) {
        if (stopping_) co_return;
        if (target->opened) {
            co_await target->writer->refresh();
        } else if (steady_now() >= target->next_open) {
            co_await open_target(target.get());
        }
    }
}

// Ahead of the first batch, so that what can't be reached is known, and full loads find it open.
Awaitable<void> Pipeline::open_target(Target* target) {
    const Result<void> opened = co_await target->writer->open();
    target->opened = opened.ok();
    if (opened || stopping_) co_return;
    target->next_open = steady_now() + kLongestPause;
    log_.warn(
        "a target can't be opened",
        {{"group", target->group},
         {"adapter", target->adapter.name},
         {"key", target->adapter.key},
         {"cause", opened.error().detail}}
    );
}

Awaitable<void> Pipeline::retry_letters() {
    const Result<void> read = letters_->refresh();
    if (!read) {
        log_.warn("dead letters can't be read", {{"cause", read.error().detail}});
        co_return;
    }
    if (letters_->size() == 0) co_return;
    for (const Letter& letter : letters_->to_retry()) {
        if (stopping_) co_return;
        co_await retry_letter(letter);
    }
}

Awaitable<void> Pipeline::retry_letter(Letter letter) {
    Result<void> done = Error{Errc::NotFound, Retry::Never, "no adapter of that group and key"};
    for (const std::unique_ptr<Target>& target : targets_) {
        if (target->group != letter.owner.group || target->adapter.key != letter.owner.adapter)
            continue;
        Result<std::unique_ptr<LetterDml>> made = LetterDml::make(letter);
        if (!made) {
            done = std::move(made).error();
            break;
        }
        DmlBatch batch;
        batch.destination = name();
        batch.dmls = std::span<const Dml>(&(*made)->dml(), 1);
        batch.rows = batch.dmls[0].rows.size();
        batch.session = stats_.connects.load();
        batch.only_task = letter.task;
        done = co_await attempt(target.get(), &batch);
    }
    if (!done && (stopping_ || is_connection_error(done.error()))) co_return;
    Result<void> noted =
        done ? letters_->done(letter.id) : letters_->failed(letter.id, done.error().detail);
    if (done) {
        log_.info("a dead letter is written", {{"letter", letter.id}, {"task", letter.task}});
    } else {
        log_.warn(
            "a dead letter was refused again",
            {{"letter", letter.id}, {"task", letter.task}, {"cause", done.error().detail}}
        );
    }
    if (!noted) log_.error("dead letters can't be written", {{"cause", noted.error().detail}});
}

Awaitable<bool> Pipeline::deliver(const DmlBatch& batch) {
    co_await wait_while_loading();
    if (stopping_) co_return false;
    busy_ = true;
    const SteadyTime start = steady_now();
    for (const std::unique_ptr<Target>& target : targets_) target->written = false;
    if (targets_.size() == 1) {
        co_await deliver_to(targets_.front().get(), &batch);
    } else {
        TaskGroup group(context_.strand);
        for (const std::unique_ptr<Target>& target : targets_) {
            group.spawn(context_.strand, deliver_to(target.get(), &batch));
        }
        co_await group.wait_for_all();
    }
    busy_ = false;
    wake_.notify();
    for (const std::unique_ptr<Target>& target : targets_) {
        if (!target->written) co_return false;
    }
    stats_.failing = false;
    stats_.set_error({});
    const auto took =
        std::chrono::duration_cast<std::chrono::microseconds>(steady_now() - start).count();
    stats_.batch_took(static_cast<uint64_t>(took));
    count(batch);
    co_return true;
}

void Pipeline::count(const DmlBatch& batch) {
    uint64_t inserts = 0;
    uint64_t updates = 0;
    uint64_t deletes = 0;
    for (const Dml& dml : batch.dmls) {
        const uint64_t rows = std::max<size_t>(dml.rows.size(), dml.is_ddl ? 1 : 0);
        switch (dml.type) {
            case canal::EventType::Insert: inserts += rows; break;
            case canal::EventType::Update: updates += rows; break;
            case canal::EventType::Delete: deletes += rows; break;
            default: (dml.is_ddl ? stats_.ddls : stats_.others).fetch_add(rows);
        }
    }
    stats_.inserts.fetch_add(inserts);
    stats_.updates.fetch_add(updates);
    stats_.deletes.fetch_add(deletes);
    const int64_t executed = batch.dmls.back().execute_ms;
    stats_.last_execute_ms = executed;
    stats_.lag_ms = wall_ms() - executed;
}

// Once, opening the writer when it is not.
Awaitable<Result<void>> Pipeline::attempt(Target* target, const DmlBatch* batch) {
    if (!target->opened) {
        Result<void> opened = co_await target->writer->open();
        if (!opened) co_return opened;
        target->opened = true;
    }
    Result<void> written = co_await target->writer->write(*batch);
    if (!written && is_connection_error(written.error())) target->opened = false;
    co_return written;
}

// In parts of as many rows as its writer wants; what one statement changed stays together.
Awaitable<void> Pipeline::deliver_to(Target* target, const DmlBatch* batch) {
    const size_t limit = target->writer->part_rows(context_.config.sync_batch_size);
    const bool whole = batch->rows + batch->dmls.size() <= limit;
    for (size_t at = 0; at < batch->dmls.size();) {
        DmlBatch part = *batch;
        size_t end = whole ? batch->dmls.size() : at;
        if (!whole) part.rows = 0;
        while (end < batch->dmls.size() && part.rows < limit) {
            part.rows += std::max<size_t>(batch->dmls[end++].rows.size(), 1);
        }
        part.dmls = batch->dmls.subspan(at, end - at);
        at = end;
        const bool written = co_await deliver_part(target, &part);
        if (!written) co_return;
    }
    target->written = true;
}

Awaitable<bool> Pipeline::deliver_part(Target* target, const DmlBatch* part) {
    std::chrono::milliseconds backoff = kFirstPause;
    while (!stopping_) {
        const Result<void> written = co_await attempt(target, part);
        if (written) co_return true;
        if (stopping_) break;
        const std::chrono::milliseconds time = jittered(backoff);
        report_failure(*target, written.error(), time);
        co_await pause(time);
        backoff = doubled(backoff);
        // What is in the way may be a mapping that was corrected meanwhile.
        if (target->opened && !stopping_) co_await target->writer->refresh();
    }
    co_return false;
}

void Pipeline::report_failure(Target& target, const Error& error, std::chrono::milliseconds pause) {
    stats_.retries.fetch_add(1);
    stats_.failing = true;
    stats_.set_error(target.adapter.key + ": " + error.detail);
    log_.error(
        "a batch is not written, it is tried again",
        {{"group", target.group},
         {"adapter", target.adapter.name},
         {"key", target.adapter.key},
         {"cause", error.detail},
         {"retry_in_ms", pause.count()}}
    );
}

void Pipeline::stop() {
    stopping_ = true;
    for (const std::unique_ptr<Target>& target : targets_) target->writer->stop();
    feed_.close();
    wake_.notify();
}

}  // namespace obcanal::adapter::core
