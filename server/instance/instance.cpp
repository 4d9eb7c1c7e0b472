#include "server/instance/instance.h"

#include "protocol/base/clock.h"
#include "protocol/net/run_on.h"
#include "server/filter/table_filter.h"
#include "server/instance/source_failures.h"
#include "server/source/registry.h"

#include <algorithm>
#include <limits>
#include <random>
#include <utility>

namespace obcanal::instance {

using canal::BatchId;
using canal::ClientId;
using canal::LogPosition;

namespace {

store::RingLimits ring_limits(const config::InstanceConfig& config) {
    return {
        config.memory_buffer_size,
        config.memory_buffer_size * config.memory_buffer_memunit,
        config.ddl_isolation
    };
}

store::TxnBufferOptions buffer_options(const config::InstanceConfig& config) {
    return {config.transaction_size, config.filter_transaction_entry};
}

// Heartbeats move cursors of quiet destinations; each move is a disk sync, and nobody resumes from
// so fresh a checkpoint.
constexpr std::chrono::seconds kIdleCursorPeriod{10};
// A source that has not begun yet is looked at so often.
constexpr std::chrono::milliseconds kStartPeriod{250};
// Acks that could not be written are tried again.
constexpr std::chrono::milliseconds kWriteAgain{100};
// So long after its last request a client is taken to be there still.
constexpr std::chrono::seconds kUsedFor{60};

// How far a source has come: transactions, and its last heartbeat.
using Progress = std::pair<uint64_t, int64_t>;

source::PositionTracker::Consumed consumed(const store::Slot& slot) {
    return {*slot.txn, slot.rows_done, slot.completes, slot.offset, slot.execute_ms};
}

std::chrono::milliseconds with_jitter(std::chrono::milliseconds delay) {
    thread_local std::minstd_rand random{std::random_device{}()};
    std::uniform_int_distribution<int64_t> extra(0, delay.count() / 4);
    return delay + std::chrono::milliseconds(extra(random));
}

}  // namespace

Instance::Instance(Parts parts)
    : config_(std::move(parts.config)),
      log_(config_.destination),
      strand_(std::move(parts.instance_strand)),
      feed_strand_(std::move(parts.feed_strand)),
      lane_(*parts.lane),
      meta_lane_(parts.meta_lane == nullptr ? *parts.lane : *parts.meta_lane),
      flush_period_(parts.flush_period),
      make_source_(std::move(parts.make_source)),
      meta_(std::move(parts.meta)),
      ledger_(config_.destination),
      pool_(ChunkPool::make()),
      ring_(ring_limits(config_), feed_strand_, strand_),
      feed_(ring_, pool_, buffer_options(config_), source::logfile_name(config_)),
      tasks_(strand_),
      stopping_(strand_),
      acked_news_(strand_),
      feed_stopping_(feed_strand_),
      taken_(std::chrono::milliseconds(config_.get_linger_ms)) {}

Instance::~Instance() = default;

void Instance::note_failure(std::string cause) {
    const std::lock_guard lock(failure_mutex_);
    failure_ = std::move(cause);
}

Awaitable<InstanceStatus> Instance::status() {
    const std::shared_ptr<Instance> self = shared_from_this();
    InstanceStatus status;
    status.destination = config_.destination;
    const Result<void> ours = meta_->held();
    status.phase = source_failed_.load() || !ours ? Phase::Failed : phase_.load();
    status.source = config_.source;
    if (source_) {
        const source::SourceState& state = source_->state();
        status.connected = state.connected.load();
        status.place = state.place();
        status.source_bytes = state.bytes.load();
        status.source_records = state.records.load();
        status.source_connections = state.connections.load();
        status.repeated_transactions = state.repeated_transactions.load();
        status.unnamed_tables = state.unnamed_tables.load();
    }
    if (!status.connected) {
        const std::lock_guard lock(failure_mutex_);
        status.failure = failure_;
    }
    if (!ours) status.failure = ours.error().detail;
    status.filter_limits = earlier_filter_limits_;
    if (filter_) status.filter_limits += filter_->current()->limits_exceeded();
    status.transactions = feed_.transactions();
    status.checkpoint_us = feed_.checkpoint().us;
    status.put = {
        ring_.published().value, ring_.put_rows(), ring_.put_bytes(), feed_.newest_execute_ms()
    };
    status.got = got_;
    status.acked = acked_;
    status.blocked_ns = ring_.blocked_ns();
    status.ring_slots = ring_.limits().slots;
    status.ring_bytes = ring_.limits().bytes;
    status.memory_bytes = pool_->in_use();
    status.batch_mode = config_.batch_mode;
    status.requests = client_counters_.values();
    const int64_t now_ms = wall_ms();
    for (const meta::Subscription& one : ledger_.subscriptions()) {
        const std::optional<LogPosition> cursor = meta_->cursor(one.client);
        status.clients.push_back(
            {one.client, one.filter, cursor, ledger_.open_batches(one.client).size()}
        );
        if (!source_ || !cursor) continue;
        const std::optional<double> hours = source_->hours_left(*cursor, now_ms);
        if (hours && *hours < status.purge_hours.value_or(*hours + 1)) status.purge_hours = hours;
    }
    co_return status;
}

bool Instance::in_use() const {
    if (waiting_gets_.load() > 0) return true;
    const SteadyTime::rep at = used_at_.load();
    return at != 0 && steady_now() - SteadyTime(SteadyTime::duration(at)) < kUsedFor;
}

Result<void> Instance::check_running() {
    used_at_.store(steady_now().time_since_epoch().count());
    const bool running = phase_.load() == Phase::Running;
    const Result<void> ours = running ? meta_->held() : Result<void>();
    if (running && ours) return {};
    std::string detail = "destination:" + config_.destination + " should start first";
    if (!ours) detail += ": " + ours.error().detail;
    return Error{Errc::NotFound, Retry::Backoff, std::move(detail)};
}

std::optional<std::string> Instance::displaced() const {
    const Result<void> ours = meta_->held();
    if (ours || ours.error().code != Errc::Conflict) return std::nullopt;
    return ours.error().detail;
}

Result<void> Instance::use_filter(const std::string& expression) {
    auto compiled = filter::TableFilter::compile(expression, config_.filter_black_regex);
    if (!compiled) return std::move(compiled).error();
    auto shared = std::make_shared<const filter::TableFilter>(std::move(compiled).value());
    if (filter_) {
        earlier_filter_limits_ += filter_->current()->limits_exceeded();
        filter_->replace(std::move(shared));
    } else {
        filter_ = std::make_shared<source::LiveFilter>(std::move(shared));
    }
    return {};
}

Result<void> Instance::subscribe_known(const meta::ClientTable& table) {
    if (!table.clients.empty()) used_at_.store(steady_now().time_since_epoch().count());
    for (const meta::ClientRecord& client : table.clients) {
        ledger_.subscribe(client.id, client.filter);
        if (!client.filter || client.filter->empty()) continue;
        Result<void> own = use_filter(*client.filter);
        if (!own) {
            Error error =
                std::move(own).error().in("filter of client " + std::to_string(client.id.value));
            error.retry = Retry::Backoff;  // another client, or a person, may replace it
            return error;
        }
        log_.info(
            "a subscribed client's filter replaces the configured one",
            {{"client", client.id.value}, {"filter", *client.filter}}
        );
    }
    return {};
}

Awaitable<Result<void>> Instance::start() {
    const std::shared_ptr<Instance> self = shared_from_this();
    phase_.store(Phase::Failed);
    Result<void> filtered = use_filter(config_.filter_regex);
    if (!filtered) co_return std::move(filtered).error().in("canal.instance.filter.regex");
    // In a cluster load() tells everybody that we serve: nothing that can be done before is left.
    Result<std::unique_ptr<source::Source>> made =
        make_source_(config_, filter_, meta_lane_, meta_->schema_store());
    if (!made) co_return std::move(made).error();
    source_ = std::move(made).value();
    Result<meta::ClientTable> table = meta::ClientTable{};
    const auto load = [this, &table] { table = meta_->load(); };
    co_await meta_lane_.run(load);
    if (!table) co_return std::move(table).error();
    if (Result<void> prepared = subscribe_known(*table); !prepared) {
        // Another server may be able to serve.
        const std::function<Result<void>()> close = [this] { return meta_->close(); };
        const Result<void> closed = co_await on_lane(close);
        if (!closed) log_.warn("cursors not released", {{"cause", closed.error().detail}});
        co_return prepared;
    }

    std::optional<LogPosition> from;
    if (const LogPosition* cursor = meta::earliest_cursor(*table)) from = *cursor;
    tracker_ = source_->tracker(from);
    if (from) {
        log_.info(
            "start behind the first cursor",
            {{"journal", from->journal_name},
             {"position", from->position},
             {"timestamp", from->timestamp_ms},
             {"gtid", from->gtid}}
        );
    } else {
        log_.info("no cursor, start as configured");
    }
    resumed_ = from.has_value();
    start_kept_ = resumed_ || !meta_->keeps_start();
    phase_.store(Phase::Running);
    tasks_.spawn(feed_strand_, feed_loop(std::move(from)));
    tasks_.spawn(strand_, flush_loop());
    if (meta_->durable_acks()) tasks_.spawn(strand_, write_acks());
    co_return Result<void>{};
}

Awaitable<void> Instance::feed_loop(std::optional<LogPosition> from) {
    const std::shared_ptr<Instance> self = shared_from_this();
    const std::chrono::milliseconds least(config_.retry_min_ms);
    const std::chrono::milliseconds most(config_.retry_max_ms);
    std::chrono::milliseconds delay = least;
    SourceFailures failures;
    while (!stop_requested_.load()) {
        const Progress before{feed_.transactions(), feed_.checkpoint().order};
        const Error error = co_await source_->run(from, feed_);
        feed_.drop_open();
        if (stop_requested_.load()) break;
        note_failure(error.detail);
        if (error.retry == Retry::Never) {
            log_.error(
                "the source stopped for good",
                {{"cause", error.detail}, {"kind", errc_name(error.code)}}
            );
            source_failed_.store(true);  // what is in the ring is served on
            break;
        }
        // What a source sends again and again before it fails is no progress.
        if (before != Progress{feed_.transactions(), feed_.checkpoint().order}) {
            delay = least;
            failures.forget();
        }
        const std::chrono::milliseconds pause = with_jitter(delay);
        const SourceFailures::Say say = failures.add(error.detail, steady_now());
        if (say == SourceFailures::Say::Cause) {
            log_.warn(
                "source lost, trying again", {{"cause", error.detail}, {"in_ms", pause.count()}}
            );
        } else if (say == SourceFailures::Say::Summary) {
            log_.warn(
                "source still failing",
                {{"attempts", failures.attempts()},
                 {"causes", failures.causes()},
                 {"latest", error.detail},
                 {"in_ms", pause.count()}}
            );
        }
        delay = std::min(delay * 2, most);
        feed_stopping_.arm();
        if (stop_requested_.load()) break;
        co_await feed_stopping_.wait(steady_now() + pause);
    }
}

Awaitable<void> Instance::flush_loop() {
    const std::shared_ptr<Instance> self = shared_from_this();
    while (!stop_requested_.load()) {
        stopping_.arm();
        if (stop_requested_.load()) break;
        const auto pause = start_kept_ ? flush_period_ : std::min(flush_period_, kStartPeriod);
        co_await stopping_.wait(steady_now() + pause);
        if (stop_requested_.load()) break;
        if (!start_kept_) keep_start();
        if (steady_now() - idle_cursors_moved_ >= kIdleCursorPeriod) advance_idle_cursors();
        if (!meta_->dirty()) continue;
        const std::function<Result<void>()> flush = [this] { return meta_->flush(); };
        const Result<void> flushed = co_await on_lane(flush);
        note_flush(flushed);
    }
}

void Instance::note_flush(const Result<void>& flushed) {
    if (!flushed && !cursors_failed_)
        log_.error("cursors can't be written", {{"cause", flushed.error().detail}});
    if (flushed && cursors_failed_) log_.info("cursors are written again");
    cursors_failed_ = !flushed.ok();
}

// One write at a time, with all acks that have come during the one before.
Awaitable<void> Instance::write_acks() {
    const std::shared_ptr<Instance> self = shared_from_this();
    while (!stop_requested_.load()) {
        acked_news_.arm();
        if (stop_requested_.load()) break;
        if (acks_written_ == acks_) {
            co_await acked_news_.wait(SteadyTime::max());
            continue;
        }
        const uint64_t upto = acks_;
        const std::function<Result<void>()> flush = [this] { return meta_->flush(); };
        const Result<void> flushed = co_await on_lane(flush);
        note_flush(flushed);
        if (flushed) {
            acks_written_ = upto;
            ring_.readable().notify();
            continue;
        }
        acked_news_.arm();
        if (stop_requested_.load()) break;
        co_await acked_news_.wait(steady_now() + kWriteAgain);
    }
}

Awaitable<Result<void>> Instance::on_lane(std::function<Result<void>()> call) {
    Result<void> result;
    const auto work = [&call, &result] { result = call(); };
    co_await meta_lane_.run(work);
    co_return result;
}

std::optional<LogPosition> Instance::known_position() const {
    const bool consumed = ring_.acked().value >= 0 || checkpoint_order_ > 0;
    if (consumed || (resumed_ && meta_->keeps_start())) return tracker_->position();
    if (!meta_->keeps_start()) return std::nullopt;
    return source_->state().began();
}

// Before anything is consumed, so that whoever takes over goes on there.
void Instance::keep_start() {
    const std::optional<LogPosition> known = known_position();
    if (!known) return;
    start_kept_ = true;
    bool any = false;
    for (const meta::Subscription& subscription : ledger_.subscriptions()) {
        any = true;
        if (meta_->cursor(subscription.client)) continue;
        const Result<void> saved = meta_->save_cursor(subscription.client, *known);
        if (!saved) log_.error("cursor can't be saved", {{"cause", saved.error().detail}});
    }
    if (!any) meta_->save_start(*known);
}

void Instance::advance_idle_cursors() {
    idle_cursors_moved_ = steady_now();
    const Checkpoint latest = feed_.checkpoint();
    if (latest.order <= checkpoint_order_ || ring_.acked() < latest.after) return;
    checkpoint_order_ = latest.order;
    tracker_->checkpoint(latest.order);
    if (ledger_.subscriptions().empty()) meta_->save_start(tracker_->position());
    for (const meta::Subscription& subscription : ledger_.subscriptions()) {
        if (!ledger_.open_batches(subscription.client).empty()) continue;
        const Result<void> saved = meta_->save_cursor(subscription.client, tracker_->position());
        if (!saved) log_.error("cursor can't be saved", {{"cause", saved.error().detail}});
    }
}

Awaitable<void> Instance::end_feed() {
    if (source_) source_->stop();
    co_return;
}

Awaitable<void> Instance::stop() {
    const std::shared_ptr<Instance> self = shared_from_this();
    if (stop_requested_.exchange(true)) co_return;
    phase_.store(Phase::Stopped);
    ring_.stop();
    stopping_.notify();
    acked_news_.notify();
    feed_stopping_.notify();
    co_await run_on(feed_strand_, end_feed());
    co_await tasks_.wait_for_all();
    if (tracker_) advance_idle_cursors();
    const std::function<Result<void>()> close = [this] { return meta_->close(); };
    const Result<void> closed = co_await on_lane(close);
    if (!closed) log_.error("cursors can't be written", {{"cause", closed.error().detail}});
    log_.info("stopped");
}

Awaitable<Result<void>> Instance::subscribe(ClientId client, std::string filter) {
    const std::shared_ptr<Instance> self = shared_from_this();
    if (Result<void> running = check_running(); !running) co_return running;
    if (!filter.empty()) {
        Result<void> used = use_filter(filter);
        if (!used) co_return used;
        log_.info(
            "a client's filter replaces the one in force for all",
            {{"client", client.value}, {"filter", filter}}
        );
    }
    ledger_.subscribe(client, filter);
    const std::function<Result<void>()> store = [this, client, &filter] {
        return meta_->subscribe(client, filter);
    };
    Result<void> stored = co_await on_lane(store);
    if (!stored) co_return stored;
    const std::optional<LogPosition> known = known_position();
    if (!meta_->cursor(client) && known) co_return meta_->save_cursor(client, *known);
    co_return Result<void>{};
}

Awaitable<Result<void>> Instance::unsubscribe(ClientId client) {
    const std::shared_ptr<Instance> self = shared_from_this();
    if (Result<void> running = check_running(); !running) co_return running;
    ledger_.unsubscribe(client);
    const std::function<Result<void>()> remove = [this, client] {
        return meta_->unsubscribe(client);
    };
    Result<void> removed = co_await on_lane(remove);
    co_return removed;
}

Result<void> Instance::ack_entries(const meta::OpenBatch& batch) {
    // Another client of this destination may have acknowledged or rolled back past it: they share
    // one ring.
    if (batch.last <= ring_.acked() || batch.last >= next_) {
        return Error{
            Errc::Conflict,
            Retry::Never,
            "no match ack position" + canal::to_json(tracker_->position(), false)
        };
    }
    // Slots stay while they are visited, no longer.
    const store::Slot last = ring_.slot(batch.last);
    const store::Slot* previous = nullptr;
    const auto visit = [this, &previous](const store::Slot& slot) {
        const bool other = previous != nullptr && previous->txn != slot.txn;
        if (other) tracker_->consumed(consumed(*previous));
        if (slot.completes) tracker_->consumed(consumed(slot));
        previous = slot.completes ? nullptr : &slot;
    };
    ring_.ack(batch.last, visit);
    acked_ = {batch.last.value, last.end_rows, last.end_bytes, last.execute_ms};
    if (previous != nullptr) tracker_->consumed(consumed(last));
    return {};
}

Awaitable<Result<void>> Instance::ack(ClientId client, BatchId batch) {
    const std::shared_ptr<Instance> self = shared_from_this();
    if (Result<void> running = check_running(); !running) co_return running;
    Result<meta::OpenBatch> acked = ledger_.ack(client, batch);
    if (!acked) co_return std::move(acked).error();
    Result<void> freed = ack_entries(*acked);
    if (!freed) co_return freed;
    Result<void> saved = meta_->save_cursor(client, tracker_->position());
    if (!saved || !meta_->durable_acks()) co_return saved;
    latest_ack_[client] = ++acks_;
    acked_news_.notify();
    co_return saved;
}

Awaitable<Result<void>> Instance::rollback(ClientId client, BatchId batch) {
    const std::shared_ptr<Instance> self = shared_from_this();
    if (Result<void> running = check_running(); !running) co_return running;
    bool moved = false;
    if (batch.value == 0) {
        moved = ledger_.rollback(client);
        // Gets that wait now are of other connections: of a session that this one replaces, whose
        // end may not be known here. They must not take what this one is to get.
        if (moved) ++rollbacks_[client];
        ring_.readable().notify();
    } else {
        Result<bool> one = ledger_.rollback(client, batch);
        if (!one) co_return std::move(one).error();
        moved = *one;
    }
    if (moved) next_ = ring_.acked().next();
    co_return Result<void>{};
}

}  // namespace obcanal::instance
