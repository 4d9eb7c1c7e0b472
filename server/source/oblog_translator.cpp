#include "server/source/oblog_translator.h"

#include "protocol/base/text.h"
#include "server/schema/ddl_reader.h"

#include <algorithm>
#include <utility>

namespace obcanal::source {

using canal::Change;
using canal::RowKind;
using oblog::LogRecord;
using oblog::RecordType;

namespace {

// OceanBase 4 and later send transactions in the order of their commit versions; the major version
// stands in BEGIN.
bool is_ordered(std::string_view major_version) {
    const auto major = parse_uint(major_version);
    return major && *major >= 4;
}

// One thread writes these counters, so that no locked instruction is needed.
void add_one(std::atomic<uint64_t>& counter) {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

}  // namespace

Result<std::unique_ptr<OblogTranslator>> OblogTranslator::make(
    const config::InstanceConfig& config, const LiveFilter& filter, SourceState& state
) {
    Result<filter::ColumnFilter> columns =
        filter::ColumnFilter::parse(config.filter_field, config.filter_black_field);
    if (!columns) return std::move(columns).error();
    return std::unique_ptr<OblogTranslator>(
        new OblogTranslator(config, std::move(columns).value(), filter, state)
    );
}

OblogTranslator::OblogTranslator(
    const config::InstanceConfig& config,
    filter::ColumnFilter columns,
    const LiveFilter& filter,
    SourceState& state
)
    : config_(config), state_(state), tables_(config.oblog, std::move(columns), filter) {
    changes_.reserve(2 * kRowsAtOnce);
    images_.reserve(kRowsAtOnce);
    arena_.reserve(kCellsAtOnce);
}

void OblogTranslator::resume_from(const oblog::ResumeState& from) {
    window_ = oblog::ResumeWindow(from);
    ordered_ = from.ordered;
}

void OblogTranslator::begin_stream() {
    clear();
    synced_ = false;
    open_.reset();
    window_.restart();
}

void OblogTranslator::refresh_filter() {
    if (tables_.filter_changed()) tables_.forget();
}

void OblogTranslator::end_stream(std::optional<uint64_t> visible_rows) {
    if (open_ && !open_->repeated && visible_rows) {
        window_.consumed_rows(open_->commit_us, open_->id, *visible_rows);
    }
    open_.reset();
}

void OblogTranslator::clear() {
    changes_.clear();
    images_.clear();
    arena_.clear();
}

canal::EventMark OblogTranslator::mark(LogRecord& record) const {
    constexpr int64_t kSecondUs = 1'000'000;
    return {
        record.checkpoint_us() % kSecondUs,
        record.commit_us() / 1000,
        static_cast<int64_t>(record.bytes().size())
    };
}

Error OblogTranslator::failure(LogRecord& record, std::string what) const {
    std::string where = "record " + std::string(oblog::record_type_name(record.type()));
    where += " type " + std::to_string(static_cast<int>(record.type()));
    if (!record.table_name().empty()) {
        where += " of " + printable(record.db_name()) + "." + printable(record.table_name());
    }
    if (open_) where += " in transaction " + printable(open_->id);
    where += " committed at " + std::to_string(record.commit_us()) + " us";
    return {Errc::BadPacket, Retry::Backoff, where + ": " + std::move(what)};
}

Result<OblogTranslator::Added> OblogTranslator::add(Bytes bytes) {
    if (changes_.size() + 1 >= changes_.capacity()) return Added::EmitFirst;
    Result<LogRecord> parsed = LogRecord::parse(bytes);
    if (!parsed) return std::move(parsed).error();
    LogRecord& record = *parsed;
    if (!record.crc_matches()) return failure(record, "its CRC does not match its bytes");
    Result<Added> added = Added::Done;
    switch (record.type()) {
        case RecordType::Begin: added = begin(record); break;
        case RecordType::Insert: added = row(record, RowKind::Insert); break;
        case RecordType::Update: added = row(record, RowKind::Update); break;
        case RecordType::Delete: added = row(record, RowKind::Delete); break;
        // Both say what the row is now, whatever was there: an INSERT for who applies it as an
        // upsert.
        case RecordType::Replace:
        case RecordType::Put: added = row(record, RowKind::Insert); break;
        case RecordType::Commit: added = commit(record); break;
        case RecordType::Ddl: added = ddl(record); break;
        case RecordType::Heartbeat: added = heartbeat(record); break;
        default: {
            Error error = failure(record, "a record of this type is not understood");
            error.code = Errc::Unsupported;
            error.retry = Retry::Never;
            return error;
        }
    }
    if (!added) return added;
    if (!record.ok()) return record.error();
    if (*added == Added::Done) add_one(state_.records);
    return added;
}

Result<OblogTranslator::Added> OblogTranslator::begin(LogRecord& record) {
    if (open_) {
        return failure(record, "the transaction before it has no end; asking for it again");
    }
    synced_ = true;
    const std::string_view id = record.unique_id();
    const int64_t commit_us = record.commit_us();
    ordered_ = is_ordered(record.major_version());
    if (!record.ok()) return record.error();
    window_.set_ordered(ordered_);
    open_id_.assign(id);
    open_.emplace();
    open_->id = open_id_;
    open_->commit_us = commit_us;
    if (window_.was_consumed(commit_us, id)) {
        open_->repeated = true;
        add_one(state_.repeated_transactions);
        return Added::Done;
    }
    const std::optional<uint64_t> skip = window_.rows_to_skip(commit_us, id);
    open_->skip_rows = skip.value_or(0);
    canal::TxnBegin change;
    change.mark = mark(record);
    change.txn = {id, commit_us, record.checkpoint_us(), ordered_};
    change.thread_id = record.thread_id();
    change.resumed = skip.has_value();
    changes_.emplace_back(change);
    return Added::Done;
}

bool OblogTranslator::wants(RowKind kind) const {
    // canal-for-ob's filter.query.dml drops row data as a whole.
    if (config_.filter_rows || config_.filter_query_dml) return false;
    switch (kind) {
        case RowKind::Insert: return !config_.filter_dml_insert;
        case RowKind::Update: return !config_.filter_dml_update;
        case RowKind::Delete: return !config_.filter_dml_delete;
    }
    return true;
}

// REQUIRES: room in the arena, so that cells made before stay where they are.
Result<std::span<const canal::Cell>> OblogTranslator::cells(
    LogRecord& record, const OblogTable& table, Image image
) {
    const oblog::StringArray values =
        image == Image::Before ? record.old_values() : record.new_values();
    if (!record.ok()) return record.error();
    std::optional<oblog::NumberArray<uint8_t>> origins;
    const size_t begin = arena_.size();
    arena_.resize(begin + table.kept.size());
    canal::Cell* cell = arena_.data() + begin;
    for (const uint32_t position : table.kept) {
        if (position >= values.size()) {
            return failure(
                record,
                "column " + std::to_string(position) + " has no value, there are " +
                    std::to_string(values.size())
            );
        }
        const oblog::StringElement value = values[position];
        auto state = canal::CellState::Value;
        if (value.is_null) {
            constexpr auto kPadding = static_cast<uint8_t>(oblog::ValueOrigin::Padding);
            if (!origins)
                origins = image == Image::Before ? record.old_origins() : record.new_origins();
            const bool unknown = origins->get(position, 0) == kPadding;
            state = unknown ? canal::CellState::Unknown : canal::CellState::Null;
        }
        *cell++ = {value.data, value.size, state};
    }
    if (!record.ok()) return record.error();
    return std::span<const canal::Cell>(arena_).subspan(begin);
}

Result<OblogTranslator::Added> OblogTranslator::row(LogRecord& record, RowKind kind) {
    if (!open_) {
        // The rest of a transaction whose begin this connection never sent; it comes whole when
        // asked for again.
        if (!synced_) return Added::Done;
        return failure(record, "a row outside of any transaction");
    }
    if (open_->repeated || open_->rows < open_->skip_rows || !wants(kind)) {
        ++open_->rows;
        return Added::Done;
    }
    if (images_.size() == kRowsAtOnce) return Added::EmitFirst;
    const OblogTable* table = tables_.find(record);
    if (table == nullptr) {
        // Plans that wait in changes_ would be gone.
        if (!changes_.empty()) return Added::EmitFirst;
        table = &tables_.renew(record);
    }
    if (!record.ok()) return record.error();
    if (!table->wanted) {
        ++open_->rows;
        return Added::Done;
    }
    const size_t wanted = 2 * table->kept.size();
    if (arena_.capacity() - arena_.size() < wanted) {
        if (!changes_.empty()) return Added::EmitFirst;
        arena_.reserve(wanted);
    }
    canal::RowImages images;
    if (kind != RowKind::Insert) {
        Result<std::span<const canal::Cell>> before = cells(record, *table, Image::Before);
        if (!before) return std::move(before).error();
        images.before = *before;
    }
    if (kind != RowKind::Delete) {
        Result<std::span<const canal::Cell>> after = cells(record, *table, Image::After);
        if (!after) return std::move(after).error();
        images.after = *after;
    }
    images_.push_back(images);
    ++open_->rows;
    changes_.emplace_back(
        std::in_place_type<canal::RowsChange>,
        table->plan.get(),
        kind,
        std::span<const canal::RowImages>(&images_.back(), 1),
        mark(record),
        std::string_view(),
        open_->rows
    );
    add_one(state_.rows);
    return Added::Done;
}

Result<OblogTranslator::Added> OblogTranslator::commit(LogRecord& record) {
    if (!open_) {
        if (!synced_) return Added::Done;
        return failure(record, "an end outside of any transaction");
    }
    if (!open_->repeated) {
        changes_.emplace_back(canal::TxnEnd{mark(record)});
        window_.consumed(open_->commit_us, open_->id);
    }
    window_.checkpoint(record.checkpoint_us());
    open_.reset();
    return Added::Done;
}

Result<OblogTranslator::Added> OblogTranslator::heartbeat(LogRecord& record) {
    // On a heartbeat both are its own time; the lower one is the safe one.
    const int64_t us = std::min(record.checkpoint_us(), record.commit_us());
    if (us <= 0) return Added::Done;
    window_.checkpoint(us);
    changes_.emplace_back(canal::Heartbeat{us});
    return Added::Done;
}

Result<OblogTranslator::Added> OblogTranslator::ddl(LogRecord& record) {
    if (open_) return failure(record, "a DDL inside of a transaction");
    // Its texts live here until they are emitted.
    if (!changes_.empty()) return Added::EmitFirst;
    synced_ = true;
    const std::string_view id = record.unique_id();
    const int64_t commit_us = record.commit_us();
    const oblog::StringArray values = record.new_values();
    if (!record.ok()) return record.error();
    if (values.size() == 0) return failure(record, "a DDL without its text");
    if (window_.was_consumed(commit_us, id)) {
        add_one(state_.repeated_transactions);
        return Added::Done;
    }
    window_.consumed(commit_us, id);
    const std::string_view database = database_of(record.db_name());
    const std::string_view sql = values[0].text();
    const std::vector<schema::DdlEffect> effects = schema::read_ddl(sql, database);
    const schema::DdlEffect first = effects.empty() ? schema::DdlEffect{} : effects.front();
    const auto passes = [this](const schema::DdlEffect& effect) {
        if (effect.type == canal::EventType::Query) return true;
        if (tables_.wants(effect.schema, effect.table)) return true;
        return effect.type == canal::EventType::Rename &&
               tables_.wants(effect.original_schema, effect.original_table);
    };
    const bool wanted = effects.empty() || std::any_of(effects.begin(), effects.end(), passes);
    if (config_.filter_query_ddl || !wanted) return Added::Done;
    ddl_schema_ = first.schema.empty() ? std::string(database) : first.schema;
    ddl_table_ = first.table;
    canal::DdlChange change;
    change.mark = mark(record);
    change.txn = {id, commit_us, record.checkpoint_us(), ordered_};
    change.type = first.type;
    change.schema = ddl_schema_;
    change.table = ddl_table_;
    change.sql = sql;
    change.default_schema = database;
    changes_.emplace_back(change);
    return Added::Done;
}

}  // namespace obcanal::source
