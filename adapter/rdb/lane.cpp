#include "adapter/rdb/lane.h"

#include "adapter/rdb/sql_text.h"
#include "protocol/base/text.h"

#include <algorithm>
#include <array>

namespace obcanal::adapter::rdb {

namespace {

using core::DmlRow;

constexpr int kAgainLimit = 10;  // deadlocks of one transaction before the batch is given back
constexpr std::chrono::milliseconds kWarnPeriod{10'000};

Error to_error(const Failure& failed, std::string text) {
    Errc code = Errc::Refused;
    if (failed.cause == Cause::Lost) {
        code = Errc::Closed;
    } else if (failed.cause == Cause::Unable) {
        code = Errc::Io;
    }
    return {code, Retry::Backoff, std::move(text)};
}

bool is_key(const SqlPlan& plan, const std::string& constraint) {
    return std::ranges::none_of(plan.unique, [&constraint](const TargetIndex& index) {
        return equals_ignore_case(index.name, constraint);
    });
}

core::RefusedChange refused(const Op& op, const std::string& cause) {
    core::RefusedChange change;
    change.task = op.plan->task;
    change.cause = cause;
    change.dml = op.dml;
    change.row = op.row;
    return change;
}

}  // namespace

std::string describe_op(const Op& op, std::string_view cause) {
    constexpr std::array<std::string_view, 3> kNames{"INSERT into ", "UPDATE of ", "DELETE from "};
    std::string text = op.plan->task + ": ";
    text += kNames.at(static_cast<size_t>(op.kind));
    text += op.plan->table_name + ", " + key_text(*op.plan, op.values()) + ": ";
    text += cause;
    return text;
}

Lane::Lane(size_t number, OpenSession open, LaneOptions options, LaneCounts& counts)
    : number_(number),
      open_(std::move(open)),
      options_(options),
      counts_(counts),
      gate_(kWarnPeriod) {}

Lane::~Lane() = default;

void Lane::interrupt() {
    const std::lock_guard lock(session_mutex_);
    stopped_ = true;
    if (session_) {
        session_->interrupt();
    }
}

void Lane::drop_session() {
    const std::lock_guard lock(session_mutex_);
    session_.reset();
}

Result<void> Lane::ensure_session() {
    {
        const std::lock_guard lock(session_mutex_);
        if (stopped_) {
            return Error{Errc::Stopped, Retry::Never, "stopped"};
        }
        if (session_) {
            return {};
        }
    }
    auto opened = open_();
    if (!opened) {
        return opened.error();
    }
    const std::lock_guard lock(session_mutex_);
    if (stopped_) {
        return Error{Errc::Stopped, Retry::Never, "stopped"};
    }
    session_ = std::move(*opened);
    return {};
}

Awaitable<Result<void>> Lane::write(LaneParts& parts, bool replaying, std::string also) {
    Result<void> result;
    const std::function<void()> call = [&] { result = write_parts(parts, replaying, also); };
    co_await thread_.run(call);
    co_return result;
}

// The strand, which reads the next batch meanwhile, is not asked between the parts.
Result<void> Lane::write_parts(LaneParts& parts, bool replaying, const std::string& also) {
    while (LaneParts::Part* part = parts.next()) {
        for (LaneWork& work : *part) {
            make_units(work);
            if (Result<void> done = write_here(work, replaying, also); !done) {
                parts.fail();
                return done;
            }
        }
    }
    return {};
}

Awaitable<Result<void>> Lane::run(Call call, std::string what) {
    Result<void> result;
    const std::function<void()> here = [&] {
        result = ensure_session();
        if (!result) {
            return;
        }
        const Outcome failed = call(*session_);
        if (!failed) {
            return;
        }
        if (failed->cause == Cause::Lost) {
            drop_session();
        } else {
            static_cast<void>(session_->rollback());
        }
        result = to_error(*failed, what + ": " + failed->text);
    };
    co_await thread_.run(here);
    co_return result;
}

Awaitable<void> Lane::close() {
    const std::function<void()> call = [this] { drop_session(); };
    co_await thread_.run(call);
}

Result<void> Lane::lost(const std::string& what, const Failure& failed) {
    if (failed.cause == Cause::Lost) {
        drop_session();
    } else if (const Outcome again = session_->rollback()) {
        drop_session();
    }
    return to_error(failed, what + failed.text);
}

Result<void> Lane::write_here(const LaneWork& work, bool replaying, const std::string& also) {
    after_load_ = work.after_load;
    for (int attempt = 0;; attempt++) {
        if (auto ready = ensure_session(); !ready) {
            return ready;
        }
        const bool rows_alone =
            std::ranges::any_of(work.ops, [&](const Op& op) { return must_park(work, op); });
        bool fits = !rows_alone;
        Outcome failed;
        if (fits) {
            failed = write_units(work, replaying, also, fits);
            if (!failed && fits) {
                counts_.rows += work.ops.size();
                return {};
            }
        }
        if (failed && (failed->cause == Cause::Lost || failed->cause == Cause::Unable)) {
            return lost("", *failed);
        }
        if (const Outcome undone = session_->rollback()) {
            return lost("ROLLBACK: ", *undone);
        }
        if (failed && failed->cause == Cause::Again && attempt < kAgainLimit) {
            counts_.tried_again++;
            continue;
        }
        counts_.row_by_row++;
        auto done = write_rows(work, replaying, also);
        if (!done && done.error().retry == Retry::Now && attempt < kAgainLimit) {
            counts_.tried_again++;
            continue;
        }
        return done;
    }
}

// `fits` false: a row was not there whose absence has to be looked at.
Outcome Lane::write_units(
    const LaneWork& work, bool replaying, const std::string& also, bool& fits
) {
    if (Outcome failed = session_->begin()) {
        return failed;
    }
    for (const Unit& unit : work.units) {
        uint64_t matched = 0;
        if (Outcome failed = session_->run(unit, matched)) {
            return failed;
        }
        if (unit.kind == OpKind::Update && matched < unit.rows.size()) {
            if (replaying || options_.reinsert || unit.moves) {
                fits = false;
                return std::nullopt;
            }
            counts_.unmatched += unit.rows.size() - matched;
        }
    }
    if (!also.empty()) {
        if (Outcome failed = session_->execute(also)) {
            return failed;
        }
    }
    return session_->commit();
}

bool Lane::parks(const LaneWork& work, const Op& op) const {
    return work.parks && options_.dead_letters != nullptr &&
           op.plan->mapping->on_error == config::OnError::Park;
}

// It is in a letter already, or has to wait behind one.
bool Lane::must_park(const LaneWork& work, const Op& op) const {
    if (!parks(work, op)) {
        return false;
    }
    const core::RefusedChange change = refused(op, {});
    return options_.dead_letters->has_earlier(change) ||
           (work.recheck && options_.dead_letters->was_parked(change));
}

Result<void> Lane::park(const Op& op, const std::string& cause) {
    counts_.parked++;
    return options_.dead_letters->park(refused(op, cause));
}

// A change that may be parked is so before the commit: with the position in the target's own
// transaction it would not come again.
Result<void> Lane::write_rows(const LaneWork& work, bool replaying, const std::string& also) {
    if (const Outcome failed = session_->begin()) {
        return lost("BEGIN: ", *failed);
    }
    for (const Op& op : work.ops) {
        if (must_park(work, op)) {
            if (work.recheck && options_.dead_letters->was_parked(refused(op, {}))) {
                continue;
            }
            if (auto parked = park(op, "waits behind an earlier change of its key"); !parked) {
                static_cast<void>(session_->rollback());
                return parked;
            }
            continue;
        }
        const Outcome failed = write_row(op, replaying);
        if (!failed) {
            continue;
        }
        if (failed->cause == Cause::Lost) {
            return lost(describe_op(op, ""), *failed);
        }
        // The other row is gone already, or not yet: what this one refers to changes later, too.
        if (failed->cause == Cause::Reference && passes_over(op, *failed, replaying)) {
            continue;
        }
        if (failed->cause == Cause::Again) {
            Error error = lost(describe_op(op, ""), *failed).error();
            error.retry = Retry::Now;
            return error;
        }
        const bool to_blame = failed->cause == Cause::Duplicate ||
                              failed->cause == Cause::Reference || failed->cause == Cause::Refused;
        if (!parks(work, op) || !to_blame) {
            return lost(describe_op(op, ""), *failed);
        }
        if (auto parked = park(op, failed->text); !parked) {
            static_cast<void>(session_->rollback());
            return parked;
        }
    }
    if (!also.empty()) {
        if (const Outcome failed = session_->execute(also)) {
            return lost("position: ", *failed);
        }
    }
    if (const Outcome failed = session_->commit()) {
        return lost("COMMIT: ", *failed);
    }
    counts_.rows += work.ops.size();
    return {};
}

Outcome Lane::run_one(
    const Op& op, OpKind kind, const Shape& shape, const DmlRow& row, uint64_t& matched
) {
    Unit unit;
    unit.plan = op.plan;
    unit.kind = kind;
    unit.shape = &shape;
    unit.rows.push_back(&row);
    return session_->run_alone(unit, matched);
}

Outcome Lane::write_row(const Op& op, bool replaying) {
    if (op.kind == OpKind::Insert) {
        return insert_row(op, replaying);
    }
    if (op.kind == OpKind::Update) {
        return op.moves && op.plan->whole(op.values()) ? move_row(op, replaying)
                                                       : update_row(op, replaying);
    }
    uint64_t matched = 0;
    return run_one(op, OpKind::Delete, *op.plan->shapes[op.shape], op.values(), matched);
}

Outcome Lane::insert_row(const Op& op, bool replaying) {
    uint64_t matched = 0;
    const Outcome failed =
        run_one(op, OpKind::Insert, *op.plan->shapes[op.shape], op.values(), matched);
    if (!failed || failed->cause != Cause::Duplicate) {
        return failed;
    }
    if (is_key(*op.plan, failed->constraint)) {
        if (!options_.skip_duplicates && !after_load_) {
            return failed;
        }
        counts_.duplicates_skipped++;
        return std::nullopt;
    }
    return settle_duplicate(op, *failed, replaying);
}

Outcome Lane::update_row(const Op& op, bool replaying) {
    uint64_t matched = 0;
    const DmlRow& row = op.values();
    const Outcome failed = run_one(op, OpKind::Update, *op.plan->shapes[op.shape], row, matched);
    if (failed) {
        const bool other =
            failed->cause == Cause::Duplicate && !is_key(*op.plan, failed->constraint);
        return other ? settle_duplicate(op, *failed, replaying) : failed;
    }
    if (matched > 0) {
        return std::nullopt;
    }
    counts_.unmatched++;
    if (!(replaying || options_.reinsert) || op.plan->key.empty() || !op.plan->whole(row)) {
        return std::nullopt;
    }
    counts_.reinserted++;
    Shape full;
    for (size_t i = 0; i < op.plan->columns.size(); i++) {
        full.columns.push_back(static_cast<uint16_t>(i));
    }
    const Outcome inserted = run_one(op, OpKind::Insert, full, row, matched);
    // Where another row has taken its unique value meanwhile, a later change gives it a new one.
    return inserted && inserted->cause == Cause::Duplicate ? std::nullopt : inserted;
}

// To the state that the row has after the move, whichever part of it was done before.
Outcome Lane::move_row(const Op& op, bool replaying) {
    Shape full;
    for (size_t i = 0; i < op.plan->columns.size(); i++) {
        full.columns.push_back(static_cast<uint16_t>(i));
    }
    const DmlRow& row = op.values();
    DmlRow there;
    there.before = row.after;
    there.after = row.after;
    uint64_t matched = 0;
    Outcome failed = run_one(op, OpKind::Update, full, row, matched);
    if (!failed && matched > 0) {
        return std::nullopt;
    }
    if (!failed) {
        counts_.unmatched++;
        failed = run_one(op, OpKind::Insert, full, row, matched);
        if (!failed) {
            return std::nullopt;
        }
    }
    if (failed->cause != Cause::Duplicate) {
        return failed;
    }
    if (!is_key(*op.plan, failed->constraint)) {
        // Whoever holds the unique value took it later: a later change of this row gives it up, and
        // writes the row whole where it finds none.
        return passes_over(op, *failed, replaying) ? run_one(op, OpKind::Delete, full, row, matched)
                                                   : failed;
    }
    if (Outcome gone = run_one(op, OpKind::Delete, full, row, matched)) {
        return gone;
    }
    failed = run_one(op, OpKind::Update, full, there, matched);
    const bool other =
        failed && failed->cause == Cause::Duplicate && !is_key(*op.plan, failed->constraint);
    return other && passes_over(op, *failed, replaying) ? std::nullopt : failed;
}

bool Lane::passes_over(const Op& op, const Failure& failed, bool replaying) {
    const bool parks = op.plan->mapping->on_error == config::OnError::Park && !after_load_;
    if (!replaying || parks) {
        return false;
    }
    if (gate_.pass() >= 0) {
        log_.warn(
            "another row is in the way while changes are written again",
            {
                {"change", describe_op(op, failed.text)},
            }
        );
    }
    counts_.duplicates_skipped++;
    return true;
}

// Another unique key than the mapping's. While changes come again it may be held by a row that took
// the value later, and then a later change of this row gives the value up: all but the columns of
// that index are written. Otherwise somebody else's row stands in the way.
Outcome Lane::settle_duplicate(const Op& op, const Failure& failed, bool replaying) {
    if (!passes_over(op, failed, replaying)) {
        return failed;
    }
    if (op.kind == OpKind::Insert) {
        return std::nullopt;
    }
    Shape rest;
    for (const uint16_t i : op.plan->shapes[op.shape]->columns) {
        const bool taken = std::ranges::any_of(op.plan->unique, [&](const TargetIndex& index) {
            return std::ranges::find(index.columns, op.plan->columns[i].target) !=
                   index.columns.end();
        });
        if (!taken) {
            rest.columns.push_back(i);
        }
    }
    uint64_t matched = 0;
    return rest.columns.empty() ? std::nullopt
                                : run_one(op, OpKind::Update, rest, op.values(), matched);
}

}  // namespace obcanal::adapter::rdb
