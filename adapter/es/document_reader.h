// Documents as the source has them now: read by the keys of the main table, by what they are joined
// to, or all of them. Blocks; one thread at a time, interrupt() from any.
#pragma once

#include "adapter/config/adapter_config.h"
#include "adapter/core/key_table.h"
#include "adapter/es/batch_work.h"
#include "adapter/es/document_change.h"
#include "adapter/es/select_text.h"
#include "adapter/es/source_reader.h"
#include "protocol/base/result.h"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace obcanal::adapter::es {

// Changes that are found one after the other, of each document the last only. Takes them in blocks;
// an Error of the function ends the reading.
class BlockBuilder {
 public:
    using Take = std::function<Result<void>(std::vector<DocumentChange>)>;

    explicit BlockBuilder(Take take) : take_(std::move(take)) {}

    Result<void> add(DocumentChange change);
    // Hands on what there is.
    Result<void> flush();

 private:
    Take take_;
    std::vector<DocumentChange> block_;
    core::KeyTable by_document_;  // of block_, by id and routing
};

class DocumentReader {
 public:
    explicit DocumentReader(const config::AdapterConfig& config) : config_(config) {}

    // The plan of a mapping. Asks the source where columns have no alias.
    Result<std::unique_ptr<MappingPlan>> plan(const EsTask& task);
    // Asks the source whether it understands the mapping. Types of a plan are asked for once.
    Result<void> probe(const MappingPlan& plan);

    // All that a batch wants of one mapping.
    Result<void> run(const PlanWork& work, BlockBuilder& block);
    // Documents of keys, and the deletes of those that are gone.
    Result<void> read_keys(
        const MappingPlan& plan, std::span<const KeyWork* const> keys, BlockBuilder& block
    );
    // `filter`: a condition in brackets, or empty.
    Result<LoadedDocuments> load_part(
        const MappingPlan& plan,
        const std::string& filter,
        const std::vector<std::string>& after_key,
        size_t limit
    );
    // Forgets what is known of plans: they are made anew.
    void forget_plans() { types_.clear(); }

    void resume();
    void interrupt();

 private:
    Result<SourceReader*> source_of(const EsTask& task);
    Result<void> settle_columns(const EsTask& task, MappingSql& sql, SourceReader& source);
    Result<void> await_visible(const PlanWork& work);
    Result<void> read_parents(
        const PlanWork& work, uint32_t use, std::span<const ParentWork> parents, BlockBuilder& block
    );
    Result<void> stream(
        const MappingPlan& plan,
        const Condition& condition,
        ChangeKind kind,
        const FieldSet& fields,
        const Cause& cause,
        BlockBuilder& block
    );
    Result<void> read_found_keys(
        const MappingPlan& plan, const Condition& condition, const Cause& cause, BlockBuilder& block
    );
    Result<void> add_removed(
        const MappingPlan& plan,
        std::span<const KeyWork* const> gone,
        std::vector<DocumentChange>& to
    );
    Result<const FloatFields*> floats_of(const MappingPlan& plan);

    const config::AdapterConfig& config_;
    std::mutex mutex_;  // the map, for interrupt()
    std::map<std::string, std::unique_ptr<SourceReader>> sources_;
    bool interrupted_ = false;
    std::map<const MappingPlan*, FloatFields> types_;
};

}  // namespace obcanal::adapter::es
