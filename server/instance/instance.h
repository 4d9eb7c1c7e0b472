// One destination: feed, ring, subscriptions and cursors, from start to stop. Client requests run
// on the instance strand; sessions hop there and back. The semantics of get, ack and rollback are
// those of Canal's CanalServerWithEmbedded.
#pragma once

#include "protocol/base/log.h"
#include "protocol/base/result.h"
#include "protocol/canal/ids.h"
#include "protocol/net/awaitable.h"
#include "protocol/net/notifier.h"
#include "protocol/net/runtime.h"
#include "protocol/net/task_group.h"
#include "server/config/instance_config.h"
#include "server/instance/client_counters.h"
#include "server/instance/feed.h"
#include "server/instance/fill_rate.h"
#include "server/instance/status.h"
#include "server/meta/client_ledger.h"
#include "server/meta/meta_store.h"
#include "server/source/source.h"
#include "server/store/event_ring.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace obcanal::instance {

struct GetRequest {
    canal::ClientId client;
    int64_t fetch_size = 0;
    // Nothing: return with what is there, and don't wait longer than canal.instance.get.hold.
    std::optional<std::chrono::nanoseconds> wait;
};

struct GetReply {
    canal::BatchId id{-1};  // -1: nothing there
    store::Batch batch;
    // A rollback has come on another connection while this get waited: what its connection had sent
    // before is of a session that is over.
    bool rolled_back = false;
};

// Set by a session whose client went away while it waits in get().
using Cancelled = std::shared_ptr<std::atomic<bool>>;

// See source::make_source.
using SourceFactory = std::function<Result<std::unique_ptr<
    source::
        Source>>(const config::InstanceConfig&, std::shared_ptr<const source::LiveFilter>, BlockingLane&, std::unique_ptr<schema::SchemaStore>)>;

class Instance : public std::enable_shared_from_this<Instance> {
 public:
    struct Parts {
        config::InstanceConfig config;
        SourceFactory make_source;
        std::unique_ptr<meta::MetaStore> meta;
        Executor instance_strand;
        Executor feed_strand;
        BlockingLane* lane = nullptr;       // outlives the instance
        BlockingLane* meta_lane = nullptr;  // that of the store, where it is another; outlives too
        std::chrono::milliseconds flush_period{1000};
    };

    explicit Instance(Parts parts);
    ~Instance();

    Executor strand() const { return strand_; }
    const std::string& destination() const { return config_.destination; }

    // -- instance strand
    // Reads the cursors and starts to feed. An Error leaves the instance Failed, and with a reason.
    Awaitable<Result<void>> start();
    // Ends the feed, then flushes cursors. Waiting clients get an error.
    Awaitable<void> stop();

    Awaitable<Result<void>> subscribe(canal::ClientId client, std::string filter);
    Awaitable<Result<void>> unsubscribe(canal::ClientId client);
    Awaitable<Result<GetReply>> get(GetRequest request, Cancelled cancelled);
    Awaitable<Result<void>> ack(canal::ClientId client, canal::BatchId batch);
    Awaitable<Result<void>> rollback(canal::ClientId client, canal::BatchId batch);

    Awaitable<InstanceStatus> status();

    // -- any thread
    // Makes waiting get() calls look at their Cancelled.
    void wake() { ring_.readable().notify(); }
    Phase phase() const { return phase_.load(); }
    // The source ended with an error that trying again can't mend; what was read before is still
    // served.
    bool source_failed() const { return source_failed_.load(); }
    // Why another server serves this destination, so that this instance has to end; else nothing.
    std::optional<std::string> displaced() const;
    const config::InstanceConfig& config() const { return config_; }
    ClientCounters& client_counters() { return client_counters_; }
    // A client has asked for something lately, or waits; or one is subscribed and may be on its
    // way.
    bool in_use() const;

 private:
    Awaitable<void> feed_loop(std::optional<canal::LogPosition> from);
    Awaitable<void> flush_loop();
    Awaitable<void> write_acks();
    void note_flush(const Result<void>& flushed);
    Awaitable<void> end_feed();
    Result<void> check_running();  // for a client's request
    // With their filters.
    Result<void> subscribe_known(const meta::ClientTable& table);
    Result<void> use_filter(const std::string& expression);
    void note_failure(std::string cause);
    void wake_for(store::BatchLimit limit);
    Result<GetReply> take(const GetRequest& request, store::BatchLimit limit);
    store::BatchLimit limit_of(const GetRequest& request) const;
    // Until when a get waits for more than what is there.
    SteadyTime linger_end(store::BatchLimit limit);
    // How long a get without timeout waits for something.
    std::chrono::nanoseconds hold() const;
    // Up to where all is consumed, or where the stream began; nothing: not known.
    std::optional<canal::LogPosition> known_position() const;
    void keep_start();
    // Moves cursors that nothing outstanding holds back to the latest heartbeat.
    void advance_idle_cursors();
    // A call of the store that may sync a disk.
    Awaitable<Result<void>> on_lane(std::function<Result<void>()> call);
    Result<void> ack_entries(const meta::OpenBatch& batch);

    config::InstanceConfig config_;
    Logger log_;
    Executor strand_;
    Executor feed_strand_;
    BlockingLane& lane_;
    BlockingLane& meta_lane_;
    std::chrono::milliseconds flush_period_;
    SourceFactory make_source_;
    std::unique_ptr<meta::MetaStore> meta_;
    meta::ClientLedger ledger_;
    std::shared_ptr<ChunkPool> pool_;
    store::EventRing ring_;
    Feed feed_;
    std::shared_ptr<source::LiveFilter> filter_;
    uint64_t earlier_filter_limits_ = 0;  // of filters that were replaced
    std::unique_ptr<source::Source> source_;
    std::unique_ptr<source::PositionTracker> tracker_;
    TaskGroup tasks_;
    Notifier stopping_;       // flush loop waits
    Notifier acked_news_;     // write_acks() waits
    Notifier feed_stopping_;  // feed loop waits
    std::atomic<bool> stop_requested_{false};
    std::atomic<bool> source_failed_{false};
    std::atomic<Phase> phase_{Phase::Idle};
    canal::Sequence next_{0};  // the entry that the next get() begins with
    std::atomic<int> waiting_gets_{0};
    std::atomic<SteadyTime::rep> used_at_{0};  // 0: never
    StageStatus got_;                          // furthest, so that a rollback does not count twice
    FillRate taken_;                           // of got_, in the time that a get lingers
    std::optional<SteadyTime> taken_at_;       // the latest batch
    StageStatus acked_;
    ClientCounters client_counters_;
    mutable std::mutex failure_mutex_;
    std::string failure_;           // why the source is away
    int64_t checkpoint_order_ = 0;  // of the latest heartbeat that moved cursors
    SteadyTime idle_cursors_moved_{};
    bool resumed_ = false;     // behind a cursor, or where an earlier stream began
    bool start_kept_ = false;  // or need not be
    bool cursors_failed_ = false;
    // With a store of durable acks: how many there were, of each client the latest, and up to which
    // they are written.
    uint64_t acks_ = 0;
    std::map<canal::ClientId, uint64_t> latest_ack_;
    uint64_t acks_written_ = 0;
    std::map<canal::ClientId, uint64_t> rollbacks_;  // of all that a client had open
};

}  // namespace obcanal::instance
