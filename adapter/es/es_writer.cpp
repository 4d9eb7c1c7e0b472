#include "adapter/es/es_writer.h"

#include "adapter/core/json_text.h"
#include "protocol/base/json.h"
#include "protocol/net/asio.h"

#include <algorithm>
#include <functional>

namespace obcanal::adapter::es {

namespace {

// Between two looks at an index of which a field is not known.
constexpr std::chrono::milliseconds kLookPeriod{3'000};
// As many are worth to begin with, while more may come.
constexpr size_t kFeedOps = 1'000;
// Documents of which what they are made of is held at once.
constexpr size_t kWaveOps = 20'000;

core::RefusedChange refused(const DocumentChange& change, std::string cause) {
    core::RefusedChange letter;
    letter.task = change.plan->task->task;
    letter.cause = std::move(cause);
    letter.dml = change.cause;
    letter.row = change.row;
    return letter;
}

// An error that a key of the configuration may be at fault for, with that key.
Error with_key(Error error) {
    if (error.code != Errc::Auth) return error;
    const bool answered = error.detail.find("GET /: status") != std::string::npos;
    error.detail += answered
                        ? " (see security.auth, security.apiKey)"
                        : " (see security.ca.path: the CA that the hosts' certificates are of)";
    return error;
}

std::string task_of(const BulkOp& op) { return op.target->plan->task->task + ": "; }

}  // namespace

Result<std::unique_ptr<core::Writer>> make_es_writer(const core::WriterContext& context) {
    Result<EsOptions> options = read_es_options(context.adapter);
    if (!options) return std::move(options).error();
    Result<std::unique_ptr<EsClient>> client = EsClient::open(*options);
    if (!client) return std::move(client).error();
    std::unique_ptr<core::Writer> writer =
        std::make_unique<EsWriter>(context, std::move(options).value(), std::move(client).value());
    return writer;
}

EsWriter::EsWriter(
    const core::WriterContext& context, EsOptions options, std::unique_ptr<EsClient> client
)
    : options_(std::move(options)),
      destination_(context.destination),
      strand_(context.strand),
      mappings_(
          context.mapping_dir(),
          config::MappingOwner{context.adapter, context.destination, context.group},
          context.placeholders,
          &read_es_task
      ),
      dead_letters_(context.dead_letters),
      client_(std::move(client)),
      planner_(context.config, context.strand),
      bulk_(*client_, options_.http.connections, context.strand, counts_),
      tasks_(context.strand),
      turn_(context.strand),
      loads_(context.config.data_dir, context.destination, context.group, context.adapter.key) {
    for (const std::string& warning : options_.warnings) log_.warn(warning);
}

EsWriter::~EsWriter() = default;

// -- mappings and indexes

void EsWriter::load_mappings() {
    OBC_ASSERT(!ahead_);
    auto refreshed = mappings_.refresh();
    core::log_findings(log_, refreshed.findings);
    if (!refreshed.changed) return;
    targets_.clear();
    plans_.clear();
    std::vector<const EsTask*> tasks;
    for (const EsTask* const task : mappings_.mappings()) {
        tasks.push_back(task);
    }
    planner_.set_tasks(tasks);
}

Awaitable<Result<void>> EsWriter::open() {
    load_mappings();
    indexes_.clear();
    targets_.clear();
    plans_.clear();
    Result<void> connected = co_await client_->connect();
    if (!connected) co_return with_key(std::move(connected).error());
    if (!connected_) {
        const EsServer& server = client_->server();
        log_.info(
            "connected",
            {{"server", server.opensearch ? "OpenSearch" : "Elasticsearch"},
             {"version", server.version}}
        );
        connected_ = true;
    }
    Result<void> taken = co_await take_up_rebuilds();
    if (!taken) co_return taken;
    co_return co_await planner_.open();
}

Awaitable<void> EsWriter::refresh() {
    load_mappings();
    co_await switch_rebuilt();
}

Awaitable<void> EsWriter::close() { co_return; }

bool EsWriter::has_task(const std::string& task) const { return mappings_.find(task) != nullptr; }

void EsWriter::stop() {
    stopped_ = true;
    client_->stop();
    bulk_.stop();
    planner_.stop();
    turn_.notify();
}

Awaitable<Result<void>> EsWriter::look_at_index(std::string index, std::string type) {
    KnownIndex known;
    known.at = steady_now();
    Result<IndexMapping> mapping = co_await client_->mapping(index, type);
    if (mapping) {
        known.mapping = std::move(mapping).value();
    } else if (mapping.error().code != Errc::NotFound) {
        co_return std::move(mapping).error();
    }
    indexes_.insert_or_assign(index, std::move(known));
    co_return Result<void>();
}

std::string EsWriter::type_of(const MappingPlan& plan) const {
    if (!client_->server().has_types()) return {};
    return plan.task->type.empty() ? "_doc" : plan.task->type;
}

Awaitable<Result<const DocumentTarget*>> EsWriter::target_of(const MappingPlan* plan) {
    const auto found = targets_.find(plan);
    if (found != targets_.end()) co_return found->second.get();
    auto target = std::make_unique<DocumentTarget>();
    target->plan = plan;
    const auto rebuilt = overrides_.find(plan->task->index);
    target->index = rebuilt == overrides_.end() ? plan->task->index : rebuilt->second;
    target->type = type_of(*plan);
    if (!indexes_.contains(target->index)) {
        Result<void> looked = co_await look_at_index(target->index, target->type);
        if (!looked) co_return std::move(looked).error();
    }
    const IndexMapping& mapping = indexes_.at(target->index).mapping;
    target->look_index = mapping.written.empty() ? target->index : mapping.written;
    target->text = std::make_unique<DocumentText>(*plan, mapping, options_.zone);
    const DocumentTarget* const made = target.get();
    plans_.insert_or_assign(plan, target->index);
    targets_.insert_or_assign(plan, std::move(target));
    co_return made;
}

bool EsWriter::shares_index(const MappingPlan& plan) const {
    return std::ranges::any_of(mappings_.mappings(), [&plan](const EsTask* other) {
        return other->task != plan.task->task && other->index == plan.task->index;
    });
}

Awaitable<Result<void>> EsWriter::look_at_owned() {
    owned_.clear();
    owned_plans_ = plans_.size();
    if (!options_.whole_documents) co_return Result<void>();
    for (const auto& [plan, index] : plans_) {
        if (plan->task->upsert || plan->by_pk || shares_index(*plan)) continue;
        const auto known = indexes_.find(index);
        if (known == indexes_.end() || steady_now() - known->second.at >= kLookPeriod) {
            Result<void> looked = co_await look_at_index(index, type_of(*plan));
            if (!looked) co_return looked;
        }
        if (owns_documents(*plan, indexes_.at(index).mapping)) owned_.insert(plan->task->task);
    }
    co_return Result<void>();
}

// Ops under way point to them.
void EsWriter::retire_targets() {
    for (auto& [plan, target] : targets_) retired_.push_back(std::move(target));
    targets_.clear();
}

// Between batches: ops point to targets, and plans may have been made anew.
void EsWriter::forget_targets() {
    OBC_ASSERT(!ahead_);
    const SteadyTime now = steady_now();
    for (const auto& [plan, target] : targets_) {
        const auto known = indexes_.find(target->index);
        if (known != indexes_.end() && target->text->has_unknown() &&
            now - known->second.at >= kLookPeriod)
            indexes_.erase(known);
    }
    targets_.clear();
    retired_.clear();
}

// -- batches

Awaitable<Result<void>> EsWriter::write_blocks(Work* work) {
    BulkWave* const wave = &work->wave;
    for (;;) {
        std::vector<DocumentChange> changes;
        const Result<bool> more = co_await planner_.next(changes);
        if (!more) co_return more.error();
        if (work->cancelled) co_return Error{Errc::Stopped, Retry::Never, "stopped"};
        if (!*more) co_return Result<void>();
        const std::vector<DocumentChange>& kept = wave->keep(std::move(changes));
        Result<void> written = co_await add_changes(&kept, wave);
        if (!written) co_return written;
        // What they are made of can go.
        if (wave->ops().size() >= kWaveOps) written = co_await flush(wave);
        if (!written) co_return written;
    }
}

Awaitable<Result<void>> EsWriter::write_changes(const std::vector<DocumentChange>* changes) {
    BulkWave wave;
    Result<void> done = co_await add_changes(changes, &wave);
    done = co_await end_wave(&wave, std::move(done));
    co_return done;
}

// Writes what is left in the wave, or leaves it alone after an Error.
Awaitable<Result<void>> EsWriter::end_wave(BulkWave* wave, Result<void> done) {
    if (done) co_return co_await flush(wave);
    co_await bulk_.abandon(wave);
    co_return done;
}

Awaitable<Result<void>> EsWriter::add_changes(
    const std::vector<DocumentChange>* changes, BulkWave* wave
) {
    for (const DocumentChange& change : *changes) {
        if (!only_task_.empty() && change.plan->task->task != only_task_) continue;
        const auto known = targets_.find(change.plan);
        const bool plain = !parks(change) && !change.plan->by_pk &&
                           change.kind != ChangeKind::Truncate && known != targets_.end() &&
                           is_free(*wave, *known->second, change);
        if (plain && wave->add(*known->second, change)) continue;
        Result<void> written = co_await await_turn(wave);
        if (written) written = co_await write_change(&change, wave);
        if (!written) co_return written;
    }
    if (wave->waiting() < kFeedOps) co_return Result<void>();
    co_return co_await bulk_.feed(wave);
}

bool EsWriter::parks(const DocumentChange& change) const {
    return change.plan->task->on_error == config::OnError::Park && only_task_.empty() &&
           change.cause != nullptr;
}

Awaitable<Result<void>> EsWriter::write_change(const DocumentChange* change, BulkWave* wave) {
    if (parks(*change) && dead_letters_.has_earlier(refused(*change, {}))) {
        co_return co_await park(change, "waits behind an earlier change of its key");
    }
    const Result<const DocumentTarget*> target = co_await target_of(change->plan);
    if (!target) co_return target.error();
    const bool by_pk = change->plan->by_pk;
    if (!by_pk && change->kind != ChangeKind::Truncate && wave->add(**target, *change)) {
        co_return Result<void>();
    }
    Result<void> flushed = co_await flush(wave);
    if (!flushed) co_return flushed;
    if (change->kind == ChangeKind::Truncate) co_return co_await truncate(*target);
    if (by_pk) co_return co_await write_by_pk(change);
    // flush() may have made another target of it.
    const Result<const DocumentTarget*> again = co_await target_of(change->plan);
    if (!again) co_return again.error();
    wave->add(**again, *change);
    co_return Result<void>();
}

Awaitable<Result<void>> EsWriter::flush(BulkWave* wave) {
    std::vector<DocumentChange> missing;
    Result<void> sent = co_await send(wave, &missing);
    if (!sent || missing.empty()) co_return sent;
    co_return co_await write_missing(std::move(missing));
}

// `missing`: updates that found no document.
Awaitable<Result<void>> EsWriter::send(BulkWave* wave, std::vector<DocumentChange>* missing) {
    Result<void> sent = co_await bulk_.finish(wave);
    if (!sent) co_return sent;
    bool any_refused = false;
    for (const BulkOp& op : wave->ops()) {
        if (op.outcome == ItemOutcome::Missing) missing->push_back(*op.changes.back());
        any_refused = any_refused || op.outcome == ItemOutcome::Refused;
    }
    if (!missing->empty() || any_refused) {
        sent = co_await await_turn(wave);
        if (!sent) co_return sent;
        Work* const work = ahead_ && wave == &ahead_->wave ? ahead_.get() : current_.get();
        if (work != nullptr) work->settling = true;
    }
    // Only now: while it waits, the wave is asked for what it has.
    std::vector<BulkOp> refused;
    for (BulkOp& op : wave->ops()) {
        if (op.outcome == ItemOutcome::Refused) refused.push_back(std::move(op));
    }
    wave->clear();
    for (BulkOp& op : refused) {
        Result<void> settled = co_await settle_refused(std::move(op));
        if (!settled) co_return settled;
    }
    co_return sent;
}

Awaitable<Result<void>> EsWriter::write_missing(std::vector<DocumentChange> changes) {
    Result<void> made = co_await planner_.make_whole(changes);
    if (!made) co_return made;
    BulkWave wave;
    for (const DocumentChange& change : changes) {
        if (change.kind == ChangeKind::Update) {
            co_return Error{
                Errc::Refused,
                Retry::Backoff,
                change.plan->task->task + ": _id " + change.id +
                    " is missing, and its row is not "
                    "known whole"
            };
        }
        Result<void> added = co_await write_change(&change, &wave);
        if (!added) co_return added;
    }
    co_return co_await flush(&wave);
}

// -- refusals

// The index may be another than the one that the text was made for; then by what it is made of;
// and then it is parked, or in the way.
Awaitable<Result<void>> EsWriter::settle_refused(BulkOp op) {
    if (!fresh_) {
        fresh_ = true;
        indexes_.clear();
        retire_targets();
    } else if (op.changes.size() - op.from == 1) {
        const DocumentChange* const change = op.changes.back();
        std::string cause = describe_op(op);
        if (!parks(*change)) {
            co_return Error{Errc::Refused, Retry::Backoff, task_of(op) + cause};
        }
        for (const DocumentChange* const earlier : op.changes) {
            Result<void> parked = co_await park(earlier, cause);
            if (!parked) co_return parked;
        }
        co_return Result<void>();
    }
    for (size_t i = op.from; i < op.changes.size(); ++i) {
        Result<void> written = co_await write_alone(op.changes[i]);
        if (!written) co_return written;
    }
    co_return Result<void>();
}

Awaitable<Result<void>> EsWriter::write_alone(const DocumentChange* change) {
    BulkWave wave;
    Result<void> added = co_await write_change(change, &wave);
    if (!added) co_return added;
    co_return co_await flush(&wave);
}

Awaitable<Result<void>> EsWriter::park(const DocumentChange* change, std::string cause) {
    counts_.parked++;
    const core::RefusedChange letter = refused(*change, std::move(cause));
    Result<void> parked;
    const std::function<void()> call = [&] { parked = dead_letters_.park(letter); };
    co_await letters_lane_.run(call);
    co_return parked;
}

std::vector<std::string> EsWriter::tasks() const {
    std::vector<std::string> names;
    for (const EsTask* const task : mappings_.mappings()) names.push_back(task->task);
    return names;
}

std::vector<core::WriterCounter> EsWriter::counters() const {
    return {
        {"es_documents", "Documents written, by one action each.", counts_.documents},
        {"es_bulks", "Bulks that were answered.", counts_.bulks},
        {"es_ahead", "Batches begun with before the one before was written.", counts_.ahead},
        {"es_ahead_waited", "Of these, those that had to wait for the one before.", counts_.waited},
        {"es_retried", "Actions that the server was too busy for, sent again.", counts_.tried_again
        },
        {"es_looked_at", "Documents looked at before fields were put into them.", counts_.looked_at
        },
        {"es_stale", "Actions whose document was another by then.", counts_.stale},
        {"es_missing", "Updates that found no document.", counts_.missing},
        {"es_refused", "Actions that the server refused for a cause of their own.", counts_.refused
        },
        {"es_parked", "Changes that went to the dead letters.", counts_.parked},
    };
}

Awaitable<Result<core::TaskCount>> EsWriter::count(std::string task) {
    const EsTask* const mapping = mappings_.find(task);
    if (mapping == nullptr) {
        co_return Error{Errc::NotFound, Retry::Never, "no mapping " + task};
    }
    core::TaskCount result;
    result.label_key = "esIndex";
    result.label = mapping->index;
    const Result<uint64_t> counted = co_await client_->count(mapping->index);
    if (!counted) co_return counted.error();
    result.count = *counted;
    co_return result;
}

}  // namespace obcanal::adapter::es
