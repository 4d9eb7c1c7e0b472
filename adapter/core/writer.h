// A target of the adapter: takes batches in order and returns when they are durable. One object for
// each (instance, group, outer adapter); the pipeline of its destination calls it from its strand,
// one call at a time. What a new kind of target implements.
#pragma once

#include "adapter/config/adapter_config.h"
#include "adapter/config/placeholders.h"
#include "adapter/core/dml.h"
#include "adapter/core/load_progress.h"
#include "protocol/base/finding.h"
#include "protocol/base/log.h"
#include "protocol/base/result.h"
#include "protocol/net/awaitable.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace obcanal::adapter::core {

// A row (or DDL) that its target refuses for a cause of its own, parked by the mapping's
// `onError: park`.
struct RefusedChange {
    std::string task;   // mapping file
    std::string cause;  // the target's words, with its error code
    const Dml* dml = nullptr;
    size_t row = 0;  // of dml->rows
};

// Where refused changes wait for `obcanal-adapter dead-letters`. Thread-safe; blocks.
class DeadLetters {
 public:
    virtual ~DeadLetters() = default;
    // Returns when it is durable. The same change again, by its place in the log: nothing is done.
    virtual Result<void> park(const RefusedChange& change) = 0;
    // True when an earlier delivery parked the very change: whatever became of the letter, it is
    // not to be written.
    virtual bool was_parked(const RefusedChange& change) const = 0;
    // True while earlier changes of the row's key wait: later ones must wait behind them.
    virtual bool has_earlier(const RefusedChange& change) const = 0;
};

// POST /etl/{type}/{key}/{task}: a mapping file's name, and what its condition is filled with.
struct FullLoadRequest {
    std::string task;
    std::vector<std::string> params;
    bool truncate = false;  // the target is emptied first
    bool rebuild = false;   // into a new target, which takes the place of the one in use
    bool restart = false;   // from the start, also where an unfinished one could go on
};

struct FullLoadOutcome {
    std::string message;  // for the reply
    uint64_t rows = 0;
};

// GET /count/...: "targetTable": "`t2`.`user`", "count": 7.
struct TaskCount {
    std::string label_key;
    std::string label;
    uint64_t count = 0;
};

// A figure of a writer's own: obcanal_adapter_{name}_total.
struct WriterCounter {
    const char* name;
    const char* help;
    uint64_t value = 0;
};

class Writer {
 public:
    virtual ~Writer() = default;

    // Connects and learns what it has to know of the target. Called again with back-off while it
    // fails; the group waits, others go on.
    virtual Awaitable<Result<void>> open() = 0;
    // Returns when every change of the batch that concerns this target is durable in it, or parked.
    // After an Error the same batch comes again, whole: what was written of it must do no harm.
    // The Error names task, table, key and the target's words.
    virtual Awaitable<Result<void>> write(const DmlBatch& batch) = 0;
    // The batch that comes after the one in hand, or is it already: write() may begin with it
    // before the earlier one is durable. It stays where it is until its own write() or drop_ahead()
    // has returned; between the two write()s nothing else is called.
    virtual void look_ahead(const DmlBatch& /*next*/) {}
    // What was begun with ends, and is not looked at any more. Not while write() runs.
    virtual Awaitable<void> drop_ahead();
    // Rows of a batch that write() is given at once, where `configured` is what the operator wants.
    virtual size_t part_rows(size_t configured) const { return configured; }
    // Takes over mapping files that changed; called between batches. A broken file is logged and
    // stops its own task only.
    virtual Awaitable<void> refresh() = 0;
    virtual Awaitable<void> close() = 0;

    // Whether batches have to have the texts of statements that changed rows, which it writes.
    virtual bool takes_statements() const { return false; }

    // It tells changes that come again from new ones by counting those of each place in the log:
    // the pipeline acknowledges none between changes of one place.
    virtual bool counts_places() const { return false; }
    // It has to, the server has no room for more: changes of the last place can't be counted any
    // more. Returns when that is durable.
    virtual Awaitable<Result<void>> stop_counting();

    // Does `task` name a mapping of this target? Between batches.
    virtual bool has_task(const std::string& task) const = 0;
    // All of them: what a full load of the destination loads.
    virtual std::vector<std::string> tasks() const { return {}; }
    // Returns when all rows are in the target. The destination is parked meanwhile: no write()
    // runs. Obeys stop().
    virtual Awaitable<Result<FullLoadOutcome>> full_load(FullLoadRequest request);
    // Several will come, one after the other: kept in mind past a crash. Blocks on the disk.
    virtual Result<void> announce_loads(const std::vector<FullLoadRequest>& /*requests*/) {
        return {};
    }
    // Full loads within which a process ended: the pipeline goes on with them. Blocks on the disk.
    virtual std::vector<FullLoadRequest> unfinished_loads() const { return {}; }
    // The full load under way, or the last one. Any thread.
    virtual std::optional<LoadFigures> load_figures() const { return std::nullopt; }
    // Any thread.
    virtual std::vector<WriterCounter> counters() const { return {}; }
    // Rows in the task's target.
    virtual Awaitable<Result<TaskCount>> count(std::string task);

    // Ends the full load under way, which is gone on with later. Any thread.
    virtual void stop_load() {}
    // Ends what is awaited, from any thread; write() then returns Errc::Stopped.
    virtual void stop() = 0;
};

// What a writer is made of. All that it refers to outlives the writer.
struct WriterContext {
    const config::AdapterConfig& config;
    std::string destination;
    std::string group;
    const config::OuterAdapterConfig& adapter;
    config::Placeholders placeholders;
    DeadLetters& dead_letters;
    Executor strand;  // on which the pipeline calls

    // The directory of the writer's mapping files.
    std::string mapping_dir() const { return config.conf_dir + "/" + adapter.name; }
};

// What a writer found in its mapping files, into its log.
void log_findings(const Logger& log, const std::vector<Finding>& findings);

// Why the target can't be used at all as it is configured: the program does not start.
using WriterFactory = Result<std::unique_ptr<Writer>> (*)(const WriterContext& context);

}  // namespace obcanal::adapter::core
