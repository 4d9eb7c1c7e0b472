// The relational target: batches of row changes into tables of MySQL, MariaDB, OceanBase or
// PostgreSQL (client-adapter, 2). Lanes write in parallel; each writes its part of a batch in
// transactions of syncBatchSize rows, and write() returns when all have committed. With
// canal.adapter.position=target there is one lane, and the source's position is in its
// transactions. The pipeline's strand; stop() from any thread.
#pragma once

#include "adapter/config/jdbc_url.h"
#include "adapter/config/owned_mappings.h"
#include "adapter/config/rdb_mapping.h"
#include "adapter/core/load_state.h"
#include "adapter/core/writer.h"
#include "adapter/rdb/full_load.h"
#include "adapter/rdb/lane.h"
#include "adapter/rdb/position.h"
#include "adapter/rdb/replay.h"
#include "adapter/rdb/routes.h"
#include "protocol/base/log.h"

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace obcanal::adapter::rdb {

// outerAdapters[] with name rdb.
struct RdbOptions {
    config::JdbcUrl url;
    std::string user;
    std::string password;
    size_t threads = 3;
    bool skip_duplicates = true;
    bool reinsert = false;
    bool target_position = false;
    ZeroDate zero_date = ZeroDate::Null;
};

// Sessions with the target; each of them is asked to open one.
OpenSession session_opener(const RdbOptions& options);

Result<RdbOptions> read_rdb_options(const config::OuterAdapterConfig& adapter);

// A core::WriterFactory.
Result<std::unique_ptr<core::Writer>> make_rdb_writer(const core::WriterContext& context);

class RdbWriter : public core::Writer {
 public:
    RdbWriter(const core::WriterContext& context, RdbOptions options);
    ~RdbWriter() override;

    Awaitable<Result<void>> open() override;
    Awaitable<Result<void>> write(const core::DmlBatch& batch) override;
    void look_ahead(const core::DmlBatch& next) override;
    Awaitable<void> drop_ahead() override;
    size_t part_rows(size_t configured) const override;
    Awaitable<void> refresh() override;
    Awaitable<void> close() override;
    bool counts_places() const override { return options_.target_position; }
    Awaitable<Result<void>> stop_counting() override;
    bool has_task(const std::string& task) const override;
    std::vector<std::string> tasks() const override;
    Awaitable<Result<core::FullLoadOutcome>> full_load(core::FullLoadRequest request) override;
    Result<void> announce_loads(const std::vector<core::FullLoadRequest>& requests) override;
    std::vector<core::FullLoadRequest> unfinished_loads() const override { return unfinished_; }
    std::optional<core::LoadFigures> load_figures() const override;
    std::vector<core::WriterCounter> counters() const override;
    Awaitable<Result<core::TaskCount>> count(std::string task) override;
    void stop_load() override;
    void stop() override;

 private:
    // Rows up to a DDL, a TRUNCATE or the end of the batch.
    struct Segment {
        std::vector<Op> ops;
        std::set<std::string_view> moved;  // tables in which a row's key changes
        const core::Dml* last = nullptr;
        bool again = false;    // they may have been written before
        bool recheck = false;  // some may have been parked before
    };

    // Which batch it was of which the first segments are written, when it comes again.
    struct Written {
        canal::BatchId id{-1};
        size_t rows = 0;
        std::string place;
        size_t segments = 0;
    };

    // What becomes of the batch behind the one that lanes write, where nothing can change it.
    struct Ahead {
        bool ready = false;
        canal::BatchId id{-1};
        uint64_t session = 0;
        std::span<const core::Dml> dmls;
        const core::Dml* earliest = nullptr;  // in the log
        uint64_t plans = 0;                   // their generation
        Segment segment;
    };

    void load_mappings();
    bool route_ahead(const core::DmlBatch& next);
    bool is_ahead(const core::DmlBatch& batch) const;
    Awaitable<Result<void>> write_batch(const core::DmlBatch& batch);
    bool add_known(const core::Dml& dml, bool shapes_too, Segment& segment);
    Awaitable<Result<void>> add_rows(const core::Dml& dml, Segment& segment);
    Awaitable<Result<SqlPlan*>> plan_for(Route& route, const core::Dml& dml);
    // False: it was not added, because it needs a shape that is not there (`known`).
    bool add_op(SqlPlan* plan, const core::Dml& dml, uint32_t row, bool known, Segment& segment);
    Awaitable<Result<void>> flush(Segment& segment, std::string position);
    void divide_among_lanes(const Segment& segment, const LaneWork& work, LaneParts& parts) const;
    Awaitable<Result<void>> flush_parts(bool again, const core::Dml* last, std::string position);
    Awaitable<Result<void>> flush_lanes(std::string position);
    Awaitable<void> write_lane(size_t lane, std::string position, Result<void>* result);
    Awaitable<Result<void>> apply_ddl(const core::Dml& dml);
    // `again`: it may have been applied before.
    Awaitable<Result<void>> mirror_ddl(const core::Dml& dml, bool again);
    Awaitable<Result<void>> truncate(const config::RdbMapping& mapping, const core::Dml& dml);
    Awaitable<Result<void>> read_position();
    bool may_be_written(const core::Dml& dml, bool in_doubt) const;
    Result<void> read_loads();
    bool is_after_load(const core::DmlBatch& batch) const;
    void end_replay(const core::DmlBatch& batch);
    Result<bool> is_covered(const Route& route, const core::Dml& dml) const;
    std::string position_id() const;

    const config::AdapterConfig& config_;
    const RdbOptions options_;
    const std::string destination_;
    const std::string group_;
    const std::string adapter_key_;
    const Executor strand_;
    config::OwnedMappings<config::RdbMapping> mappings_;
    core::DeadLetters& dead_letters_;
    Routes routes_;
    LaneCounts counts_;
    std::vector<std::unique_ptr<Lane>> lanes_;
    std::array<LaneParts, 2> parts_;
    size_t in_hand_ = 0;  // of parts_; the other is that of ahead_
    Ahead ahead_;
    Written written_;
    ReplayWindow replay_;
    std::string only_task_;  // of the batch: a dead letter that is tried again
    uint64_t session_ = 0;   // with the server, of the latest batch
    bool again_ = false;     // of the segment that the lanes write

    core::LoadStore load_store_;
    core::LoadProgress load_progress_;
    std::mutex load_mutex_;
    std::shared_ptr<FullLoad> load_;  // load_mutex_
    std::vector<core::FullLoadRequest> unfinished_;
    // Up to this time of the source, changes come that rows of a full load may hold already.
    int64_t replay_until_ms_ = 0;
    bool after_load_ = false;  // of the batch
    // Tables without key, by task and table: where the rows that were loaded stood.
    std::map<std::string, SourceMark> covers_;
    std::string stream_log_;  // the file of the latest change

    std::optional<SourceMark> mark_;  // position in the target; nothing: not read yet, or none kept
    std::optional<CoveredChanges> covered_;
    SourceMark passed_;         // the latest change that is written or covered, of this session
    bool behind_mark_ = false;  // nothing was applied since the position was read
    std::atomic<bool> stopped_{false};
    Logger log_{"rdb"};
};

}  // namespace obcanal::adapter::rdb
