#include "server/source/binlog_position.h"

#include "server/schema/log_point.h"

#include <algorithm>
#include <utility>

namespace obcanal::source {

std::string BinlogPoint::text() const {
    std::string out = file.empty() ? "" : file + ":" + std::to_string(offset);
    if (done) out += " (done)";
    if (events > 0) out += " (event " + std::to_string(events) + " done)";
    if (!executed.empty()) out += (out.empty() ? "GTIDs " : ", GTIDs ") + executed;
    return out;
}

BinlogPoint point_of(const canal::LogPosition& position) {
    BinlogPoint point;
    point.file = position.journal_name;
    point.offset =
        static_cast<uint64_t>(std::max(position.position, static_cast<int64_t>(kFirstLogOffset)));
    point.executed = position.gtid;
    if (!position.binlog) return point;
    point.done = position.binlog->done;
    point.events = position.binlog->events;
    point.gtid = position.binlog->gtid;
    return point;
}

Result<ExecutedGtids> ExecutedGtids::parse(std::string_view text, bool mariadb) {
    ExecutedGtids gtids;
    if (mariadb) {
        auto set = mysql::MariadbGtidSet::parse(text);
        if (!set) return std::move(set).error();
        gtids.set_ = std::move(*set);
    } else {
        auto set = mysql::GtidSet::parse(text);
        if (!set) return std::move(set).error();
        gtids.set_ = std::move(*set);
    }
    return gtids;
}

void ExecutedGtids::add(const mysql::Gtid& gtid) {
    if (auto* set = std::get_if<mysql::GtidSet>(&set_)) set->add(gtid);
}

void ExecutedGtids::add(const mysql::MariadbGtid& gtid) {
    if (auto* set = std::get_if<mysql::MariadbGtidSet>(&set_)) set->update(gtid);
}

std::string ExecutedGtids::text() const {
    return std::visit([](const auto& set) { return set.text(); }, set_);
}

namespace {

schema::LogPoint log_point(const canal::LogPosition& position) {
    return {position.journal_name, static_cast<uint64_t>(position.position)};
}

}  // namespace

void SettledPosition::set(int64_t beat, canal::LogPosition at) {
    const std::lock_guard lock(mutex_);
    beat_ = beat;
    position_ = std::move(at);
}

std::optional<canal::LogPosition> SettledPosition::at(int64_t beat) const {
    const std::lock_guard lock(mutex_);
    if (beat != beat_) return std::nullopt;
    return position_;
}

BinlogTracker::BinlogTracker(
    std::vector<Endpoint> servers,
    std::shared_ptr<const SettledPosition> settled,
    const std::optional<canal::LogPosition>& from
)
    : servers_(std::move(servers)), settled_(std::move(settled)) {
    if (!from) return;
    position_ = *from;
    executed_ = from->gtid;
}

void BinlogTracker::consumed(const Consumed& entry) {
    const canal::TxnMark& txn = entry.txn;
    const Endpoint& server = servers_.at(txn.server);
    position_.identity.host = server.host;
    position_.identity.port = server.port;
    position_.journal_name.assign(txn.log);
    position_.timestamp_ms = entry.execute_ms;
    position_.server_id = txn.server_id;
    canal::BinlogResume resume;
    if (entry.complete) {
        position_.position = entry.offset;
        resume.done = true;
        executed_.assign(txn.id);
    } else {
        position_.position = txn.log_offset;
        resume.events = entry.rows_done;
        resume.gtid.assign(txn.gtid);
    }
    position_.gtid = executed_;
    position_.binlog = std::move(resume);
}

void BinlogTracker::checkpoint(int64_t beat) {
    std::optional<canal::LogPosition> settled = settled_->at(beat);
    if (!settled) return;
    // What was consumed since may lie behind it already.
    const bool known = !position_.journal_name.empty();
    if (known && settled->identity != position_.identity) return;
    if (known && log_point(*settled) <= log_point(position_)) return;
    position_ = std::move(*settled);
    executed_ = position_.gtid;
}

}  // namespace obcanal::source
