#include "adapter/es/bulk.h"

#include "protocol/base/clock.h"
#include "protocol/base/text.h"
#include "protocol/net/asio.h"

#include <algorithm>
#include <array>

namespace obcanal::adapter::es {

using namespace std::chrono_literals;

namespace {

constexpr std::chrono::milliseconds kFirstPause = 50ms;
constexpr std::chrono::milliseconds kLongestPause = 5s;
// Without any action that got through; then the batch is given back, which says so in the log.
constexpr std::chrono::milliseconds kPatience = 30s;
constexpr std::chrono::milliseconds kSlow = 3s;
constexpr std::chrono::milliseconds kFast = 500ms;
// Two bulks of so many are no faster than one.
constexpr size_t kLeastShare = 100;
// While more come, a bulk waits until it has as many: each one costs the server a write to its
// disk.
constexpr size_t kGoodShare = 1'000;
constexpr std::chrono::hours kLong{24};

ActionLine line_of(const BulkOp& op) {
    ActionLine line;
    line.action = op.action;
    line.index = op.target->index;
    line.type = op.target->type;
    line.id = op.id();
    line.routing = op.routing();
    line.before = op.before;
    return line;
}

uint64_t wall_us() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(now).count()
    );
}

}  // namespace

std::string describe_op(const BulkOp& op) {
    constexpr std::array<std::string_view, 4> kNames{"index", "upsert", "update", "delete"};
    std::string text(kNames.at(static_cast<size_t>(op.action)));
    text += " of _id " + op.id() + " in " + op.target->index + ": ";
    text += std::to_string(op.item.status) + ": " + op.item.type + ": " + op.item.reason;
    return text;
}

// -- BulkWave

bool BulkWave::is_of(uint32_t op, const DocumentTarget& target, const DocumentChange& change)
    const {
    const BulkOp& known = ops_[op];
    return known.id() == change.id &&
           (known.target == &target || known.target->index == target.index);
}

bool BulkWave::add(const DocumentTarget& target, const DocumentChange& change) {
    const auto next = static_cast<uint32_t>(ops_.size());
    const auto is_it = [&](uint32_t op) { return is_of(op, target, change); };
    const uint32_t found = by_document_.find_or_add(core::hash_text(change.id), next, is_it);
    const bool upsert = target.plan->task->upsert;
    if (found == next) {
        BulkOp& op = ops_.emplace_back();
        op.target = &target;
        op.changes.push_back(&change);
        switch (change.kind) {
            case ChangeKind::Whole:
                op.action = upsert ? BulkAction::Upsert : BulkAction::Index;
                break;
            case ChangeKind::Update: op.action = BulkAction::Update; break;
            default: op.action = BulkAction::Delete;
        }
        return true;
    }
    if (found < taken_) return false;
    BulkOp& op = ops_[found];
    // Another mapping's fields, or fields of a document that is deleted before: another action.
    if (op.target != &target) return false;
    // With other routing it may be the same document, where both lead to one shard.
    if (op.routing() != change.routing) return false;
    if (op.action == BulkAction::Delete && change.kind == ChangeKind::Update) return false;
    op.changes.push_back(&change);
    switch (change.kind) {
        case ChangeKind::Update: break;
        case ChangeKind::Whole:
            op.from = op.changes.size() - 1;
            // Nothing of what was there before a delete may come through.
            if (op.action == BulkAction::Delete || !upsert) {
                op.action = BulkAction::Index;
            } else if (op.action == BulkAction::Update) {
                op.action = BulkAction::Upsert;
            }
            break;
        default: op.from = op.changes.size() - 1; op.action = BulkAction::Delete;
    }
    return true;
}

const std::vector<DocumentChange>& BulkWave::keep(std::vector<DocumentChange> changes) {
    kept_.push_back(std::move(changes));
    return kept_.back();
}

bool BulkWave::has(const DocumentTarget& target, const DocumentChange& change) const {
    const auto is_it = [&](uint32_t op) { return is_of(op, target, change); };
    return by_document_.find(core::hash_text(change.id), is_it).has_value();
}

void BulkWave::clear() {
    ops_.clear();
    by_document_.clear();
    taken_ = 0;
    if (kept_.size() > 1) kept_.erase(kept_.begin(), kept_.end() - 1);
}

