// Handing out: what a get() takes, and how long it waits for it.
#include "server/instance/instance.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace obcanal::instance {

using canal::BatchId;

namespace {

// Counts a get() as long as it waits.
class WaitingGet {
 public:
    explicit WaitingGet(std::atomic<int>& count) : count_(count) { ++count_; }
    ~WaitingGet() { --count_; }
    WaitingGet(const WaitingGet&) = delete;
    WaitingGet& operator=(const WaitingGet&) = delete;

 private:
    std::atomic<int>& count_;
};

GetReply nothing_there() { return {BatchId{-1}, {}, false}; }

}  // namespace

store::BatchLimit Instance::limit_of(const GetRequest& request) const {
    if (config_.batch_mode == config::BatchMode::ItemSize) return {request.fetch_size, -1};
    return {-1, request.fetch_size * static_cast<int64_t>(config_.memory_buffer_memunit)};
}

Result<GetReply> Instance::take(const GetRequest& request, store::BatchLimit limit) {
    store::Batch batch = ring_.get(next_, limit);
    Result<BatchId> id = ledger_.open(request.client, batch.first, batch.last);
    if (!id) return std::move(id).error();
    next_ = batch.last.next();
    if (batch.last.value > got_.sequence) {
        const store::Slot& last = ring_.slot(batch.last);
        got_ = {batch.last.value, last.end_rows, last.end_bytes, last.execute_ms};
    }
    taken_at_ = steady_now();
    return GetReply{*id, std::move(batch)};
}

// When several clients wait, each entry wakes them all; see EventRing::wake_readers_at.
void Instance::wake_for(store::BatchLimit limit) {
    if (waiting_gets_ > 1) {
        ring_.wake_readers_at({0}, 0);
    } else if (next_ > ring_.published()) {
        ring_.wake_readers_at(next_, std::numeric_limits<int64_t>::max());
    } else if (limit.bytes < 0) {
        ring_.wake_readers_at(
            {next_.value + limit.entries - 1}, std::numeric_limits<int64_t>::max()
        );
    } else {
        const store::Slot& first = ring_.slot(next_);
        ring_.wake_readers_at(
            {std::numeric_limits<int64_t>::max()}, first.end_bytes - first.size + limit.bytes
        );
    }
}

// While little comes it goes out at once; where much comes, as at a start, few batches cost less.
SteadyTime Instance::linger_end(store::BatchLimit limit) {
    constexpr int64_t kWorth = 32;  // a part of what is asked for, in the time of a linger
    if (config_.get_linger_ms < 0) return SteadyTime::max();
    const int64_t wanted = limit.bytes < 0 ? limit.entries : limit.bytes;
    taken_.note(steady_now(), limit.bytes < 0 ? got_.sequence : got_.bytes);
    if (got_.sequence >= 0 && taken_.recent() <= wanted / kWorth) return SteadyTime::min();
    const std::chrono::nanoseconds put(ring_.slot(next_).put_ns);
    return SteadyTime(put + std::chrono::milliseconds(config_.get_linger_ms));
}

// A client that asks without timeout sleeps when there is nothing (the stock ones for a millisecond
// and more), and rows that come meanwhile wait for it. While they come often it is better off here.
std::chrono::nanoseconds Instance::hold() const {
    constexpr int kOften = 10;  // in the time of so many
    const std::chrono::milliseconds hold(config_.get_hold_ms);
    const bool often = taken_at_ && steady_now() - *taken_at_ <= kOften * hold;
    return often ? hold : std::chrono::nanoseconds{0};
}

Awaitable<Result<GetReply>> Instance::get(GetRequest request, Cancelled cancelled) {
    const std::shared_ptr<Instance> self = shared_from_this();
    if (Result<void> running = check_running(); !running) co_return std::move(running).error();
    if (Result<void> known = ledger_.check_subscribed(request.client); !known)
        co_return std::move(known).error();
    const store::BatchLimit limit = limit_of(request);
    const bool has_data = next_ <= ring_.published();
    if (has_data && (request.fetch_size < 0 || (request.fetch_size == 0 && limit.bytes < 0))) {
        co_return Error{
            Errc::BadPacket,
            Retry::Never,
            "fetch size " + std::to_string(request.fetch_size) + " is out of range"
        };
    }
    // What this client has acknowledged before it asked.
    const auto latest = latest_ack_.find(request.client);
    const uint64_t confirmed = latest == latest_ack_.end() ? 0 : latest->second;
    const std::chrono::nanoseconds wait = request.wait ? *request.wait : hold();
    if (!request.wait && acks_written_ >= confirmed) {
        if (has_data) co_return take(request, limit);
        if (wait.count() == 0) co_return nothing_there();
    }

    const SteadyTime now = steady_now();
    const bool forever = wait > SteadyTime::max() - now;
    const SteadyTime deadline = forever ? SteadyTime::max() : now + wait;
    const uint64_t rollbacks = rollbacks_[request.client];
    const WaitingGet counted(waiting_gets_);
    for (;;) {
        ring_.readable().arm();
        wake_for(limit);
        if (cancelled->load()) co_return Error{Errc::Closed, Retry::Never, "the client went away"};
        if (Result<void> running = check_running(); !running) co_return std::move(running).error();
        if (rollbacks_[request.client] != rollbacks) {
            GetReply over = nothing_there();
            over.rolled_back = true;
            co_return over;
        }
        SteadyTime until = deadline;
        if (acks_written_ < confirmed) {
            until = SteadyTime::max();  // write_acks() and stop() wake us
        } else if (next_ <= ring_.published()) {
            if (!request.wait || ring_.is_full(next_, limit)) co_return take(request, limit);
            until = std::min(until, linger_end(limit));
            if (steady_now() >= until) co_return take(request, limit);
        } else if (steady_now() >= until) {
            co_return nothing_there();
        }
        co_await ring_.readable().wait(until);
    }
}

}  // namespace obcanal::instance
