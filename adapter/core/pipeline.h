// One destination: its session with the Canal server, and the writers that take its batches. A
// batch is acknowledged when every writer has it durably; a writer that fails is called again with
// back-off, the others are not called twice. The next batch is fetched and read meanwhile. Owned by
// the service; all on one strand, except what says otherwise.
#pragma once

#include "adapter/config/adapter_config.h"
#include "adapter/core/canal_feed.h"
#include "adapter/core/dead_letter_store.h"
#include "adapter/core/dml_reader.h"
#include "adapter/core/held_acks.h"
#include "adapter/core/pipeline_stats.h"
#include "adapter/core/sync_switch.h"
#include "adapter/core/writer.h"
#include "protocol/base/input_buffer.h"
#include "protocol/base/log.h"
#include "protocol/net/notifier.h"
#include "protocol/net/task_group.h"

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace obcanal::adapter::core {

// Name of an outer adapter and how its writer is made.
using WriterTable = std::map<std::string, WriterFactory>;

struct PipelineContext {
    const config::AdapterConfig& config;
    const config::DestinationConfig& destination;
    config::Placeholders placeholders;
    const WriterTable& writers;
    SyncSwitch& sync_switch;
    BlockingLane& lane;
    std::shared_ptr<ha::ZookeeperClient> zookeeper;  // of the Canal servers; null: direct
    Executor strand;
};

class Pipeline {
 public:
    // An Error: a writer can't be made, or the dead letters can't be read.
    static Result<std::unique_ptr<Pipeline>> make(PipelineContext context);
    ~Pipeline();

    // Until stop().
    Awaitable<void> run();
    // Ends what is awaited; run() returns soon.
    void stop();

    // Of the writers of that adapter name that have the tasks, one after the other; `key` empty:
    // any of them. Nobody else loads into adapters of that name meanwhile.
    Awaitable<Result<FullLoadOutcome>> full_loads(
        std::string type, std::string key, std::vector<FullLoadRequest> requests
    );
    Awaitable<Result<TaskCount>> count(std::string type, std::string key, std::string task);
    // Does a writer of `type` have the task?
    Awaitable<bool> has_task(std::string type, std::string key, std::string task);
    Awaitable<std::vector<std::string>> tasks(std::string type, std::string key);

    const Executor& strand() const { return context_.strand; }
    // -- any thread
    const std::string& name() const { return context_.destination.name; }
    const PipelineStats& stats() const { return stats_; }
    size_t dead_letters() const { return letters_->size(); }
    // {key of the adapter: its full load under way, or its last one}.
    std::vector<std::pair<std::string, LoadFigures>> load_figures() const;
    // {key of the adapter: its own figures}.
    std::vector<std::pair<std::string, std::vector<WriterCounter>>> writer_counters() const;

 private:
    struct Target;

    // A batch and what its views refer to.
    struct Fetched {
        InputBuffer memory;
        DmlReader reader;
        Result<DmlBatch> batch = DmlBatch{};
    };

    explicit Pipeline(PipelineContext context);

    Result<void> make_targets();
    Awaitable<Result<void>> begin_writing();
    Awaitable<Result<void>> consume();
    Awaitable<Result<void>> deliver_fetched(TaskGroup* fetching);
    Awaitable<void> fetch(Fetched* to);
    void announce(const DmlBatch& batch);
    Awaitable<void> drop_ahead();
    Awaitable<void> between_batches();
    Awaitable<void> go_on_loading();
    Awaitable<Result<void>> wait_for_others();
    Awaitable<Result<FullLoadOutcome>> full_load(
        std::string type, std::string key, FullLoadRequest request
    );
    Awaitable<void> refresh_targets();
    Awaitable<void> open_target(Target* target);
    Awaitable<void> retry_letters();
    Awaitable<void> retry_letter(Letter letter);
    // False: stopped before all of it was written.
    Awaitable<bool> deliver(const DmlBatch& batch);
    Awaitable<void> deliver_to(Target* target, const DmlBatch* batch);
    Awaitable<bool> deliver_part(Target* target, const DmlBatch* part);
    void count(const DmlBatch& batch);
    Awaitable<Result<void>> attempt(Target* target, const DmlBatch* batch);
    bool counts_places() const;
    void acknowledge(const HeldAcks::Ids& batches);
    // False: stopped before.
    Awaitable<bool> stop_counting();
    Awaitable<void> pause(std::chrono::milliseconds time);
    Awaitable<void> wait_while_loading();
    std::chrono::milliseconds jittered(std::chrono::milliseconds time);
    Target* find_target(const std::string& type, const std::string& key, const std::string& task)
        const;
    void report_failure(Target& target, const Error& error, std::chrono::milliseconds pause);

    PipelineContext context_;
    Logger log_;
    CanalFeed feed_;
    std::array<Fetched, 2> fetched_;  // the batch in hand and the one behind it
    HeldAcks acks_;
    std::unique_ptr<DeadLetterStore> letters_;
    std::vector<std::unique_ptr<Target>> targets_;
    Notifier wake_;
    PipelineStats stats_;
    std::mt19937 random_;
    SteadyTime next_refresh_{};
    SteadyTime next_load_{};
    std::chrono::milliseconds load_pause_{};
    size_t callers_ = 0;  // of full_load() and count() that are inside of a writer
    size_t loads_ = 0;    // full loads that run or wait
    bool busy_ = false;   // a writer is being called
    bool ahead_ = false;  // a writer may have begun with the batch behind the one in hand
    bool stopping_ = false;
};

}  // namespace obcanal::adapter::core
