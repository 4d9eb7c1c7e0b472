// Turns the LogMessages of one destination into Changes: transactions, rows, DDL, heartbeats;
// leaves out what was consumed before a reconnect, what no filter wants, and what precedes the
// first transaction of a stream. Keeps no I/O. Changes are gathered, so that a packet's rows are
// emitted together; no heap use per row. Feed strand.
#pragma once

#include "protocol/canal/change.h"
#include "protocol/oblog/log_record.h"
#include "protocol/oblog/resume_window.h"
#include "server/config/instance_config.h"
#include "server/source/oblog_tables.h"
#include "server/source/source.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace obcanal::source {

class OblogTranslator {
 public:
    // `filter` and `state` outlive this. BadConfig: a column filter that can't be read.
    static Result<std::unique_ptr<OblogTranslator>> make(
        const config::InstanceConfig& config, const LiveFilter& filter, SourceState& state
    );

    // Where to start from: what was consumed by then is left out. Before the first stream.
    void resume_from(const oblog::ResumeState& from);
    // A new connection: what was consumed may come again.
    void begin_stream();
    // Once per packet: takes over a table filter that was replaced. REQUIRES: no changes gathered.
    void refresh_filter();
    // The connection is gone. `visible_rows`: rows of the open transaction that clients see already
    // (ChangeSink::open_rows).
    void end_stream(std::optional<uint64_t> visible_rows);

    enum class Added : uint8_t {
        Done,       // the changes may have grown
        EmitFirst,  // emit and clear() the changes, then add the same record again
    };

    // `record` must stay where it is until the changes are cleared. An Error names record type,
    // table and transaction; what was gathered before it is sound and must be emitted.
    Result<Added> add(Bytes record);

    std::span<const canal::Change> changes() const { return changes_; }
    void clear();

    // To ask a log proxy for: everything committed behind it. 0: nothing is known.
    int64_t checkpoint_us() const { return window_.checkpoint_us(); }

 private:
    struct OpenTransaction {
        std::string_view id;  // a view of open_id_
        int64_t commit_us = 0;
        uint64_t rows = 0;       // so far, filtered ones included
        uint64_t skip_rows = 0;  // at its front: clients have them
        bool repeated = false;   // consumed before: left out as a whole
    };

    OblogTranslator(
        const config::InstanceConfig& config,
        filter::ColumnFilter columns,
        const LiveFilter& filter,
        SourceState& state
    );

    Result<Added> begin(oblog::LogRecord& record);
    Result<Added> row(oblog::LogRecord& record, canal::RowKind kind);
    Result<Added> commit(oblog::LogRecord& record);
    Result<Added> ddl(oblog::LogRecord& record);
    Result<Added> heartbeat(oblog::LogRecord& record);
    bool wants(canal::RowKind kind) const;
    // Cells of the kept columns in the arena: the row as it was, or as it is.
    enum class Image : uint8_t { Before, After };
    Result<std::span<const canal::Cell>> cells(
        oblog::LogRecord& record, const OblogTable& table, Image image
    );
    canal::EventMark mark(oblog::LogRecord& record) const;
    Error failure(oblog::LogRecord& record, std::string what) const;

    static constexpr size_t kRowsAtOnce = 256;
    static constexpr size_t kCellsAtOnce = 16 * 1024;

    const config::InstanceConfig& config_;
    SourceState& state_;
    OblogTables tables_;
    oblog::ResumeWindow window_;
    bool ordered_ = false;  // transactions come in the order of their commit
    bool synced_ = false;   // a transaction or DDL began on this connection
    std::optional<OpenTransaction> open_;
    std::string open_id_;
    std::vector<canal::Change> changes_;
    std::vector<canal::RowImages> images_;
    std::vector<canal::Cell> arena_;
    // Texts that a DDL change points into; one at a time, see ddl().
    std::string ddl_schema_;
    std::string ddl_table_;
};

}  // namespace obcanal::source
