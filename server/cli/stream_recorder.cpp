#include "server/cli/stream_recorder.h"

#include "protocol/base/text.h"

#include <algorithm>
#include <utility>

namespace obcanal::cli {

using oblog::LogRecord;
using oblog::RecordType;

Result<void> StreamRecorder::add(Bytes bytes) {
    Result<LogRecord> parsed = LogRecord::parse(bytes);
    if (!parsed) return std::move(parsed).error();
    LogRecord& record = *parsed;
    Result<void> done;
    switch (record.type()) {
        case RecordType::Begin: done = begin(record); break;
        case RecordType::Commit: done = commit(record); break;
        case RecordType::Ddl: done = schema_change(record); break;
        case RecordType::Heartbeat: done = heartbeat(record); break;
        default:
            // A stream may begin in the middle of a transaction, which comes whole another time.
            if (!open_ || open_->repeated) return {};
            ++open_->rows;
            done = write(bytes);
    }
    if (done && !record.ok()) return record.error();
    return done;
}

Result<void> StreamRecorder::write(Bytes record) {
    if (open_) {
        ++open_->records;
    } else {
        ++totals_.records;
    }
    Result<void> written = file_.append(record);
    if (!open_) file_.mark_boundary();
    return written;
}

Result<void> StreamRecorder::begin(LogRecord& record) {
    if (Result<void> dropped = end_stream(); !dropped) return dropped;
    const auto major = parse_uint(record.major_version());
    window_.set_ordered(major.value_or(0) >= 4);
    open_.emplace();
    open_->id = record.unique_id();
    open_->commit_us = record.commit_us();
    open_->repeated = window_.was_consumed(open_->commit_us, open_->id);
    if (open_->repeated) return {};
    return write(record.bytes());
}

Result<void> StreamRecorder::commit(LogRecord& record) {
    if (!open_) return {};
    const Open open = *open_;
    if (open.repeated) {
        ++totals_.repeated;
    } else {
        if (Result<void> written = write(record.bytes()); !written) return written;
        file_.mark_boundary();
        totals_.records += open.records + 1;
        totals_.rows += open.rows;
        ++totals_.transactions;
        window_.consumed(open.commit_us, open.id);
    }
    window_.checkpoint(record.checkpoint_us());
    open_.reset();
    return {};
}

Result<void> StreamRecorder::schema_change(LogRecord& record) {
    if (Result<void> dropped = end_stream(); !dropped) return dropped;
    const int64_t commit_us = record.commit_us();
    const std::string id(record.unique_id());
    Result<void> written;
    if (window_.was_consumed(commit_us, id)) {
        ++totals_.repeated;
    } else {
        written = write(record.bytes());
        window_.consumed(commit_us, id);
    }
    window_.checkpoint(record.checkpoint_us());
    return written;
}

Result<void> StreamRecorder::heartbeat(LogRecord& record) {
    const int64_t us = std::min(record.checkpoint_us(), record.commit_us());
    window_.checkpoint(us);
    const bool news = us > heartbeat_us_ && !(open_ && open_->repeated);
    if (!news) return {};
    heartbeat_us_ = us;
    return write(record.bytes());
}

Result<void> StreamRecorder::end_stream() {
    if (!std::exchange(open_, std::nullopt)) return {};
    return file_.drop_to_boundary();
}

}  // namespace obcanal::cli
