// The writing half of a TableLoad.
#include "adapter/rdb/sql_text.h"
#include "adapter/rdb/table_load.h"
#include "protocol/base/text.h"

#include <algorithm>

namespace obcanal::adapter::rdb {

namespace {

using core::DmlRow;

constexpr int kAgainLimit = 100;  // deadlocks of one piece

}  // namespace

Error to_load_error(const std::string& what, const Failure& failed) {
    return {
        failed.cause == Cause::Lost ? Errc::Closed : Errc::Refused,
        Retry::Backoff,
        what + ": " + failed.text
    };
}

Result<void> TableLoad::write(TargetSession& target, const std::vector<const DmlRow*>& rows) {
    for (int attempt = 0;; attempt++) {
        const Mode mode = mode_;
        const Outcome failed = write_many(target, rows);
        if (failed && failed->cause == Cause::Lost) {
            return to_load_error(name() + ": writing", *failed);
        }
        if (failed) {
            if (const Outcome undone = target.rollback()) {
                return to_load_error(name() + ": ROLLBACK", *undone);
            }
            if (failed->cause == Cause::Again && attempt < kAgainLimit) {
                continue;
            }
            if (failed->cause == Cause::Duplicate && mode == Mode::Insert) {
                mode_ = Mode::Upsert;
                continue;
            }
            Result<void> done = write_each(target, rows);
            if (!done && done.error().retry == Retry::Now && attempt < kAgainLimit) {
                continue;
            }
            if (!done) {
                return done;
            }
        }
        rows_ += rows.size();
        context_.progress->add(rows.size());
        return {};
    }
}

Outcome TableLoad::write_many(TargetSession& target, const std::vector<const DmlRow*>& rows) {
    const Mode mode = mode_;
    Unit unit;
    unit.plan = plan_.get();
    unit.shape = shape_;
    unit.rows = rows;
    uint64_t matched = 0;
    Outcome failed = target.begin();
    if (!failed && mode == Mode::Replace && !target_is_empty_) {
        unit.kind = OpKind::Delete;
        failed = target.run(unit, matched);
    }
    if (!failed) {
        unit.kind = OpKind::Insert;
        unit.upsert = mode == Mode::Upsert;
        failed = target.run(unit, matched);
    }
    return failed ? failed : target.commit();
}

Result<void> TableLoad::write_each(TargetSession& target, const std::vector<const DmlRow*>& rows) {
    Outcome failed = target.begin();
    for (const DmlRow* row : rows) {
        failed = failed ? failed : write_one(target, *row);
        if (!failed) {
            continue;
        }
        if (failed->cause == Cause::Lost || failed->cause == Cause::Again) {
            break;
        }
        if (auto parked = refused(*row, *failed); !parked) {
            static_cast<void>(target.rollback());
            return parked;
        }
        failed.reset();
    }
    failed = failed ? failed : target.commit();
    if (!failed) {
        return {};
    }
    Error error = to_load_error(name() + ": writing", *failed);
    if (failed->cause == Cause::Again) {
        error.retry = Retry::Now;
    }
    if (failed->cause != Cause::Lost && target.rollback()) {
        error.code = Errc::Closed;
    }
    return error;
}

Outcome TableLoad::write_one(TargetSession& target, const DmlRow& row) {
    const Mode mode = mode_;
    const auto run = [&](OpKind kind, uint64_t& matched) {
        Unit unit;
        unit.plan = plan_.get();
        unit.shape = shape_;
        unit.kind = kind;
        unit.rows.push_back(&row);
        return target.run_alone(unit, matched);
    };
    uint64_t matched = 0;
    if (mode == Mode::Append || mode == Mode::Replace) {
        Outcome failed;
        if (mode == Mode::Replace) {
            failed = run(OpKind::Delete, matched);
        }
        return failed ? failed : run(OpKind::Insert, matched);
    }
    // Each turn makes room in one unique index more.
    for (size_t turn = 0;; turn++) {
        Outcome failed = run(OpKind::Update, matched);
        if (!failed && matched > 0) {
            return failed;
        }
        failed = failed ? failed : run(OpKind::Insert, matched);
        if (!failed || failed->cause != Cause::Duplicate || turn > plan_->unique.size()) {
            return failed;
        }
        if (Outcome stays = make_room(target, row, *failed)) {
            return stays;
        }
    }
}

// Another row holds a unique value of this one. It was read before or is stale: it is read later,
// or its change that gives the value up comes with the stream, and either writes it whole.
Outcome TableLoad::make_room(TargetSession& target, const DmlRow& row, const Failure& failed) {
    const auto index = std::ranges::find_if(plan_->unique, [&failed](const TargetIndex& one) {
        return equals_ignore_case(one.name, failed.constraint);
    });
    std::string sql;
    if (index == plan_->unique.end() ||
        !append_delete_holder(sql, context_.family, *plan_, *index, row)) {
        return failed;
    }
    return target.execute(sql);
}

Result<void> TableLoad::refused(const DmlRow& row, const Failure& failed) {
    const std::string cause = key_text(*plan_, row) + ": " + failed.text;
    if (mapping_.on_error != config::OnError::Park || context_.dead_letters == nullptr) {
        return to_load_error(name() + ": " + key_text(*plan_, row), failed);
    }
    // As Canal has them: bytes widened.
    std::vector<std::string> texts;
    std::vector<core::DmlValue> values(row.after.begin(), row.after.end());
    texts.reserve(values.size());
    for (size_t i = 0; i < values.size(); i++) {
        const ValueRule rule = make_rule(dml_.columns[i].mysql_type, {}, SqlFamily::Mysql, {});
        if (rule.bind == BindAs::Bytes) {
            std::string& text = texts.emplace_back();
            append_latin1(text, as_bytes(values[i].text));
            values[i].text = text;
        }
    }
    core::Dml dml = dml_;
    dml.rows.push_back({{}, values});
    core::RefusedChange change;
    change.task = mapping_.task;
    change.cause = "full load: " + cause;
    change.dml = &dml;
    return context_.dead_letters->park(change);
}

}  // namespace obcanal::adapter::rdb
