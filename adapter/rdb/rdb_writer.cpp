#include "adapter/rdb/rdb_writer.h"

#include "adapter/rdb/mysql_target.h"
#include "adapter/rdb/postgres_session.h"
#include "protocol/net/task_group.h"

#include <algorithm>
#include <cctype>

namespace obcanal::adapter::rdb {

namespace {

using config::RdbMapping;
using core::Dml;

std::string place_of(const core::DmlBatch& batch) {
    if (batch.dmls.empty()) {
        return {};
    }
    const Dml& first = batch.dmls.front();
    const Dml& last = batch.dmls.back();
    std::string place(first.log_file);
    place += ":" + std::to_string(first.log_offset) + ":" + std::to_string(first.execute_ms);
    place += " " + std::string(last.log_file) + ":" + std::to_string(last.log_offset);
    return place + ":" + std::to_string(last.execute_ms);
}

// Names of groups and adapters hold whatever the operator likes.
std::string file_name(std::string_view text) {
    std::string name;
    for (const char c : text) {
        const bool plain = std::isalnum(static_cast<uint8_t>(c)) != 0 || c == '_' || c == '-';
        name += plain ? std::string(1, c) : "%" + to_hex(as_bytes(std::string_view(&c, 1)));
    }
    return name;
}

}  // namespace

OpenSession session_opener(const RdbOptions& options) {
    if (options.url.family == SqlFamily::Postgres) {
        return [options] {
            return PostgresSession::open(options.url, options.user, options.password);
        };
    }
    return [options] { return MysqlTarget::open(options.url, options.user, options.password); };
}

RdbWriter::RdbWriter(const core::WriterContext& context, RdbOptions options)
    : config_(context.config),
      options_(std::move(options)),
      destination_(context.destination),
      group_(context.group),
      adapter_key_(context.adapter.key),
      strand_(context.strand),
      mappings_(
          context.mapping_dir(),
          config::MappingOwner{context.adapter, context.destination, context.group},
          context.placeholders,
          &config::read_rdb_mapping
      ),
      dead_letters_(context.dead_letters),
      replay_(
          context.config.data_dir + "/written/" + file_name(context.destination),
          file_name(context.group) + "." + file_name(context.adapter.key),
          context.config.canal.server.empty()
      ),
      load_store_(context.config.data_dir, destination_, group_, adapter_key_) {
    // One transaction with the position in it can't be spread over connections.
    const size_t lanes = options_.target_position ? 1 : options_.threads;
    LaneOptions lane;
    lane.skip_duplicates = options_.skip_duplicates;
    lane.reinsert = options_.reinsert;
    lane.dead_letters = &dead_letters_;
    for (size_t i = 0; i < lanes; i++) {
        lanes_.push_back(std::make_unique<Lane>(i, session_opener(options_), lane, counts_));
    }
}

RdbWriter::~RdbWriter() = default;

void RdbWriter::load_mappings() {
    auto refreshed = mappings_.refresh();
    core::log_findings(log_, refreshed.findings);
    if (refreshed.changed) {
        routes_.set_mappings(mappings_.mappings());
    }
}

Awaitable<Result<void>> RdbWriter::open() {
    load_mappings();
    mark_.reset();
    if (auto noted = replay_.open(); !noted) {
        co_return noted;
    }
    if (Result<void> loads = read_loads(); !loads) {
        co_return loads;
    }
    const Lane::Call nothing = [](TargetSession&) { return Outcome(); };
    Result<void> connected = co_await lanes_.front()->run(nothing, "target");
    if (connected && options_.target_position) {
        connected = co_await read_position();
    }
    co_return connected;
}

std::string RdbWriter::position_id() const {
    return destination_ + "/" + group_ + "/" + adapter_key_;
}

Awaitable<Result<void>> RdbWriter::read_position() {
    std::vector<SqlRow> rows;
    const std::string id = position_id();
    const Lane::Call call = [&rows, &id](TargetSession& session) -> Outcome {
        if (Outcome failed = session.execute(create_position_table(session.family()))) {
            return failed;
        }
        if (Outcome failed = session.execute(begin_position(session.family(), id))) {
            return failed;
        }
        if (Outcome failed = session.begin()) {
            return failed;
        }
        if (Outcome failed = session.query(select_position(session.family(), id), rows)) {
            return failed;
        }
        return session.commit();
    };
    Result<void> read = co_await lanes_.front()->run(call, "position table");
    if (!read) {
        co_return read;
    }
    SourceMark mark;
    covered_.reset();
    if (!rows.empty()) {
        mark.file = rows[0][0].value_or("");
        mark.offset = parse_int(rows[0][1].value_or("")).value_or(0);
        mark.entries = parse_uint(rows[0][2].value_or("")).value_or(0);
        if (mark.is_set()) {
            covered_.emplace(mark, passed_);
        }
        log_.info(
            "goes on behind the position in the target",
            {
                {"destination", destination_},
                {"file", mark.file},
                {"offset", mark.offset},
                {"entries", mark.entries},
            }
        );
    }
    behind_mark_ = true;
    mark_ = mark;
    co_return Result<void>();
}

Awaitable<Result<void>> RdbWriter::stop_counting() {
    if (!options_.target_position) {
        co_return Result<void>();
    }
    if (!mark_) {
        Result<void> read = co_await read_position();
        if (!read) {
            co_return read;
        }
    }
    SourceMark mark = *mark_;
    mark.entries = 0;
    const std::string sql = store_position(options_.url.family, position_id(), mark);
    const Lane::Call call = [&sql](TargetSession& session) -> Outcome {
        if (Outcome failed = session.begin()) {
            return failed;
        }
        if (Outcome failed = session.execute(sql)) {
            return failed;
        }
        return session.commit();
    };
    Result<void> stored = co_await lanes_.front()->run(call, "position");
    if (!stored) {
        mark_.reset();
        co_return stored;
    }
    mark_ = mark;
    log_.warn(
        "a transaction of one place in the log is more than the server keeps: its changes can't be "
        "counted, and may be written again after a crash",
        {{"destination", destination_}, {"file", mark.file}, {"offset", mark.offset}}
    );
    co_return stored;
}

// A batch has one barrier at its end; how many rows a transaction has is the lanes' business.
size_t RdbWriter::part_rows(size_t configured) const {
    return options_.target_position ? configured : SIZE_MAX;
}

// With a position in the target nothing that it covers comes this far.
bool RdbWriter::may_be_written(const Dml& dml, bool in_doubt) const {
    if (after_load_) {
        return true;
    }
    if (!only_task_.empty() || (mark_ && covered_ && !covered_->leaves_open(dml))) {
        return false;
    }
    return in_doubt;
}

Awaitable<Result<void>> RdbWriter::write(const core::DmlBatch& batch) {
    if (batch.session != session_) {
        // What the session before this one did not see acknowledged comes again.
        session_ = batch.session;
        mark_.reset();
        passed_ = {};
    }
    if (options_.target_position && !mark_ && batch.only_task.empty()) {
        Result<void> read = co_await read_position();
        if (!read) {
            co_return read;
        }
    }
    only_task_ = batch.only_task;
    if (only_task_.empty()) {
        replay_.begin(batch.session);
    }
    after_load_ = is_after_load(batch);
    Result<void> done = co_await write_batch(batch);
    if (stopped_ && !done) {
        co_return Error{Errc::Stopped, Retry::Never, "stopped"};
    }
    if (!done) {
        // Whatever is wrong may be put right at the target: look at it again.
        routes_.forget_plans();
        mark_.reset();
        co_return done;
    }
    if (only_task_.empty()) {
        written_ = {};
        replay_.passed(batch.rows);
        for (const Dml& dml : options_.target_position ? batch.dmls : std::span<const Dml>()) {
            passed_.move_to(dml);
        }
        if (!batch.dmls.empty()) {
            stream_log_ = batch.dmls.back().log_file;
        }
    }
    end_replay(batch);
    co_return done;
}

Awaitable<Result<void>> RdbWriter::write_batch(const core::DmlBatch& batch) {
    const std::string place = place_of(batch);
    size_t before = 0;  // segments of this batch that are written
    const bool keeps = options_.target_position && only_task_.empty();
    // The position in the target says it by itself, and DDL that it covers begins no segment.
    if (!keeps && written_.id == batch.id && written_.rows == batch.rows &&
        written_.place == place) {
        before = written_.segments;
    }
    written_ = {batch.id, batch.rows, place, before};
    if (before == 0 && is_ahead(batch)) {
        ahead_.ready = false;
        in_hand_ ^= 1;
        counts_.ahead++;
        Result<void> flushed = co_await flush_parts(false, ahead_.segment.last, {});
        co_return flushed;
    }
    Segment segment;
    segment.ops.reserve(batch.rows);
    size_t number = 0;
    bool behind = false;  // the mark moved past what is stored
    for (size_t i = 0; i <= batch.dmls.size(); i++) {
        const bool end = i == batch.dmls.size();
        const Dml* dml = end ? nullptr : &batch.dmls[i];
        if (dml != nullptr && keeps) {
            if (dml->log_file.empty()) {
                co_return Error{
                    Errc::Unsupported,
                    Retry::Backoff,
                    "canal.adapter.position: target needs a source whose log consists of files: " +
                        destination_ + " names none"
                };
            }
            if (covered_ && covered_->covers(*dml)) {
                continue;
            }
        }
        const bool row = dml != nullptr && !dml->is_ddl && dml->type != canal::EventType::Truncate;
        // Rows that may have been written before, and such that can't, have each their own segment.
        const bool in_doubt = row && replay_.covers(*dml);
        const bool again = row && may_be_written(*dml, in_doubt);
        const bool turns = row && segment.last != nullptr && segment.again != again;
        if ((!row || turns) && number >= before) {
            std::string position;
            if (keeps && behind) {
                position = store_position(options_.url.family, position_id(), *mark_);
            }
            Result<void> flushed = co_await flush(segment, position);
            if (!flushed) {
                co_return flushed;
            }
            behind = false;
            written_.segments = turns ? number : number + 1;
        }
        if (turns) {
            segment = {};
        }
        if (row) {
            segment.again = again;
            segment.recheck = segment.recheck || in_doubt;
            segment.last = dml;
            if (has_rows(*dml) && number >= before && !add_known(*dml, false, segment)) {
                Result<void> added = co_await add_rows(*dml, segment);
                if (!added) {
                    co_return added;
                }
            }
            if (keeps) {
                mark_->move_to(*dml);
                behind = true;
            }
            continue;
        }
        segment = {};
        number++;
        if (dml == nullptr) {
            break;
        }
        if (number >= before) {
            Result<void> applied = co_await apply_ddl(*dml);
            if (!applied) {
                co_return applied;
            }
        }
        if (keeps) {
            mark_->move_to(*dml);
            behind = true;
        }
    }
    co_return Result<void>();
}

// Where nothing has to be waited for or left out: as nearly always. False: nothing was added, or,
// with `shapes_too`, not all.
bool RdbWriter::add_known(const Dml& dml, bool shapes_too, Segment& segment) {
    if (!only_task_.empty() || !covers_.empty()) {
        return false;
    }
    std::vector<Route>& routes = routes_.of(dml);
    for (Route& route : routes) {
        if (route.plan_for(dml) == nullptr) {
            return false;
        }
    }
    for (Route& route : routes) {
        for (uint32_t row = 0; row < dml.rows.size(); row++) {
            if (!add_op(route.plans.front().get(), dml, row, shapes_too, segment)) {
                return false;
            }
        }
    }
    return true;
}

Awaitable<Result<void>> RdbWriter::add_rows(const Dml& dml, Segment& segment) {
    for (Route& route : routes_.of(dml)) {
        if (!only_task_.empty() && route.mapping->task != only_task_) {
            continue;
        }
        const Result<bool> covered = is_covered(route, dml);
        if (!covered) {
            co_return covered.error();
        }
        if (*covered) {
            continue;
        }
        SqlPlan* plan = route.plan_for(dml);
        if (plan == nullptr) {
            Result<SqlPlan*> made = co_await plan_for(route, dml);
            if (!made) {
                co_return made.error();
            }
            plan = *made;
        }
        for (uint32_t row = 0; row < dml.rows.size(); row++) {
            add_op(plan, dml, row, false, segment);
        }
    }
    co_return Result<void>();
}

Awaitable<Result<SqlPlan*>> RdbWriter::plan_for(Route& route, const Dml& dml) {
    auto [database, name] = target_of(*route.mapping, dml);
    TargetTable table;
    const Lane::Call call = [&](TargetSession& session) -> Outcome {
        if (Outcome failed = session.describe(database, name, table)) {
            return failed;
        }
        return session.rollback();
    };
    const std::string what = route.mapping->task + ": table " + name + " of the target";
    Result<void> described = co_await lanes_.front()->run(call, what);
    if (!described) {
        co_return described.error();
    }
    if (table.columns.empty()) {
        co_return Error{Errc::NotFound, Retry::Backoff, what + ": there is none"};
    }
    PlanOptions options;
    options.family = options_.url.family;
    options.zero_date = options_.zero_date;
    auto plan = make_plan(*route.mapping, dml, table, options);
    if (!plan) {
        co_return plan.error();
    }
    if ((*plan)->key.empty()) {
        log_.warn(
            "rows are found by all their columns: no key is known",
            {
                {"task", route.mapping->task},
                {"table", (*plan)->table_name},
            }
        );
    }
    route.plans.insert(route.plans.begin(), std::move(*plan));
    co_return route.plans.front().get();
}

Awaitable<void> RdbWriter::write_lane(size_t lane, std::string position, Result<void>* result) {
    *result = co_await lanes_[lane]->write(parts_[in_hand_], again_, std::move(position));
}

// Waits for all lanes, also when one fails.
Awaitable<Result<void>> RdbWriter::flush_lanes(std::string position) {
    std::vector<Result<void>> results(lanes_.size());
    TaskGroup running(strand_);
    const size_t wanted = std::min(lanes_.size(), parts_[in_hand_].count());
    for (size_t i = 1; i < wanted; i++) {
        running.spawn(strand_, write_lane(i, std::string(), &results[i]));
    }
    co_await write_lane(0, std::move(position), &results[0]);
    co_await running.wait_for_all();
    for (Result<void>& result : results) {
        if (!result) {
            co_return std::move(result);
        }
    }
    co_return Result<void>();
}

Awaitable<void> RdbWriter::refresh() {
    load_mappings();
    co_return;
}

Awaitable<void> RdbWriter::close() {
    for (const auto& lane : lanes_) {
        co_await lane->close();
    }
}

bool RdbWriter::has_task(const std::string& task) const { return mappings_.find(task) != nullptr; }

Awaitable<Result<core::TaskCount>> RdbWriter::count(std::string task) {
    const RdbMapping* mapping = mappings_.find(task);
    if (mapping == nullptr || mapping->mirror_db) {
        co_return Error{Errc::NotFound, Retry::Never, "no table mapping " + task};
    }
    const auto [database, name] = target_of(*mapping, Dml());
    core::TaskCount counted;
    counted.label_key = "targetTable";
    counted.label = quote_name(options_.url.family, name);
    if (!database.empty()) {
        counted.label = quote_name(options_.url.family, database) + "." + counted.label;
    }
    const Lane::Call call = [&counted](TargetSession& session) -> Outcome {
        std::vector<SqlRow> rows;
        if (Outcome failed = session.query("SELECT COUNT(*) FROM " + counted.label, rows)) {
            return failed;
        }
        counted.count = parse_uint(rows[0][0].value_or("")).value_or(0);
        return session.rollback();
    };
    Result<void> done = co_await lanes_.front()->run(call, task);
    if (!done) {
        co_return done.error();
    }
    co_return counted;
}

void RdbWriter::stop() {
    stopped_ = true;
    stop_load();
    for (const auto& lane : lanes_) {
        lane->interrupt();
    }
}

}  // namespace obcanal::adapter::rdb
