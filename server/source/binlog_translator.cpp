#include "server/source/binlog_translator.h"

#include "protocol/base/text.h"

#include <algorithm>
#include <utility>

namespace obcanal::source {
namespace {

using canal::EventType;
using mysql::Event;
using LogEvent = mysql::EventType;

bool ends_with_word(std::string_view sql, std::string_view word) {
    sql = trim(sql);
    return sql.size() >= word.size() &&
           equals_ignore_case(sql.substr(sql.size() - word.size()), word);
}

bool starts_with_word(std::string_view sql, std::string_view word) {
    sql = trim(sql);
    return sql.size() >= word.size() && equals_ignore_case(sql.substr(0, word.size()), word);
}

constexpr std::string_view kXaStart = "XA START";
constexpr std::string_view kXaEnd = "XA END";
constexpr std::string_view kXaCommit = "XA COMMIT";
constexpr std::string_view kXaRollback = "XA ROLLBACK";

bool is_dml(EventType type) {
    return type == EventType::Insert || type == EventType::Update || type == EventType::Delete;
}

}  // namespace

Result<std::unique_ptr<BinlogTranslator>> BinlogTranslator::make(
    const config::InstanceConfig& config,
    schema::SchemaLog& schemas,
    const LiveFilter& filter,
    BinlogColumnOptions options,
    SourceState& state
) {
    auto columns = filter::ColumnFilter::parse(config.filter_field, config.filter_black_field);
    if (!columns) return std::move(columns).error();
    return std::unique_ptr<BinlogTranslator>(new BinlogTranslator(
        config, schemas, std::move(*columns), filter, std::move(options), state
    ));
}

BinlogTranslator::BinlogTranslator(
    const config::InstanceConfig& config,
    schema::SchemaLog& schemas,
    filter::ColumnFilter columns,
    const LiveFilter& filter,
    BinlogColumnOptions options,
    SourceState& state
)
    : config_(config),
      schemas_(schemas),
      state_(state),
      tables_(
          schemas,
          std::move(columns),
          filter,
          std::move(options),
          config.binlog.filter_table_error,
          state
      ) {}

void BinlogTranslator::begin_stream(
    const BinlogPoint& point, std::optional<ExecutedGtids> executed, bool by_gtid, uint8_t server
) {
    reader_ = mysql::EventReader();
    pending_.reset();
    payload_.reset();
    missing_.reset();
    group_.reset();
    started_inside_ = false;
    changes_.clear();
    begin_log(point.file, point.offset);
    settled_ = point;
    resume_ = point;
    // The server leaves out what is done; only a group that was begun has to be found.
    if (by_gtid && point.events == 0) resume_.reset();
    executed_ = std::move(executed);
    executed_text_ = point.executed;
    by_gtid_ = by_gtid;
    server_ = server;
}

BinlogPoint BinlogTranslator::resume_point(std::optional<uint64_t> open_events) const {
    if (!group_ || !group_->begun) return settled_;
    const uint64_t seen = std::max(open_events.value_or(0), group_->skip);
    if (seen == 0) return settled_;
    return {file_, group_->offset, false, seen, group_->gtid, executed_text_};
}

void BinlogTranslator::begin_log(std::string_view file, uint64_t position) {
    file_ = file;
    position_ = position;
    tables_.forget();
}

Error BinlogTranslator::located(Error error) const {
    return std::move(error).in(file_ + ":" + std::to_string(mark_.offset));
}

Result<void> BinlogTranslator::begin(Bytes bytes) {
    changes_.clear();
    // Rows follow table maps that were read with the same filter.
    if (!group_) tables_.refresh_filter();
    auto event = reader_.read(bytes);
    mark_.logfile = file_;
    if (!event) {
        mark_.offset = static_cast<int64_t>(position_);
        return located(std::move(event).error());
    }
    const mysql::EventHeader& header = event->header;
    if (at_event_ = stands_here(header); at_event_) {
        // Positions in the log have 32 bits, files may be larger.
        constexpr uint64_t kWrap = uint64_t{1} << 32;
        uint64_t end = position_ / kWrap * kWrap + header.end_position;
        if (end < position_) end += kWrap;
        position_ = end;
        mark_.offset = static_cast<int64_t>(end - header.length);
    } else {
        mark_.offset = static_cast<int64_t>(position_);
    }
    mark_.execute_ms = int64_t{header.timestamp} * 1000;
    mark_.event_length = header.length;
    mark_.server_id = header.server_id;
    state_.records.fetch_add(1, std::memory_order_relaxed);
    if (is_consumed()) return {};
    if (header.type == LogEvent::TransactionPayload) {
        auto payload = mysql::PayloadReader::open(event->body);
        if (!payload) return located(std::move(payload).error());
        payload_ = std::move(*payload);
        return {};
    }
    pending_ = *event;
    return {};
}

// Whether an event is one of the log at our position, and not one that only the connection has.
// OceanBase's Binlog Service sends the format of a log's beginning as it is when it starts in the
// middle, and heartbeats that may still be at the end of the log before.
bool BinlogTranslator::stands_here(const mysql::EventHeader& header) const {
    const bool beats = header.type == LogEvent::Heartbeat || header.type == LogEvent::HeartbeatV2;
    if (header.end_position == 0 || header.artificial() || beats) return false;
    return header.type != LogEvent::FormatDescription ||
           uint64_t{header.end_position} - header.length == position_;
}

// The server begins with the event at the point where we go on; when that one is done, it is the
// last of its group.
bool BinlogTranslator::is_consumed() {
    if (!resume_ || !at_event_ || by_gtid_) return false;
    const bool here =
        file_ == resume_->file && mark_.offset == static_cast<int64_t>(resume_->offset);
    const bool done = here && resume_->done;
    // A group that was begun is looked for when it opens.
    if (done || !here || resume_->events == 0) resume_.reset();
    return done;
}

Result<bool> BinlogTranslator::next() {
    changes_.clear();
    if (missing_) {
        missing_.reset();
        pending_ = again_;
        last_try_ = true;
    }
    if (pending_) {
        const Event event = *pending_;
        pending_.reset();
        if (group_ && !last_try_) ++group_->events;
        auto taken = take(event);
        if (missing_) again_ = event;
        last_try_ = false;
        if (!taken) return located(std::move(taken).error());
        if (!changes_.empty() || missing_) return true;
    }
    while (payload_) {
        const auto bytes = payload_->next();
        if (!bytes) return located(bytes.error());
        if (!*bytes) {
            payload_.reset();
            break;
        }
        const auto inner = reader_.read_inner(**bytes);
        if (!inner) return located(inner.error());
        if (group_) ++group_->events;
        auto taken = take(*inner);
        if (missing_) again_ = *inner;
        if (!taken) return located(std::move(taken).error());
        if (!changes_.empty() || missing_) return true;
    }
    if (!group_ && (!resume_ || by_gtid_)) {
        settled_.file = file_;
        settled_.offset = position_;
        settled_.done = false;
        settled_.events = 0;
        settled_.gtid.clear();
        settled_.executed = executed_text_;
    }
    return false;
}

Result<void> BinlogTranslator::take(const Event& event) {
    switch (event.header.type) {
        case LogEvent::Query:
        case LogEvent::QueryCompressed:
        case LogEvent::ExecuteLoadQuery: return take_query(event);
        case LogEvent::TableMap: {
            auto added = tables_.add(event, reader_.format(), last_try_);
            if (!added) return std::move(added).error();
            missing_ = std::move(*added);
            return {};
        }
        case LogEvent::Xid: {
            const auto xid = mysql::parse_xid(event);
            if (!xid) return xid.error();
            end_group(std::to_string(*xid));
            return {};
        }
        case LogEvent::Rotate: {
            const auto rotate = mysql::parse_rotate(event);
            if (!rotate) return rotate.error();
            begin_log(rotate->file, rotate->position);
            return {};
        }
        case LogEvent::Gtid:
        case LogEvent::TaggedGtid:
        case LogEvent::AnonymousGtid:
        case LogEvent::MariadbGtid: return take_gtid(event);
        case LogEvent::RowsQuery:
        case LogEvent::AnnotateRows: {
            const auto sql = mysql::parse_rows_query(event);
            if (!sql) return sql.error();
            if (!config_.filter_query_dml) add_statement(EventType::Query, *sql);
            return {};
        }
        case LogEvent::IntVar:
        case LogEvent::Rand:
        case LogEvent::UserVar: return take_variable(event);
        case LogEvent::Incident: {
            const auto incident = mysql::parse_incident(event);
            if (!incident) return incident.error();
            return Error{
                Errc::Refused,
                Retry::Never,
                "the source says that its log misses events (incident " +
                    std::to_string(incident->number) + "): " + printable(incident->message)
            };
        }
        case LogEvent::FormatDescription:
            ++signs_.begun;
            signs_.made_ms = mark_.execute_ms;
            return {};
        case LogEvent::Heartbeat:
        case LogEvent::HeartbeatV2: ++signs_.nothing_to_send; return {};
        case LogEvent::Stop:
        case LogEvent::PreviousGtids:
        case LogEvent::XaPrepare:
        case LogEvent::BinlogCheckpoint:
        case LogEvent::MariadbGtidList:
        case LogEvent::StartEncryption:
        case LogEvent::TransactionContext:
        case LogEvent::ViewChange:
        case LogEvent::Ignorable:
        // Files of LOAD DATA logged as a statement, which follows.
        case LogEvent::BeginLoadQuery:
        case LogEvent::AppendBlock:
        case LogEvent::DeleteFile: return {};
        default: break;
    }
    if (mysql::is_rows_event(event.header.type)) return take_rows(event);
    if (event.header.ignorable()) return {};
    return Error{
        Errc::Unsupported,
        Retry::Never,
        mysql::event_type_name(event.header.type) + ": not known, and not marked as ignorable"
    };
}

schema::LogMoment BinlogTranslator::moment() const {
    return {{file_, static_cast<uint64_t>(mark_.offset)}, mark_.execute_ms};
}

canal::TxnMark BinlogTranslator::txn_mark() {
    const Group& group = group_ ? *group_ : alone_;
    canal::TxnMark mark;
    mark.commit_us = mark_.execute_ms * 1000;
    mark.ordered = true;
    mark.log = file_;
    mark.log_offset = static_cast<int64_t>(group.offset);
    mark.server_id = mark_.server_id;
    mark.server = server_;
    mark.id = group.executed;
    mark.gtid = group.gtid;
    mark.last_committed = group.last_committed;
    mark.sequence_number = group.sequence_number;
    return mark;
}

Result<void> BinlogTranslator::take_gtid(const Event& event) {
    Group group;
    group.offset = static_cast<uint64_t>(mark_.offset);
    group.executed = executed_text_;
    if (event.header.type == LogEvent::MariadbGtid) {
        const auto read = mysql::parse_mariadb_gtid(event);
        if (!read) return read.error();
        if (executed_) {
            executed_->add(read->gtid);
            group.executed = executed_->text();
            group.gtid = read->gtid.text();
        }
        auto opened = open_group(std::move(group));
        if (!opened) return opened;
        // Java Canal makes no entry of the beginning of a group; a DDL and an XA COMMIT are groups
        // of their own.
        using Gtid = mysql::MariadbGtidEvent;
        constexpr int kOther = Gtid::kStandalone | Gtid::kCompletedXa;
        if ((read->flags & kOther) != 0) return {};
        return begin_group(0, false);
    }
    const auto read = mysql::parse_gtid(event);
    if (!read) return read.error();
    if (executed_ && !read->anonymous) {
        executed_->add(read->gtid);
        group.executed = executed_->text();
        group.gtid = read->gtid.text();
        group.last_committed = read->last_committed;
        group.sequence_number = read->sequence_number;
    }
    return open_group(std::move(group));
}

Result<void> BinlogTranslator::open_group(Group group) {
    if (group_) {
        return Error{
            Errc::BadPacket, Retry::Backoff, "a transaction begins before the last one has ended"
        };
    }
    group.events = 1;
    if (resume_) {
        const bool here = by_gtid_ ? group.gtid == resume_->gtid
                                   : file_ == resume_->file && group.offset == resume_->offset;
        if (here) group.skip = resume_->events;
        if (here || !by_gtid_) resume_.reset();
    }
    group_ = std::move(group);
    return {};
}

std::optional<BinlogTranslator::XaStatement> BinlogTranslator::xa_statement(std::string_view sql) {
    for (const std::string_view type : {kXaStart, kXaEnd, kXaCommit, kXaRollback}) {
        if (starts_with_word(sql, type))
            return XaStatement{{type, trim(sql).substr(type.size())}, sql};
    }
    return std::nullopt;
}

Result<void> BinlogTranslator::begin_group(
    int64_t thread_id, bool visible, const canal::XaMark& xa
) {
    if (!group_) {
        Group group;
        group.offset = static_cast<uint64_t>(mark_.offset);
        group.executed = executed_text_;
        auto opened = open_group(std::move(group));
        if (!opened) return opened;
    }
    if (group_->begun) {
        return Error{
            Errc::BadPacket, Retry::Backoff, "a transaction begins before the last one has ended"
        };
    }
    group_->begun = true;
    canal::TxnBegin change;
    change.mark = mark_;
    change.txn = txn_mark();
    change.thread_id = thread_id;
    change.resumed = !visible || group_->skip > 0;
    change.xa = xa;
    changes_.emplace_back(change);
    return {};
}

void BinlogTranslator::end_group(std::string_view id, const canal::XaMark& xa) {
    if (!group_) return;
    const bool begun = group_->begun;
    executed_text_ = std::move(group_->executed);
    group_.reset();
    if (!begun) return;
    id_ = id;
    changes_.emplace_back(canal::TxnEnd{mark_, id_, xa});
}

// A statement outside of BEGIN and COMMIT is the whole of its group.
void BinlogTranslator::end_lone_group() {
    if (group_ && group_->begun) return;
    alone_ = group_ ? std::move(*group_) : Group();
    if (!group_) {
        alone_.offset = static_cast<uint64_t>(mark_.offset);
        alone_.executed = executed_text_;
    }
    group_.reset();
    executed_text_ = alone_.executed;
}

void BinlogTranslator::add_statement(EventType type, std::string_view sql) {
    if (skipping()) return;
    canal::StatementChange change;
    change.mark = mark_;
    if (!group_) change.txn = txn_mark();
    change.rows_done = group_ ? group_->events : 0;
    change.type = type;
    change.sql = sql;
    changes_.emplace_back(change);
}

Result<void> BinlogTranslator::take_variable(const Event& event) {
    auto statement = mysql::variable_statement(event);
    if (!statement) return statement.error();
    text_ = std::move(*statement);
    if (config_.filter_query_dml) return {};
    if (group_ && group_->begun) {
        add_statement(EventType::Query, text_);
        return {};
    }
    // Belongs to the statement that follows, which is not consumed with it.
    alone_ = Group();
    alone_.offset = static_cast<uint64_t>(mark_.offset);
    alone_.executed = executed_text_;
    std::optional<Group> following;
    following.swap(group_);
    add_statement(EventType::Query, text_);
    following.swap(group_);
    return {};
}

Result<void> BinlogTranslator::take_query(const Event& event) {
    auto query = mysql::parse_query(event, reader_.format(), text_);
    if (!query) return query.error();
    if (const auto xa = xa_statement(query->sql)) return take_xa(*xa, query->thread_id);
    if (ends_with_word(query->sql, "BEGIN")) return begin_group(query->thread_id, true);
    // A rolled back group is logged for what it changed in tables without transactions.
    if (ends_with_word(query->sql, "COMMIT") || equals_ignore_case(trim(query->sql), "ROLLBACK")) {
        end_group("0");
        return {};
    }
    return take_statement(*query);
}

Result<void> BinlogTranslator::take_xa(const XaStatement& xa, int64_t thread_id) {
    if (xa.mark.type == kXaStart) return begin_group(thread_id, true, xa.mark);
    if (xa.mark.type == kXaEnd) {
        end_group("0", xa.mark);
        return {};
    }
    end_lone_group();
    if (skipping()) return {};
    canal::StatementChange change;
    change.mark = mark_;
    if (!group_) change.txn = txn_mark();
    change.rows_done = group_ ? group_->events : 0;
    change.type = xa.mark.type == kXaCommit ? EventType::XaCommit : EventType::XaRollback;
    change.sql = xa.sql;
    change.xa = xa.mark;
    changes_.emplace_back(change);
    return {};
}

bool BinlogTranslator::passes(const schema::DdlEffect& effect) const {
    if (effect.type == EventType::Query) return true;
    if (tables_.wants(effect.schema, effect.table)) return true;
    return effect.type == EventType::Rename &&
           tables_.wants(effect.original_schema, effect.original_table);
}

Result<void> BinlogTranslator::take_statement(const mysql::QueryEvent& query) {
    end_lone_group();
    const std::vector<schema::DdlEffect> effects = schema::read_ddl(query.sql, query.schema);
    const auto touched = schemas_.apply(query.sql, query.schema, moment());
    if (!touched.empty()) tables_.forget(touched);
    if (effects.empty() || skipping()) return {};
    const schema::DdlEffect& first = effects.front();
    const bool wanted = std::any_of(effects.begin(), effects.end(), [this](const auto& effect) {
        return passes(effect);
    });
    if (!wanted || (is_dml(first.type) ? config_.filter_query_dml : config_.filter_query_ddl))
        return {};
    schema_ = first.schema;
    table_ = first.table;
    if (is_dml(first.type)) {
        canal::StatementChange change;
        change.mark = mark_;
        if (!group_) change.txn = txn_mark();
        change.rows_done = group_ ? group_->events : 0;
        change.type = first.type;
        change.schema = schema_;
        change.table = table_;
        change.sql = query.sql;
        change.default_schema = query.schema;
        changes_.emplace_back(change);
        return {};
    }
    canal::DdlChange change;
    change.mark = mark_;
    if (!group_) change.txn = txn_mark();
    change.rows_done = group_ ? group_->events : 0;
    change.type = first.type;
    change.schema = schema_;
    change.table = table_;
    change.sql = query.sql;
    change.default_schema = query.schema;
    changes_.emplace_back(change);
    return {};
}

bool BinlogTranslator::wants(mysql::RowsKind kind) const {
    if (config_.filter_rows) return false;
    switch (kind) {
        case mysql::RowsKind::Insert: return !config_.filter_dml_insert;
        case mysql::RowsKind::Update: return !config_.filter_dml_update;
        case mysql::RowsKind::Delete: return !config_.filter_dml_delete;
    }
    return true;
}

Result<void> BinlogTranslator::take_rows(const Event& event) {
    const auto rows = mysql::parse_rows(event, reader_.format(), text_);
    if (!rows) return rows.error();
    const BinlogTable* table = tables_.find(rows->table_id);
    if (table == nullptr) {
        started_inside_ = true;
        return bad_event(event, "no table map for table " + std::to_string(rows->table_id));
    }
    started_inside_ = started_inside_ || !group_ || !group_->begun;
    if (started_inside_) return bad_event(event, table->name + ": rows outside of any transaction");
    if (!table->wanted || !wants(rows->kind) || skipping()) return {};
    mysql::RowReader reader(*rows, table->layout);
    if (!reader.fits()) return bad_event(event, table->name + ": other columns than its table map");

    const bool has_before = rows->kind != mysql::RowsKind::Insert;
    const bool has_after = rows->kind != mysql::RowsKind::Delete;
    const size_t width = table->kept.size();
    const size_t stride = width * ((has_before ? 1U : 0U) + (has_after ? 1U : 0U));
    const bool whole = width == rows->columns;
    before_.resize(whole ? 0 : rows->columns);
    after_.resize(whole ? 0 : rows->columns);
    images_.clear();
    size_t count = 0;
    for (; !reader.at_end(); ++count) {
        const size_t at = count * stride;
        // The reader fills all cells of a row: those of earlier events need no clearing.
        if (cells_.size() < at + stride) cells_.resize(2 * (at + stride));
        const std::span<Cell> row = std::span(cells_).subspan(at, stride);
        const std::span<Cell> before = row.first(has_before ? width : 0);
        const std::span<Cell> after = row.subspan(before.size());
        if (!reader.next(whole ? before : std::span(before_), whole ? after : std::span(after_))) {
            return bad_event(
                event, table->name + ": row " + std::to_string(count + 1) + " is malformed"
            );
        }
        if (whole) continue;
        for (size_t i = 0; i < before.size(); ++i) before[i] = before_[table->kept[i]];
        for (size_t i = 0; i < after.size(); ++i) after[i] = after_[table->kept[i]];
    }
    // Cells have stopped moving.
    const std::span<const Cell> all(cells_);
    for (size_t i = 0; i < count; ++i) {
        canal::RowImages& images = images_.emplace_back();
        std::span<const Cell> row = all.subspan(i * stride, stride);
        if (has_before) {
            images.before = row.first(width);
            row = row.subspan(width);
        }
        if (has_after) images.after = row;
    }
    state_.rows.fetch_add(count, std::memory_order_relaxed);
    canal::RowsChange change;
    change.plan = table->plan.get();
    switch (rows->kind) {
        case mysql::RowsKind::Insert: change.kind = canal::RowKind::Insert; break;
        case mysql::RowsKind::Update: change.kind = canal::RowKind::Update; break;
        case mysql::RowsKind::Delete: change.kind = canal::RowKind::Delete; break;
    }
    change.rows = images_;
    change.mark = mark_;
    change.rows_done = group_->events;
    change.table_id = static_cast<int64_t>(rows->table_id);
    changes_.emplace_back(change);
    return {};
}

}  // namespace obcanal::source
