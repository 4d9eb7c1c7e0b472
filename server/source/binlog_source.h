// Streams the binary log of a MySQL-compatible server: connects as a replica to the master (or the
// standby, see detecting), begins where the last transaction that was delivered ends, and hands
// what comes to the sink through a BinlogTranslator. Feed strand, but for state().
#pragma once

#include "protocol/base/log.h"
#include "protocol/net/notifier.h"
#include "protocol/net/runtime.h"
#include "protocol/net/task_group.h"
#include "server/config/instance_config.h"
#include "server/schema/schema_log.h"
#include "server/source/binlog_definitions.h"
#include "server/source/binlog_position.h"
#include "server/source/binlog_server.h"
#include "server/source/binlog_start.h"
#include "server/source/binlog_translator.h"
#include "server/source/log_retention.h"
#include "server/source/source.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace obcanal::source {

class BinlogSource : public Source {
 public:
    // BadConfig: no address, a value that can't be used, a column filter that can't be read.
    // `lane` outlives this and writes the schema history: to `history`, or as configured.
    static Result<std::unique_ptr<Source>> make(
        const config::InstanceConfig& config,
        std::shared_ptr<const LiveFilter> filter,
        BlockingLane& lane,
        std::unique_ptr<schema::SchemaStore> history
    );
    ~BinlogSource() override;

    Awaitable<Error> run(std::optional<canal::LogPosition> from, ChangeSink& out) override;
    void stop() override;

    std::unique_ptr<PositionTracker> tracker(std::optional<canal::LogPosition> from) const override;
    const SourceState& state() const override { return state_; }
    std::optional<double> hours_left(const canal::LogPosition& cursor, int64_t now_ms)
        const override {
        return retention_.hours_left(cursor, now_ms);
    }

 private:
    BinlogSource(
        const config::InstanceConfig& config,
        std::shared_ptr<const LiveFilter> filter,
        BlockingLane& lane,
        std::unique_ptr<schema::SchemaStore> history
    );

    const config::MysqlServer& server() const { return servers_[server_index_]; }
    Result<client::MysqlOptions> connection_options();
    Awaitable<Result<std::unique_ptr<MysqlConnection>>> open_connection();

    Awaitable<Error> stream(ChangeSink& out);
    Awaitable<Error> stream_from(MysqlConnection& connection, ChangeSink& out);
    Awaitable<Result<void>> check_server(MysqlConnection& connection);
    Awaitable<Result<BinlogStart>> find_start(MysqlConnection& connection);
    Awaitable<Result<void>> begin_log(MysqlConnection& connection);
    // Another replica that is registered with our id: two of them throw each other out.
    Awaitable<Result<void>> look_for_twin(MysqlConnection& connection);
    // The position is purged: what is lost, and what to do about it.
    Awaitable<Error> answer_purged(Error error);
    // Runs the detecting statement until the connection it watches over is gone.
    Awaitable<void> detect(Stream watched);
    void note_failure(const std::string& cause);
    // What the stream cannot go on without.
    enum class Waits : uint8_t { Bytes, Schemas, Room };
    // Takes what has come as far as nothing has to be waited for: no coroutine per event.
    Result<Waits> take_received(MysqlConnection& connection, ChangeSink& out);
    void note_log_signs();
    Awaitable<Result<void>> finish_step(Waits waits, ChangeSink& out);
    Awaitable<Result<void>> describe_table(schema::TableName name);
    Awaitable<Result<void>> restore_schemas(const BinlogStart& start);
    Awaitable<Result<void>> take_snapshot(schema::LogMoment start);
    Awaitable<Result<void>> save_schemas();
    Awaitable<Result<void>> tell_settled(ChangeSink& out);
    canal::LogPosition position_of(const BinlogPoint& point) const;

    config::InstanceConfig config_;
    Logger log_;
    std::shared_ptr<const LiveFilter> filter_;
    SourceState state_;
    std::vector<config::MysqlServer> servers_;  // master, standby
    size_t server_index_ = 0;
    uint32_t replica_id_ = 0;
    std::string replica_uuid_;
    std::string replica_host_;

    std::shared_ptr<SettledPosition> told_;
    int64_t beats_ = 0;
    BlockingLane& lane_;
    schema::SchemaLog schemas_;
    BinlogDefinitions definitions_;
    std::unique_ptr<BinlogTranslator> translator_;
    ServerFacts facts_;
    LogRetention retention_;
    uint64_t begun_logs_ = 0;       // of the translator's log_signs() that retention_ knows
    uint64_t nothing_to_send_ = 0;  // the same

    // Where to go on: the cursor, later what the translator has settled.
    std::optional<canal::LogPosition> resume_;
    bool started_ = false;
    bool inside_event_ = false;  // the translator has not used it up
    bool stopped_ = false;
    bool to_latest_ = false;  // the position is purged, and the policy says to go on
    bool inside_ = false;     // it lies in the middle of a transaction
    std::string twin_;
    int64_t failures_ = 0;  // in a row, of the server or of the detecting statement
    std::string detected_;  // why detect() ended the connection
    std::unique_ptr<Notifier> detecting_;
    std::unique_ptr<TaskGroup> tasks_;
    Executor strand_;
    std::vector<Stream> open_streams_;
};

}  // namespace obcanal::source