// -- BulkSize

void BulkSize::answered(size_t actions, std::chrono::milliseconds took) {
    if (took > kSlow) {
        actions_ = std::max(kLeast, actions_ / 2);
    } else if (took < kFast && actions >= actions_) {
        actions_ = std::min(kMost, actions_ + actions_ / 4);
    }
}

void BulkSize::rejected() { actions_ = std::max(kLeast, actions_ / 2); }

bool BulkSize::too_large() {
    constexpr size_t kLeastBytes = size_t{16} << 10;
    if (bytes_ <= kLeastBytes) return false;
    bytes_ /= 2;
    return true;
}

// -- Bulk

Bulk::Bulk(EsClient& client, size_t connections, Executor strand, BulkCounts& counts)
    : client_(client),
      connections_(std::max<size_t>(connections, 1)),
      strand_(strand),
      counts_(counts),
      wake_(strand),
      fed_(strand),
      room_(strand) {}

// Microseconds of the clock, and never the same or less: a request that was given up, and arrives
// after all, carries less than all that was written since.
uint64_t Bulk::next_version() {
    version_ = std::max(version_ + 1, wall_us());
    return version_;
}

Awaitable<void> Bulk::pause(const BulkRound* round, std::chrono::milliseconds time) {
    const SteadyTime until = steady_now() + time;
    while (!stopped_ && round->result && steady_now() < until) {
        wake_.arm();
        if (stopped_ || !round->result) co_return;
        co_await wake_.wait(until);
    }
}

void Bulk::stop() {
    stopped_ = true;
    wake_.notify();
    fed_.notify();
    room_.notify();
}

void Bulk::begin(BulkWave* wave, size_t lanes) {
    wave->round_ = std::make_unique<BulkRound>(strand_);
    for (size_t i = 0; i < lanes; ++i) wave->round_->lanes.spawn(strand_, run_lane(wave));
}

Awaitable<Result<void>> Bulk::feed(BulkWave* wave) {
    if (!wave->round_) begin(wave, connections_);
    const BulkRound* const round = wave->round_.get();
    fed_.notify();
    for (;;) {
        room_.arm();
        if (!round->result || stopped_ || wave->waiting() < 2 * kGoodShare) break;
        const SteadyTime until = steady_now() + kLong;
        co_await room_.wait(until);
    }
    if (stopped_) co_return Error{Errc::Stopped, Retry::Never, "stopped"};
    co_return round->result;
}

Awaitable<Result<void>> Bulk::finish(BulkWave* wave) {
    if (wave->empty()) co_return Result<void>();
    if (!wave->round_) {
        begin(wave, std::clamp<size_t>(wave->waiting() / kLeastShare, size_t{1}, connections_));
    }
    wave->round_->open = false;
    fed_.notify();
    co_await wave->round_->lanes.wait_for_all();
    const std::unique_ptr<BulkRound> round = std::move(wave->round_);
    co_return round->result;
}

void Bulk::cancel(BulkWave* wave) {
    BulkRound* const round = wave->round_.get();
    if (round == nullptr) return;
    if (round->result) round->result = Error{Errc::Stopped, Retry::Never, "abandoned"};
    fed_.notify();
    wake_.notify();
    room_.notify();
}

Awaitable<void> Bulk::abandon(BulkWave* wave) {
    if (!wave->round_) co_return;
    cancel(wave);
    co_await wave->round_->lanes.wait_for_all();
    wave->round_.reset();
}

// Of the ops that wait, how many a lane takes now.
size_t Bulk::share(const BulkWave& wave) const {
    const size_t waiting = wave.waiting();
    const size_t most = std::min(waiting, size_.actions());
    const size_t even = (waiting + connections_ - 1) / connections_;
    const size_t good = std::min(kGoodShare, size_.actions());
    const size_t least = wave.followed_ ? good : kLeastShare;
    if (!wave.round_->open) return std::min(most, std::max(least, even));
    return waiting < good ? 0 : std::min(most, std::max(good, even));
}

Awaitable<void> Bulk::run_lane(BulkWave* wave) {
    co_await work_lane(wave);
    // Whoever waits has to know of an Error.
    room_.notify();
    if (!wave->round_->result) {
        fed_.notify();
        wake_.notify();
    }
}

