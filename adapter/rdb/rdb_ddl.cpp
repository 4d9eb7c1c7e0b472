// What a source's DDL does at the target: TRUNCATE of mapped tables, statements of mirrored
// databases.
#include "adapter/rdb/mirror_ddl.h"
#include "adapter/rdb/rdb_writer.h"

namespace obcanal::adapter::rdb {

using config::RdbMapping;
using core::Dml;

namespace {

const std::vector<std::string> kNothing;

}  // namespace

Awaitable<Result<void>> RdbWriter::apply_ddl(const Dml& dml) {
    // Of DDL the target's position is stored with what follows it.
    const bool again =
        after_load_ ||
        (mark_ && covered_ ? behind_mark_ : may_be_written(dml, replay_.covers(dml)));
    if (only_task_.empty()) {
        if (auto noted = replay_.note(dml); !noted) {
            co_return noted;
        }
    }
    if (dml.type == canal::EventType::Truncate) {
        for (Route& route : routes_.of(dml)) {
            const RdbMapping& mapping = *route.mapping;
            if (mapping.mirror_db || !mapping.apply_truncate ||
                (!only_task_.empty() && mapping.task != only_task_)) {
                continue;
            }
            Result<void> done = co_await truncate(mapping, dml);
            if (!done) {
                co_return done;
            }
        }
    }
    Result<void> mirrored = co_await mirror_ddl(dml, again);
    routes_.forget_plans();
    behind_mark_ = behind_mark_ && !mirrored;
    if (!mirrored && mirrored.error().code == Errc::Refused && only_task_.empty()) {
        if (auto noted = replay_.take_back(); !noted) {
            co_return noted;
        }
    }
    co_return mirrored;
}

Awaitable<Result<void>> RdbWriter::truncate(const RdbMapping& mapping, const Dml& dml) {
    const auto [database, name] = target_of(mapping, dml);
    std::string table = quote_name(options_.url.family, name);
    if (!database.empty()) {
        table = quote_name(options_.url.family, database) + "." + table;
    }
    const Lane::Call call = [&table](TargetSession& session) -> Outcome {
        Outcome failed = session.execute_ddl("", "TRUNCATE TABLE " + table);
        if (!failed || failed->cause == Cause::Lost) {
            return failed;
        }
        // Referred to by a foreign key.
        failed = session.begin();
        if (!failed) {
            failed = session.execute("DELETE FROM " + table);
        }
        return failed ? failed : session.commit();
    };
    log_.info("TRUNCATE", {{"task", mapping.task}, {"table", table}});
    Result<void> done = co_await lanes_.front()->run(call, mapping.task + ": TRUNCATE " + table);
    co_return done;
}

Awaitable<Result<void>> RdbWriter::mirror_ddl(const Dml& dml, bool again) {
    for (const RdbMapping* mapping : routes_.mirrors(dml.database)) {
        if ((!only_task_.empty() && mapping->task != only_task_) || dml.sql.empty()) {
            continue;
        }
        core::RefusedChange change;
        change.task = mapping->task;
        change.dml = &dml;
        const bool parks = mapping->on_error == config::OnError::Park && only_task_.empty();
        if (parks && replay_.covers(dml) && dead_letters_.was_parked(change)) {
            continue;
        }
        if (parks && dead_letters_.has_earlier(change)) {
            change.cause = "waits behind an earlier change of its table";
            if (auto parked = dead_letters_.park(change); !parked) {
                co_return parked;
            }
            continue;
        }
        const auto statement = mirror_statement(dml, options_.url.family);
        std::string applied;
        const Lane::Call call = [&](TargetSession& session) -> Outcome {
            Outcome failed = session.execute_ddl(statement->database, statement->sql);
            if (failed &&
                (failed->cause == Cause::Idle || (failed->cause == Cause::Applied && again))) {
                applied = failed->text;
                return std::nullopt;
            }
            return failed;
        };
        log_.info("DDL", {{"task", mapping->task}, {"sql", printable(dml.sql)}});
        Result<void> done;
        const std::string what = mapping->task + ": DDL \"" + printable(dml.sql) + "\"";
        if (!statement) {
            done = Error{Errc::Refused, Retry::Backoff, what + ": " + statement.error().detail};
        } else if (!statement->sql.empty()) {
            done = co_await lanes_.front()->run(call, what);
        }
        for (const std::string& left : statement ? statement->notes : kNothing) {
            log_.warn(
                "left out of a DDL: no row depends on it", {{"task", mapping->task}, {"what", left}}
            );
        }
        if (!applied.empty()) {
            log_.warn("DDL was applied before", {{"task", mapping->task}, {"answer", applied}});
        }
        if (!done && done.error().code == Errc::Refused && parks) {
            change.cause = done.error().detail;
            done = dead_letters_.park(change);
        }
        if (!done) {
            co_return done;
        }
    }
    co_return Result<void>();
}

}  // namespace obcanal::adapter::rdb
