// Which documents a batch of changes touches, and what stands in them now (client-adapter, 3.5):
// from the images of the rows where they are enough, read back from the source where they aren't,
// always many at a time, and handed on in blocks, so that one change that touches a million
// documents needs no more memory than one that touches a thousand. Owned by the writer, on its
// strand; stop() from any thread. Reading blocks on a thread of its own.
#pragma once

#include "adapter/config/adapter_config.h"
#include "adapter/core/dml.h"
#include "adapter/es/document_change.h"
#include "adapter/es/mapping_plan.h"
#include "protocol/base/finding.h"
#include "protocol/base/result.h"
#include "protocol/net/awaitable.h"

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace obcanal::adapter::es {

class DocumentPlanner {
 public:
    DocumentPlanner(const config::AdapterConfig& config, Executor strand);
    ~DocumentPlanner();

    // Takes over the mappings. Between batches; changes of earlier plans are of no use any more.
    void set_tasks(const std::vector<const EsTask*>& tasks);
    // Connects with the sources of all mappings and asks them for each mapping's columns. begin()
    // and load() do it again where something changed; an Error names the mapping.
    Awaitable<Result<void>> open();

    // A batch: begin(), next() until it says false or fails, and in any case end(), after which
    // nothing of the batch is used any more. `replaced`: tasks whose documents are always written
    // whole, never in parts.
    void begin(const core::DmlBatch& batch, std::set<std::string> replaced);
    // The next changes, at most about a thousand; false: there are no more. Of several changes of a
    // document in one block only the last is left; a later block is newer.
    Awaitable<Result<bool>> next(std::vector<DocumentChange>& to);
    Awaitable<void> end();
    // next() returns an Error soon, and again.
    void give_up();

    // Updates that found no document: each becomes Whole, or Delete when its row is gone. Also
    // while a batch is under way.
    Awaitable<Result<void>> make_whole(std::vector<DocumentChange>& changes);

    // The next documents of a full load behind `after_key`, at most `limit` rows of the main table.
    // `condition`: of etlCondition, filled: " WHERE ...", or empty.
    Awaitable<Result<LoadedDocuments>> load(
        std::string task, std::string condition, std::vector<std::string> after_key, size_t limit
    );
    // Null: no such mapping, or its source has not been asked yet.
    const MappingPlan* plan_of(const std::string& task) const;

    // Ends what is awaited, from any thread: Errc::Stopped.
    void stop();

 private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace obcanal::adapter::es