Awaitable<void> Bulk::work_lane(BulkWave* wave) {
    BulkRound* const round = wave->round_.get();
    std::vector<BulkOp*> pending;
    std::chrono::milliseconds backoff = kFirstPause;
    SteadyTime moved = steady_now();
    for (;;) {
        if (stopped_ && round->result) {
            round->result = Error{Errc::Stopped, Retry::Never, "stopped"};
        }
        if (!round->result) co_return;
        if (pending.empty()) {
            fed_.arm();
            if (stopped_) continue;
            const size_t count = share(*wave);
            if (count == 0 && !round->open) co_return;
            if (count == 0) {
                const SteadyTime until = steady_now() + kLong;
                co_await fed_.wait(until);
                moved = steady_now();
                continue;
            }
            for (size_t i = 0; i < count; ++i) pending.push_back(wave->take());
            room_.notify();
        }
        const Result<bool> sent = co_await send_some(&pending);
        if (!sent) {
            if (round->result) round->result = sent.error();
            co_return;
        }
        if (*sent) {
            moved = steady_now();
            backoff = kFirstPause;
            if (pending.empty() || pending.front()->outcome != ItemOutcome::Again) continue;
        } else if (steady_now() - moved > kPatience) {
            round->result = Error{
                Errc::Refused,
                Retry::Backoff,
                std::to_string(pending.size()) +
                    " documents are not taken: " + describe_op(*pending.front())
            };
            co_return;
        }
        if (pending.front()->item.status == 0) continue;  // not sent yet
        co_await pause(round, backoff);
        backoff = std::min(backoff * 2, kLongestPause);
    }
}

void Bulk::append_op(std::string& body, const BulkOp& op, uint64_t version) const {
    ActionLine line = line_of(op);
    line.version = version;
    // What is there already gets its fields.
    if (op.action == BulkAction::Upsert && op.before.found) line.action = BulkAction::Update;
    append_action(body, line);
    const std::span<const DocumentChange* const> changes = std::span(op.changes).subspan(op.from);
    const DocumentText& text = *op.target->text;
    switch (line.action) {
        case BulkAction::Index:
        case BulkAction::Upsert: text.append_fields(body, changes, true); break;
        case BulkAction::Update:
            body += R"({"doc":)";
            text.append_fields(body, changes, op.action == BulkAction::Upsert);
            body += "}";
            break;
        case BulkAction::Delete: return;
    }
    body.push_back('\n');
}

// As many of `pending` as fit, at least one.
size_t Bulk::make_body(const std::vector<BulkOp*>& pending, std::string& body) {
    const uint64_t version = next_version();
    body.reserve(body_bytes_ + body_bytes_ / 8);
    size_t count = 0;
    for (const BulkOp* const op : pending) {
        if (count >= size_.actions() || op->must_look()) break;
        const size_t before = body.size();
        append_op(body, *op, version);
        if (count > 0 && body.size() > size_.bytes()) {
            body.resize(before);
            break;
        }
        ++count;
    }
    body_bytes_ = body.size();
    return count;
}

// True when the op is settled.
bool Bulk::settle(BulkOp& op, BulkItem item) {
    op.outcome = outcome_of(item);
    op.item = std::move(item);
    switch (op.outcome) {
        case ItemOutcome::Done: ++counts_.documents; return true;
        case ItemOutcome::Missing: ++counts_.missing; return true;
        case ItemOutcome::Refused: ++counts_.refused; return true;
        case ItemOutcome::Stale:
            // Ours is the latest all the same: the clock went back, or somebody else wrote.
            ++counts_.stale;
            version_ = std::max(version_, current_version(op.item.reason));
            op.look = op.action == BulkAction::Update || op.action == BulkAction::Upsert;
            return false;
        default: ++counts_.tried_again; return false;
    }
}

void Bulk::put_off(std::span<BulkOp* const> ops, const HttpReply& reply, std::string_view what) {
    size_.rejected();
    const Error error = reply_error(reply, what);
    for (BulkOp* const op : ops) settle(*op, BulkItem{reply.status, "busy", error.detail});
}

