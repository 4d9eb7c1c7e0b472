#include "server/schema/schema_log.h"

#include "protocol/base/text.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>
#include <variant>

namespace obcanal::schema {
namespace {

// The point right behind the beginning of an event: what the event did is behind us.
LogMoment behind(LogMoment at) {
    ++at.point.offset;
    return at;
}

bool is_checkpoint(const SchemaRecord& record) {
    return std::holds_alternative<Checkpoint>(record);
}

// Whether somebody has not read up to the checkpoint, and needs what is before it.
bool is_needed_before(const Checkpoint& checkpoint, std::span<const ReadTo> readers) {
    return std::ranges::any_of(readers, [&checkpoint](const ReadTo& reader) {
        if (reader.origin == checkpoint.origin) return reader.at.point < checkpoint.at.point;
        return reader.at.time_ms < checkpoint.at.time_ms;
    });
}

// In the order of their points; as they were where these are equal. (clang refuses what
// libstdc++'s stable_sort is made of.)
std::vector<SchemaRecord> by_point(std::vector<SchemaRecord> records) {
    std::vector<size_t> order(records.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::sort(order, [&records](size_t a, size_t b) {
        const auto compared = moment_of(records[a]).point <=> moment_of(records[b]).point;
        return compared != 0 ? compared < 0 : a < b;
    });
    std::vector<SchemaRecord> sorted;
    sorted.reserve(records.size());
    for (const size_t index : order) sorted.push_back(std::move(records[index]));
    return sorted;
}

}  // namespace

SchemaLog::SchemaLog(SchemaLogOptions options, std::unique_ptr<SchemaStore> store)
    : options_(std::move(options)), store_(std::move(store)), catalog_(options_.catalog) {
    if (!store_) store_ = std::make_unique<MemorySchemaStore>();
    drop_above_ = store_->keep_bytes();
}

Result<std::vector<SchemaRecord>> SchemaLog::load() {
    auto bytes = store_->load();
    if (!bytes) return std::move(bytes).error();
    std::vector<SchemaRecord> records;
    stored_ = 0;
    for (const std::string& one : *bytes) {
        auto record = parse_schema_record(as_bytes(one));
        if (!record) {
            return std::move(record).error().in(
                "schema history, record " + std::to_string(records.size() + 1)
            );
        }
        stored_ += one.size();
        records.push_back(std::move(*record));
    }
    if (!records.empty() && !is_checkpoint(records.front())) {
        return Error{
            Errc::BadPacket, Retry::Never, "schema history: does not begin with a checkpoint"
        };
    }
    return records;
}

Result<bool> SchemaLog::restore(const LogMoment& start, const std::string& origin, StartKind kind) {
    catalog_ = Catalog(options_.catalog);
    ahead_.clear();
    pending_.clear();
    replace_ = false;
    since_checkpoint_ = 0;
    auto loaded = load();
    if (!loaded) return std::move(loaded).error();
    std::vector<SchemaRecord> records = std::move(*loaded);
    if (records.empty()) {
        begin_anew(start, origin);
        return false;
    }
    origin_ = std::get<Checkpoint>(records.front()).origin;
    // Where only GTIDs are known there is no point to compare.
    const bool same_points = origin_ == origin && !start.point.file.empty();
    // Answers that were asked for while an earlier part was read again stand behind it.
    records = by_point(std::move(records));
    const LogMoment& last = moment_of(records.back());
    const bool skips = kind == StartKind::Chosen && same_points && last.point < start.point;
    const bool comparable = same_points || (kind == StartKind::Continues && start.time_ms > 0);
    if (skips || !comparable) {
        begin_anew(start, origin);
        return false;
    }
    for (const SchemaRecord& record : records)
        newest_ms_ = std::max(newest_ms_, moment_of(record).time_ms);

    const auto is_before = [&](const SchemaRecord& record) {
        const LogMoment& at = moment_of(record);
        if (!same_points) return at.time_ms <= start.time_ms;
        return at.point < start.point || (is_checkpoint(record) && at.point == start.point);
    };
    std::optional<size_t> before;  // the last checkpoint there
    size_t end = 0;                // of what is before the start
    for (; end < records.size() && is_before(records[end]); ++end) {
        if (is_checkpoint(records[end])) before = end;
    }
    size_t base = before.value_or(0);
    if (!before) {
        // The first checkpoint is later than the start: as if the source had been asked then.
        while (!is_checkpoint(records[base])) ++base;
        end = base + 1;
        auto& first = std::get<Checkpoint>(records[base]);
        for (KeptTable& table : first.tables) {
            if (!table.asked && same_points)
                table.asked = AskedBetween{first.at.point, first.at.point};
        }
    }
    load_checkpoint(std::get<Checkpoint>(records[base]));
    for (size_t i = base + 1; i < end; ++i) {
        if (const auto* statement = std::get_if<LoggedStatement>(&records[i])) {
            catalog_.apply(statement->sql, statement->default_schema, statement->at.point);
        } else if (const auto* answer = std::get_if<LoggedAnswer>(&records[i])) {
            take_answer(answer->table);
        }
    }
    if (!same_points) {
        origin_ = origin;
        start_over_with(checkpoint(start));
        return true;
    }
    for (const SchemaRecord& record : records) {
        if (is_checkpoint(record)) {
            since_checkpoint_ = 0;
            checkpoint_size_ = to_bytes(record).size();
        } else {
            since_checkpoint_ += to_bytes(record).size();
        }
    }
    records.erase(records.begin(), records.begin() + static_cast<std::ptrdiff_t>(end));
    read_ahead(std::move(records));
    return true;
}

void SchemaLog::begin_anew(const LogMoment& start, const std::string& origin) {
    origin_ = origin;
    newest_ms_ = start.time_ms;
    start_over_with(checkpoint(start));
}

void SchemaLog::begin_with(const FetchedSchema& all, const LogMoment& start) {
    catalog_ = Catalog(options_.catalog);
    for (const DatabaseAnswer& database : all.databases)
        catalog_.put_database(database.name, database.charset);
    for (const TableAnswer& table : all.tables)
        take_answer({table.name, table.create_sql, all.asked});
    start_over_with(checkpoint(start));
}

void SchemaLog::load_checkpoint(const Checkpoint& checkpoint) {
    for (const DatabaseAnswer& database : checkpoint.databases)
        catalog_.put_database(database.name, database.charset);
    for (const KeptTable& table : checkpoint.tables) take_answer(table);
}

void SchemaLog::take_answer(const KeptTable& table) {
    std::optional<TableDefinition> definition;
    if (table.create_sql) definition = read_definition(*table.create_sql, table.name);
    if (definition) {
        catalog_.put(std::move(*definition), table.asked);
    } else {
        catalog_.set_unknown(table.name);
    }
}

void SchemaLog::read_ahead(std::vector<SchemaRecord> records) {
    if (records.empty()) return;
    Catalog later = catalog_;
    for (SchemaRecord& record : records) {
        if (is_checkpoint(record)) continue;
        Ahead ahead{std::move(record), {}};
        if (const auto* statement = std::get_if<LoggedStatement>(&ahead.record)) {
            for (TableChange& change :
                 later.apply(statement->sql, statement->default_schema, statement->at.point))
                ahead.touched.push_back(std::move(change.name));
        }
        ahead_.push_back(std::move(ahead));
    }
}

bool SchemaLog::is_same(const TableName& a, const TableName& b) const {
    if (!options_.catalog.names_ignore_case) return a == b;
    return equals_ignore_case(a.schema, b.schema) && equals_ignore_case(a.table, b.table);
}

bool SchemaLog::recall(const TableName& name) {
    for (const Ahead& ahead : ahead_) {
        if (const auto* answer = std::get_if<LoggedAnswer>(&ahead.record)) {
            if (!is_same(answer->table.name, name)) continue;
            take_answer(answer->table);
            return catalog_.find(name.schema, name.table) != nullptr;
        }
        const TableName database{name.schema, {}};
        for (const TableName& touched : ahead.touched) {
            if (is_same(touched, name) || is_same(touched, database)) return false;
        }
    }
    return false;
}

void SchemaLog::define(const FetchedTable& answer, const LogMoment& at) {
    KeptTable table{answer.table.name, std::nullopt, answer.asked};
    if (!answer.table.create_sql.empty()) table.create_sql = answer.table.create_sql;
    take_answer(table);
    note(LoggedAnswer{at, std::move(table)});
}

std::vector<TableChange> SchemaLog::apply(
    std::string_view sql, std::string_view default_schema, const LogMoment& at
) {
    pass_answers(at.point);
    std::vector<TableChange> changes = catalog_.apply(sql, default_schema, at.point);
    if (changes.empty()) return changes;
    newest_ms_ = std::max(newest_ms_, at.time_ms);
    const LoggedStatement statement{at, std::string(default_schema), std::string(sql)};
    if (!was_known(statement)) note(statement);
    return changes;
}

// What was answered at a point that is behind us now counts, whether or not this run needed it.
void SchemaLog::pass_answers(const LogPoint& at) {
    while (!ahead_.empty()) {
        const auto* answer = std::get_if<LoggedAnswer>(&ahead_.front().record);
        if (answer == nullptr || answer->at.point >= at) return;
        const TableName& name = answer->table.name;
        if (catalog_.find(name.schema, name.table) == nullptr) take_answer(answer->table);
        ahead_.pop_front();
    }
}

bool SchemaLog::was_known(const LoggedStatement& statement) {
    if (ahead_.empty()) return false;
    const auto* next = std::get_if<LoggedStatement>(&ahead_.front().record);
    if (next != nullptr && next->at.point == statement.at.point && next->sql == statement.sql) {
        ahead_.pop_front();
        return true;
    }
    // Another log than the one that we read before: what we knew of its future is void.
    ahead_.clear();
    start_over_with(checkpoint(behind(statement.at)));
    return true;
}

void SchemaLog::note(const SchemaRecord& record) {
    std::string bytes = to_bytes(record);
    since_checkpoint_ += bytes.size();
    pending_.push_back(std::move(bytes));
    if (since_checkpoint_ < std::max(options_.checkpoint_bytes, checkpoint_size_)) return;
    pending_.push_back(to_bytes(checkpoint(behind(moment_of(record)))));
    checkpoint_size_ = pending_.back().size();
    since_checkpoint_ = 0;
}

void SchemaLog::start_over_with(const Checkpoint& checkpoint) {
    pending_ = {to_bytes(checkpoint)};
    replace_ = true;
    checkpoint_size_ = pending_.back().size();
    since_checkpoint_ = 0;
}

Checkpoint SchemaLog::checkpoint(const LogMoment& at) const {
    Checkpoint checkpoint{at, origin_, {}, {}};
    for (const auto& [name, charset] : catalog_.databases())
        checkpoint.databases.push_back({name, charset});
    for (const auto& [name, entry] : catalog_.entries()) {
        KeptTable table{name, std::nullopt, std::nullopt};
        if (entry.definition) {
            table.name = {entry.definition->schema, entry.definition->table};
            table.create_sql = create_statement(*entry.definition);
        }
        if (entry.asked && at.point < entry.asked->after) table.asked = entry.asked;
        checkpoint.tables.push_back(std::move(table));
    }
    return checkpoint;
}

Result<void> SchemaLog::save() {
    if (pending_.empty()) return {};
    auto saved = replace_ ? store_->replace(pending_) : store_->append(pending_);
    if (!saved) return saved;
    if (replace_) stored_ = 0;
    for (const std::string& record : pending_) stored_ += record.size();
    pending_.clear();
    replace_ = false;
    if (dropped_ms_ == 0) dropped_ms_ = newest_ms_;
    const bool old = newest_ms_ - dropped_ms_ > options_.keep_ms / 4;
    return old || stored_ > drop_above_ ? drop_old() : Result<void>{};
}

Result<void> SchemaLog::drop_old() {
    auto loaded = store_->load();
    if (!loaded) return std::move(loaded).error();
    auto readers = store_->readers();
    if (!readers) return std::move(readers).error();
    stored_ = 0;
    for (const std::string& record : *loaded) stored_ += record.size();
    const size_t most = stored_ > drop_above_ ? store_->keep_bytes() / 2 : stored_;
    // The last checkpoint that is old enough, or the first one with little enough behind it.
    size_t from = 0;
    size_t left = stored_;
    for (size_t i = 0, behind_it = stored_; i < loaded->size(); ++i) {
        const size_t size = (*loaded)[i].size();
        auto record = parse_schema_record(as_bytes((*loaded)[i]));
        if (!record) return std::move(record).error();
        if (is_checkpoint(*record)) {
            const bool old = moment_of(*record).time_ms < newest_ms_ - options_.keep_ms;
            if (!old && left <= most) break;
            if (is_needed_before(std::get<Checkpoint>(*record), *readers)) break;
            from = i;
            left = behind_it;
        }
        behind_it -= size;
    }
    dropped_ms_ = newest_ms_;
    drop_above_ = std::max(store_->keep_bytes(), left + left / 2);
    if (from == 0) return {};
    const std::span<const std::string> kept = std::span(*loaded).subspan(from);
    auto replaced = store_->replace(kept);
    if (!replaced) return replaced;
    stored_ = left;
    return {};
}

}  // namespace obcanal::schema
