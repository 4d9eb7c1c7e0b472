// The full load of one table: readers take pieces of it by its key, each writes what it has read
// into the target, and what is done is kept durably. Made by a FullLoad; work() runs on several
// threads at once, each with a session of the source and one of the target; stop() from any thread.
//
// Why the end is right while the source goes on changing: the pipeline has parked the destination,
// so that nobody writes but the load, and the stream goes on afterwards where it stood before. What
// a piece reads is at least as new as all that the stream has written. Every later change comes
// again over it, and each of them sets what it says, not what it adds: a row's last change wins,
// whichever state of it was read. A row that was deleted is deleted again; one whose key changed
// away from an unread piece into a read one is put where it went, of its change's full image;
// where the source logs less than that, the table is read as one snapshot instead. An INSERT that
// comes again takes the row's place, an UPDATE of a row that was in no piece inserts it
// (LaneWork::after_load, Lane::update_row), up to the source's time at the load's end. Rows that
// hold a unique value of a row that was read later give way: the change that took the value from
// them is still to come and writes them whole. A table without key can't be written twice: it is
// read as one snapshot whose place in the log is known, into an empty target, and its changes up to
// that place are passed over. The position in the target counts all of them, as it counts those of
// tables that nobody wants.
#pragma once

#include "adapter/core/key_ranges.h"
#include "adapter/core/load_progress.h"
#include "adapter/core/load_state.h"
#include "adapter/rdb/load_rows.h"
#include "adapter/rdb/target_session.h"
#include "protocol/base/log.h"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace obcanal::adapter::rdb {

struct LoadContext {
    config::DataSourceConfig source;
    OpenSession open_target;
    SqlFamily family = SqlFamily::Mysql;
    ZeroDate zero_date = ZeroDate::Null;
    core::DeadLetters* dead_letters = nullptr;
    core::LoadStore* store = nullptr;
    core::LoadProgress* progress = nullptr;
    size_t workers = 1;
    std::string stream_log;  // a file of the log that the stream comes from; empty: not known yet
};

// Sessions in use, so that they can be interrupted.
class OpenSessions {
 public:
    Result<std::unique_ptr<client::MysqlSession>> open_source(const LoadContext& context);
    Result<std::unique_ptr<TargetSession>> open_target(const LoadContext& context);
    void close(std::unique_ptr<client::MysqlSession> session);
    void close(std::unique_ptr<TargetSession> session);
    void stop();
    bool stopped() const { return stopped_; }

 private:
    std::mutex mutex_;
    std::set<client::MysqlSession*> sources_;
    std::set<TargetSession*> targets_;
    std::atomic<bool> stopped_{false};
};

// Closed when the connection is lost, else Refused.
Error to_load_error(const std::string& what, const Failure& failed);

class TableLoad {
 public:
    // `state` is shared by the tables of one mapping, which are loaded one after the other.
    TableLoad(
        const LoadContext& context,
        OpenSessions& sessions,
        const config::RdbMapping& mapping,
        core::LoadState& state,
        std::string database,
        std::string table
    );

    // Looks at both sides, empties the target if that is wanted and not done yet.
    Result<void> prepare();
    // How many may run at once; 1 where only a snapshot will do.
    size_t workers() const { return snapshot_ ? 1 : context_.workers; }
    Result<void> work();
    // After all have returned.
    Result<void> finish();
    uint64_t rows() const { return rows_; }

 private:
    enum class Mode : uint8_t {
        Insert,   // until a row is there already, then Upsert
        Upsert,   // by the key, which is the target's only unique one
        Careful,  // other unique keys: row by row once one stands in the way
        Replace,  // the target has no index of the key: DELETE and INSERT
        Append,   // no key
    };

    Result<void> look_at_source(client::MysqlSession& session);
    Result<void> look_at_target(client::MysqlSession& source, TargetSession& target);
    Result<void> create_target(client::MysqlSession& source, TargetSession& target);
    Result<void> empty_target(TargetSession& target);
    Result<void> begin_snapshot(client::MysqlSession& session);
    Result<void> count(client::MysqlSession& session);
    Result<void> read(client::MysqlSession& source, TargetSession& target);
    Result<uint64_t> copy(
        client::MysqlSession& source, TargetSession& target, const std::string& where
    );
    Result<void> write(TargetSession& target, const std::vector<const core::DmlRow*>& rows);
    Outcome write_many(TargetSession& target, const std::vector<const core::DmlRow*>& rows);
    Result<void> write_each(TargetSession& target, const std::vector<const core::DmlRow*>& rows);
    Outcome write_one(TargetSession& target, const core::DmlRow& row);
    Outcome make_room(TargetSession& target, const core::DmlRow& row, const Failure& failed);
    Result<void> refused(const core::DmlRow& row, const Failure& failed);
    Result<void> keep_state(bool now);
    int64_t source_ms() const;
    std::string name() const { return mapping_.task + ": " + table_.database + "." + table_.name; }

    const LoadContext& context_;
    OpenSessions& sessions_;
    const config::RdbMapping& mapping_;
    core::LoadState& state_;
    Logger log_{"rdb"};
    core::SourceTable table_;
    core::Dml dml_;
    std::unique_ptr<SqlPlan> plan_;
    const Shape* shape_ = nullptr;
    std::string condition_;  // in brackets
    std::unique_ptr<core::KeyRanges> ranges_;
    bool snapshot_ = false;
    bool target_is_empty_ = false;
    uint64_t rows_before_ = 0;
    std::atomic<Mode> mode_{Mode::Insert};
    std::atomic<uint64_t> rows_{0};
    std::atomic<bool> failed_{false};
    int64_t clock_offset_ms_ = 0;  // of the source's clock
    std::mutex state_mutex_;
    SteadyTime next_save_{};
    SteadyTime next_log_{};
};

}  // namespace obcanal::adapter::rdb