Awaitable<Result<bool>> Bulk::look(std::vector<BulkOp*>* pending) {
    std::vector<BulkOp*> asked;
    std::string body = R"({"docs":[)";
    for (BulkOp* const op : std::span(*pending).first(std::min(pending->size(), size_.actions()))) {
        const bool made = op->action == BulkAction::Upsert && !op->before.found;
        if (made && look_first_) op->look = true;
        if (!op->must_look()) continue;
        if (!asked.empty()) body.push_back(',');
        ActionLine line = line_of(*op);
        line.index = op->target->look_index;
        append_document(body, line);
        asked.push_back(op);
    }
    if (asked.empty()) co_return true;
    body += "]}";
    const Result<HttpReply> reply = co_await client_.states(body);
    if (!reply) co_return reply.error();
    if (reply->status == 429 || reply->status == 503) {
        put_off(asked, *reply, "POST /_mget");
        co_return false;
    }
    if (reply->status / 100 != 2) co_return reply_error(*reply, "POST /_mget");
    const Result<std::vector<DocumentState>> states = read_states(reply->body, asked.size());
    if (!states) co_return states.error();
    counts_.looked_at += asked.size();
    bool known = true;
    size_t there = 0;
    for (size_t i = 0; i < asked.size(); ++i) {
        BulkOp& op = *asked[i];
        const DocumentState& state = (*states)[i];
        if (!state.error.type.empty()) {
            known = false;
            settle(op, state.error);
            continue;
        }
        op.before = state;
        op.look = false;
        if (state.found) ++there;
        if (state.found || op.action != BulkAction::Update) continue;
        op.outcome = ItemOutcome::Missing;
        ++counts_.missing;
    }
    look_first_ = look_first_ && there * 2 >= asked.size();
    std::erase_if(*pending, [](const BulkOp* op) { return op->outcome == ItemOutcome::Missing; });
    co_return known;
}

Awaitable<Result<bool>> Bulk::send_some(std::vector<BulkOp*>* pending) {
    const Result<bool> looked = co_await look(pending);
    if (!looked || !*looked || pending->empty() || pending->front()->must_look()) co_return looked;
    std::string body;
    const size_t count = make_body(*pending, body);
    const SteadyTime start = steady_now();
    const Result<HttpReply> reply = co_await client_.bulk(body);
    if (!reply) co_return reply.error();
    ++counts_.bulks;
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(steady_now() - start);
    const std::span<BulkOp* const> sent = std::span(*pending).first(count);
    if (reply->status == 413) {
        // Too large for the server, or for what stands in front of it.
        if (count == 1) {
            settle(*sent[0], BulkItem{413, "too_large", "POST /_bulk of this document alone"});
            pending->erase(pending->begin());
            co_return true;
        }
        size_.rejected();
        if (!size_.too_large()) co_return reply_error(*reply, "POST /_bulk");
        co_return true;
    }
    if (reply->status == 429 || reply->status == 503) {
        put_off(sent, *reply, "POST /_bulk");
        co_return false;
    }
    if (reply->status / 100 != 2) co_return reply_error(*reply, "POST /_bulk");
    Result<std::vector<BulkItem>> items = read_bulk_reply(reply->body, count);
    if (!items) co_return std::move(items).error();
    std::vector<BulkOp*> left;
    bool busy = false;
    size_t made = 0;
    size_t there = 0;
    for (size_t i = 0; i < count; ++i) {
        BulkOp* const op = sent[i];
        const bool makes = op->action == BulkAction::Upsert && !op->before.found;
        if (makes) ++made;
        if (settle(*op, std::move((*items)[i]))) continue;
        if (makes && op->look) ++there;
        if (op->outcome == ItemOutcome::Blocked) {
            co_return Error{Errc::Refused, Retry::Backoff, describe_op(*op)};
        }
        busy = busy || op->outcome == ItemOutcome::Again;
        left.push_back(op);
    }
    if (there > 0 && there * 2 >= made) look_first_ = true;
    const bool moved = left.size() < count || there > 0;
    if (busy) {
        size_.rejected();
    } else {
        size_.answered(count, took);
    }
    left.insert(left.end(), pending->begin() + static_cast<std::ptrdiff_t>(count), pending->end());
    *pending = std::move(left);
    co_return moved;
}

}  // namespace obcanal::adapter::es
