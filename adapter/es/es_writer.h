// The Elasticsearch and OpenSearch target: what a batch of row changes means for documents comes
// from the planner, the bulk writes it; write() returns when the server has answered for every
// document (client-adapter, 3). While the last bulks of a batch are under way, the next one is read
// back and begins to leave, as far as it is about other documents. The pipeline's strand; stop()
// from any thread.
#pragma once

#include "adapter/config/owned_mappings.h"
#include "adapter/core/load_progress.h"
#include "adapter/core/load_state.h"
#include "adapter/core/writer.h"
#include "adapter/es/bulk.h"
#include "adapter/es/document_planner.h"
#include "adapter/es/es_client.h"
#include "adapter/es/es_task.h"
#include "protocol/base/clock.h"
#include "protocol/base/log.h"
#include "protocol/net/notifier.h"
#include "protocol/net/runtime.h"
#include "protocol/net/task_group.h"

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace obcanal::adapter::es {

struct FoundWork;
struct FoundPage;

// A core::WriterFactory, of es, es6, es7 and es8: the server says what it is.
Result<std::unique_ptr<core::Writer>> make_es_writer(const core::WriterContext& context);

class EsWriter : public core::Writer {
 public:
    EsWriter(
        const core::WriterContext& context, EsOptions options, std::unique_ptr<EsClient> client
    );
    ~EsWriter() override;

    Awaitable<Result<void>> open() override;
    Awaitable<Result<void>> write(const core::DmlBatch& batch) override;
    void look_ahead(const core::DmlBatch& next) override;
    Awaitable<void> drop_ahead() override;
    // Bulks are shared out by document, however many come.
    size_t part_rows(size_t) const override { return SIZE_MAX; }
    Awaitable<void> refresh() override;
    Awaitable<void> close() override;
    bool has_task(const std::string& task) const override;
    std::vector<std::string> tasks() const override;
    Awaitable<Result<core::FullLoadOutcome>> full_load(core::FullLoadRequest request) override;
    Result<void> announce_loads(const std::vector<core::FullLoadRequest>& requests) override;
    std::vector<core::FullLoadRequest> unfinished_loads() const override;
    std::optional<core::LoadFigures> load_figures() const override { return progress_.figures(); }
    std::vector<core::WriterCounter> counters() const override;
    Awaitable<Result<core::TaskCount>> count(std::string task) override;
    void stop() override;

 private:
    // An index as it was when we looked, and when that was.
    struct KnownIndex {
        IndexMapping mapping;
        SteadyTime at{};
    };

    // A rebuilt index that waits for the stream to catch up.
    struct PendingSwitch {
        core::LoadState state;
        int64_t until_ms = 0;  // the source's time that the stream has to reach
    };

    // A batch under way.
    struct Work {
        core::DmlBatch batch;
        BulkWave wave;
        bool added = false;     // all that it is about is in the wave
        bool settling = false;  // documents of it are written that have left the wave
        bool cancelled = false;
        bool done = false;
        Result<void> result;
    };

    void load_mappings();
    Awaitable<void> run_work(Work* work);
    void begin_ahead();
    // Is it of a batch that has another one before it, still under way?
    bool is_ahead(const BulkWave& wave) const;
    // No, while the batch before has, or may have, something for the same document.
    bool is_free(const BulkWave& wave, const DocumentTarget& target, const DocumentChange& change)
        const;
    // Returns when the batch before is durable.
    Awaitable<Result<void>> await_turn(const BulkWave* wave);
    Awaitable<void> await_done(const Work* work);
    Awaitable<Result<void>> write_blocks(Work* work);
    Awaitable<Result<void>> write_changes(const std::vector<DocumentChange>* changes);
    Awaitable<Result<void>> end_wave(BulkWave* wave, Result<void> done);
    Awaitable<Result<void>> add_changes(const std::vector<DocumentChange>* changes, BulkWave* wave);
    Awaitable<Result<void>> write_change(const DocumentChange* change, BulkWave* wave);
    Awaitable<Result<void>> flush(BulkWave* wave);
    Awaitable<Result<void>> send(BulkWave* wave, std::vector<DocumentChange>* missing);
    Awaitable<Result<void>> write_missing(std::vector<DocumentChange> changes);
    Awaitable<Result<void>> settle_refused(BulkOp op);
    Awaitable<Result<void>> write_alone(const DocumentChange* change);
    Awaitable<Result<void>> park(const DocumentChange* change, std::string cause);

    // -- es_found.cpp
    Awaitable<Result<void>> write_by_pk(const DocumentChange* change);
    Awaitable<Result<void>> truncate(const DocumentTarget* target);
    Awaitable<Result<void>> write_found(const FoundWork* work);
    Awaitable<Result<bool>> write_page(const FoundWork* work, const FoundPage* page);

    Awaitable<Result<const DocumentTarget*>> target_of(const MappingPlan* plan);
    std::string type_of(const MappingPlan& plan) const;  // Elasticsearch 6; else empty
    Awaitable<Result<void>> look_at_index(std::string index, std::string type);
    // And what is known of indexes of which a field is not, for another look.
    void forget_targets();
    void retire_targets();
    // Which tasks' documents no one else has fields in, as their indexes are now.
    Awaitable<Result<void>> look_at_owned();
    bool shares_index(const MappingPlan& plan) const;
    bool parks(const DocumentChange& change) const;

    // -- es_load.cpp
    Awaitable<Result<void>> on_disk(std::function<Result<void>()> work);
    Awaitable<Result<void>> load_index(core::LoadState* state, std::string index);
    Awaitable<Result<void>> load_task(
        core::LoadState* state, std::string task, std::string condition
    );
    Awaitable<void> read_ahead(
        std::string task,
        std::string condition,
        std::vector<std::string> after_key,
        size_t limit,
        Result<LoadedDocuments>* to
    );
    Awaitable<Result<core::FullLoadOutcome>> end_load(
        core::LoadState state, std::string index, Result<void> done
    );
    Awaitable<Result<void>> begin_rebuild(core::LoadState* state, std::string index);
    Awaitable<void> drop_rebuild(core::LoadState* state, std::string index);
    Awaitable<Result<void>> take_up_rebuilds();
    Awaitable<void> switch_rebuilt();
    Awaitable<Result<void>> switch_alias(std::string index);

    const EsOptions options_;
    const std::string destination_;
    const Executor strand_;
    config::OwnedMappings<EsTask> mappings_;
    core::DeadLetters& dead_letters_;
    BlockingLane letters_lane_;  // for what dead letters and states block on the disk
    std::unique_ptr<EsClient> client_;
    DocumentPlanner planner_;
    BulkCounts counts_;
    Bulk bulk_;
    std::map<std::string, KnownIndex> indexes_;
    std::map<const MappingPlan*, std::unique_ptr<DocumentTarget>> targets_;
    std::vector<std::unique_ptr<DocumentTarget>> retired_;  // of this batch
    std::map<const MappingPlan*, std::string> plans_;       // written before -> their index
    std::set<std::string> owned_;                           // tasks, see owns_documents()
    std::string only_task_;                 // of the batch: a dead letter that is tried again
    size_t owned_plans_ = 0;                // that were known then
    const core::DmlBatch* next_ = nullptr;  // behind those that have begun
    std::unique_ptr<Work> current_;         // of write()
    std::unique_ptr<Work> ahead_;           // the one behind it
    TaskGroup tasks_;
    Notifier turn_;  // who waits for the batch before
    core::LoadStore loads_;
    core::LoadProgress progress_;
    std::map<std::string, std::string> overrides_;  // index of a mapping -> the one being rebuilt
    std::map<std::string, PendingSwitch> pending_;  // by index of the mapping
    int64_t last_execute_ms_ = 0;                   // of what was written last
    bool wrote_ = false;                            // since the last refresh()
    bool connected_ = false;
    bool fresh_ = false;  // indexes were looked at again because this batch was refused
    std::atomic<bool> stopped_{false};
    Logger log_{"es"};
};

}  // namespace obcanal::adapter::es
