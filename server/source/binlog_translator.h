// Turns the events of one binlog into Changes: transactions, rows, DDL, statements; keeps the
// catalog at the stream's position and leaves out what no filter wants. Keeps no I/O; no heap use
// per row. Feed strand.
#pragma once

#include "protocol/canal/change.h"
#include "protocol/mysql/binlog_event.h"
#include "protocol/mysql/compression.h"
#include "server/config/instance_config.h"
#include "server/schema/catalog.h"
#include "server/schema/ddl_reader.h"
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
    // `catalog`, `filter` and `state` outlive this. BadConfig: a column filter that cannot be read.
    static Result<std::unique_ptr<BinlogTranslator>> make(
        const config::InstanceConfig& config,
        schema::Catalog& catalog,
        const LiveFilter& filter,
        BinlogColumnOptions options,
        SourceState& state
    );

    // Where the stream begins; a rotate event moves it.
    void begin_log(std::string_view file, uint64_t position);

    // `event`: exactly one, which must stay where it is until next() has said that it is used up.
    Result<void> begin(Bytes event);
    // Fills changes() with what can be emitted together; false when the event is used up. An Error
    // names event type and position.
    Result<bool> next();
    std::span<const canal::Change> changes() const { return changes_; }

    std::string_view file() const { return file_; }
    uint64_t position() const { return position_; }  // behind the last event

 private:
    BinlogTranslator(
        const config::InstanceConfig& config,
        schema::Catalog& catalog,
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
    Result<void> begin_group(int64_t thread_id, bool visible);
    void end_group(std::string_view id);
    void add_statement(canal::EventType type, std::string_view sql);
    bool passes(const schema::DdlEffect& effect) const;
    bool wants(mysql::RowsKind kind) const;
    Error located(Error error) const;
    canal::TxnMark txn_mark() const;

    const config::InstanceConfig& config_;
    schema::Catalog& catalog_;
    SourceState& state_;
    BinlogTables tables_;
    mysql::EventReader reader_;
    std::string file_;
    uint64_t position_ = 0;
    canal::EventMark mark_;  // of the event under way; inner events of a payload share it
    std::optional<mysql::Event> pending_;
    std::optional<mysql::PayloadReader> payload_;
    bool in_group_ = false;
    uint64_t group_rows_ = 0;
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
};

}  // namespace obcanal::source
