// What lanes get of a batch: when it is its turn, or ahead of it.
#include "adapter/rdb/rdb_writer.h"
#include "protocol/net/task_group.h"

#include <algorithm>

namespace obcanal::adapter::rdb {

namespace {

using core::Dml;

OpKind kind_of(const Dml& dml) {
    switch (dml.type) {
        case canal::EventType::Insert: return OpKind::Insert;
        case canal::EventType::Delete: return OpKind::Delete;
        default: return OpKind::Update;
    }
}

}  // namespace

bool RdbWriter::add_op(SqlPlan* plan, const Dml& dml, uint32_t row, bool known, Segment& segment) {
    Op op;
    op.plan = plan;
    op.dml = &dml;
    op.row = row;
    op.kind = kind_of(dml);
    const core::DmlRow& values = dml.rows[row];
    if (op.kind != OpKind::Delete && values.after.empty()) {
        return true;
    }
    if (op.kind == OpKind::Update) {
        if (values.before.empty()) {
            return true;  // nothing says what changed
        }
        op.moves = plan->moves(values);
    }
    if (known) {
        const auto shape = op.moves ? std::nullopt : plan->known_shape(values, op.kind);
        if (!shape) {
            return false;
        }
        op.shape = *shape;
    } else {
        op.shape = op.moves && plan->whole(values) ? plan->full_shape(values)
                                                   : plan->shape_of(values, op.kind);
    }
    if (op.kind != OpKind::Delete && plan->shapes[op.shape]->columns.empty()) {
        return true;  // no column of the mapping changed
    }
    if (op.moves) {
        segment.moved.insert(plan->table);
    }
    if (lanes_.size() > 1) {
        op.place = key_place(op);
    }
    segment.ops.push_back(op);
    return true;
}

Awaitable<Result<void>> RdbWriter::flush(Segment& segment, std::string position) {
    if (segment.ops.empty() && position.empty()) {
        co_return Result<void>();
    }
    LaneWork work;
    work.after_load = after_load_;
    work.parks = only_task_.empty();
    work.recheck = segment.recheck;
    divide_among_lanes(segment, work, parts_[in_hand_]);
    Result<void> done = co_await flush_parts(segment.again, segment.last, std::move(position));
    co_return done;
}

Awaitable<Result<void>> RdbWriter::flush_parts(bool again, const Dml* last, std::string position) {
    again_ = again;
    if (last != nullptr && only_task_.empty()) {
        if (auto noted = replay_.note(*last); !noted) {
            co_return noted;
        }
    }
    Result<void> done = co_await flush_lanes(std::move(position));
    behind_mark_ = behind_mark_ && !done;
    co_return done;
}

// `work`: what holds for all of it.
void RdbWriter::divide_among_lanes(const Segment& segment, const LaneWork& work, LaneParts& parts)
    const {
    // The position is in the transaction of all rows that it stands for.
    const size_t limit = options_.target_position ? SIZE_MAX : config_.sync_batch_size;
    const size_t count = count_parts(segment.ops.size(), lanes_.size(), limit);
    std::vector<Place> places(segment.ops.size());
    Places numbered;
    for (size_t i = 0; i < places.size() && count > 1; i++) {
        const Op& op = segment.ops[i];
        const bool together = !segment.moved.empty() && segment.moved.contains(op.plan->table);
        places[i] = numbered.of(op, together);
    }
    const std::vector<size_t> part_of = divide(places, count);
    parts.reset(count);
    for (size_t i = 0; i < segment.ops.size(); i++) {
        const Op& op = segment.ops[i];
        LaneParts::Part& part = parts.at(part_of[i]);
        // What one statement changed stays together.
        if (part.empty() ||
            (part.back().ops.size() >= limit && part.back().ops.back().dml != op.dml)) {
            part.push_back(work);
            part.back().ops.reserve(std::min(limit, segment.ops.size() / count + 1));
        }
        part.back().ops.push_back(op);
    }
    if (segment.ops.empty()) {
        parts.at(0).push_back(work);  // for a position alone
    }
    parts.sort();
}

// While lanes write the batch in hand: they find the next one divided, and don't stand still for
// it.
void RdbWriter::look_ahead(const core::DmlBatch& next) {
    ahead_.ready = route_ahead(next);
    if (ahead_.ready) {
        divide_among_lanes(ahead_.segment, LaneWork(), parts_[in_hand_ ^ 1]);
    }
}

// False where it is more than rows of known forms in one file of the log.
bool RdbWriter::route_ahead(const core::DmlBatch& next) {
    if (options_.target_position || !next.only_task.empty() || next.dmls.empty()) {
        return false;
    }
    ahead_.id = next.id;
    ahead_.session = next.session;
    ahead_.dmls = next.dmls;
    ahead_.earliest = &next.dmls.front();
    ahead_.plans = routes_.generation();
    Segment& segment = ahead_.segment;
    segment.ops.clear();
    segment.ops.reserve(next.rows);
    segment.last = &next.dmls.back();
    for (const Dml& dml : next.dmls) {
        if (dml.is_ddl || dml.type == canal::EventType::Truncate ||
            dml.log_file != ahead_.earliest->log_file ||
            (has_rows(dml) && !add_known(dml, true, segment))) {
            return false;
        }
        if (dml.log_offset < ahead_.earliest->log_offset) {
            ahead_.earliest = &dml;
        }
    }
    return !segment.ops.empty();
}

// And nothing has come in between that makes something else of it.
bool RdbWriter::is_ahead(const core::DmlBatch& batch) const {
    return ahead_.ready && only_task_.empty() && ahead_.id == batch.id &&
           ahead_.session == batch.session && ahead_.dmls.data() == batch.dmls.data() &&
           ahead_.dmls.size() == batch.dmls.size() && ahead_.plans == routes_.generation() &&
           replay_until_ms_ == 0 && !after_load_ && covers_.empty() &&
           !replay_.covers(*ahead_.earliest);
}

Awaitable<void> RdbWriter::drop_ahead() {
    ahead_.ready = false;
    co_return;
}

}  // namespace obcanal::adapter::rdb
