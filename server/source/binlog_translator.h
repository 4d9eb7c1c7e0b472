// Turns the events of one binlog into Changes: transactions, rows, DDL, statements; keeps the table
// definitions at the stream's position and leaves out what no filter wants. Keeps no I/O; no heap
// use per row. Feed strand.
#pragma once

#include "protocol/canal/change.h"
#include "protocol/mysql/binlog_event.h"
#include "protocol/mysql/compression.h"
#include "server/config/instance_config.h"
#include "server/schema/ddl_reader.h"
#include "server/schema/schema_log.h"
#include "server/source/binlog_position.h"
#include "server/source/binlog_tables.h"
#include "server/source/source.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace obcanal::source {

class BinlogTranslator {
 public:
    // `schemas`, `filter` and `state` outlive this. BadConfig: a column filter that cannot be read.
    static Result<std::unique_ptr<BinlogTranslator>> make(
        const config::InstanceConfig& config,
        schema::SchemaLog& schemas,
        const LiveFilter& filter,
        BinlogColumnOptions options,
        SourceState& state
    );

    // A connection begins to send from `point` on; a rotate event moves on. `executed`: the GTIDs
    // before it, if they are followed. `by_gtid`: the server finds the place by them, whatever its
    // files. `server`: see TxnMark.
    void begin_stream(
        const BinlogPoint& point,
        std::optional<ExecutedGtids> executed,
        bool by_gtid,
        uint8_t server
    );
    // Where to go on when the connection is gone. `open_events`: what clients see of the group
    // under way, see ChangeSink::open_rows.
    BinlogPoint resume_point(std::optional<uint64_t> open_events) const;
    // Behind the last group that was emitted whole.
    const BinlogPoint& settled() const { return settled_; }
    // The stream began in the middle of a transaction: rows without what goes before them.
    bool started_inside() const { return started_inside_; }
    // Time of the last event, milliseconds since the epoch; 0: none yet.
    int64_t event_ms() const { return mark_.execute_ms; }
    // What the stream says of the logs themselves: how often one was begun or gone on with, when
    // the last one was made, and how often the server said that it had nothing to send.
    struct LogSigns {
        uint64_t begun = 0;
        int64_t made_ms = 0;
        uint64_t nothing_to_send = 0;
    };

    const LogSigns& log_signs() const { return signs_; }
    // Nothing is under way, settled() is behind all that was read.
    bool idle() const { return !group_ && !pending_ && !payload_ && !resume_; }

    // `event`: exactly one, which must stay where it is until next() has said that it is used up.
    Result<void> begin(Bytes event);
    // Fills changes() with what can be emitted together; false when the event is used up. An Error
    // names event type and position.
    Result<bool> next();
    std::span<const canal::Change> changes() const { return changes_; }
    // A table whose rows come next and whose definition is not known. The source may be asked and
    // SchemaLog::define() be called; the following next() goes on with what there is.
    const std::optional<schema::TableName>& missing_table() const { return missing_; }
    // Where the event under way stands.
    schema::LogMoment moment() const;

    std::string_view file() const { return file_; }
    uint64_t position() const { return position_; }  // behind the last event

 private:
    BinlogTranslator(
        const config::InstanceConfig& config,
        schema::SchemaLog& schemas,
        filter::ColumnFilter columns,
        const LiveFilter& filter,
        BinlogColumnOptions options,
        SourceState& state
    );

    Result<void> take(const mysql::Event& event);
    Result<void> take_query(const mysql::Event& event);
    Result<void> take_statement(const mysql::QueryEvent& query);
    Result<void> take_rows(const mysql::Event& event);
    Result<void> take_variable(const mysql::Event& event);
    // A group: what a GTID event announces, or begins without one.
    struct Group {
        uint64_t offset = 0;
        std::string gtid;
        std::string executed;  // GTID set with it
        int64_t last_committed = -1;
        int64_t sequence_number = -1;
        bool begun = false;   // its TxnBegin was made
        uint64_t events = 0;  // up to and with the one under way
        uint64_t skip = 0;    // so many were consumed before
    };

    void begin_log(std::string_view file, uint64_t position);
    Result<void> take_gtid(const mysql::Event& event);
    Result<void> open_group(Group group);
    bool stands_here(const mysql::EventHeader& header) const;
    bool is_consumed();
    bool skipping() const { return group_ && group_->events <= group_->skip; }
    struct XaStatement {
        canal::XaMark mark;
        std::string_view sql;
    };

    static std::optional<XaStatement> xa_statement(std::string_view sql);
    Result<void> take_xa(const XaStatement& xa, int64_t thread_id);
    Result<void> begin_group(int64_t thread_id, bool visible, const canal::XaMark& xa = {});
    void end_group(std::string_view id, const canal::XaMark& xa = {});
    void end_lone_group();
    void add_statement(canal::EventType type, std::string_view sql);
    bool passes(const schema::DdlEffect& effect) const;
    bool wants(mysql::RowsKind kind) const;
    Error located(Error error) const;
    canal::TxnMark txn_mark();

    const config::InstanceConfig& config_;
    schema::SchemaLog& schemas_;
    SourceState& state_;
    BinlogTables tables_;
    mysql::EventReader reader_;
    std::string file_;
    uint64_t position_ = 0;
    bool at_event_ = false;  // the event under way is one of the log, and stands at mark_.offset
    canal::EventMark mark_;  // of the event under way; inner events of a payload share it
    std::optional<mysql::Event> pending_;
    std::optional<mysql::PayloadReader> payload_;
    std::optional<mysql::Event> again_;  // the one that missing_ stopped
    std::optional<schema::TableName> missing_;
    bool last_try_ = false;
    std::optional<Group> group_;
    BinlogPoint settled_;
    std::optional<BinlogPoint> resume_;  // until the stream has come there
    bool by_gtid_ = false;
    bool started_inside_ = false;
    std::optional<ExecutedGtids> executed_;
    std::string executed_text_;  // of the groups that have ended
    uint8_t server_ = 0;
    LogSigns signs_;
    std::vector<canal::Change> changes_;
    std::vector<canal::RowImages> images_;
    std::vector<Cell> cells_;
    std::vector<Cell> before_;
    std::vector<Cell> after_;
    // Texts that changes point into.
    std::string text_;
    std::string schema_;
    std::string table_;
    std::string id_;
    Group alone_;  // of a change that is a transaction of its own
};

}  // namespace obcanal::source
