#include "adapter/es/document_reader.h"

#include "adapter/core/source_session.h"
#include "adapter/es/row_value.h"
#include "protocol/base/text.h"

#include <algorithm>
#include <set>

namespace obcanal::adapter::es {
namespace {

using Session = SourceReader::Session;
using Columns = std::vector<client::SqlColumn>;

constexpr size_t kBlock = 1'000;
// In one statement; MariaDB makes a table of a list that has a thousand or more.
constexpr size_t kValues = 900;

size_t keys_at_once(size_t columns) {
    return std::max(kValues / std::max(columns, size_t{1}), size_t{1});
}

std::string what_of(const MappingPlan& plan) { return plan.task->task + ": read back"; }

FieldValue cell_of(
    const Columns& columns, SourceReader::Row cells, size_t at, const FloatFields& floats
) {
    return read_cell(columns[at].type, cells[at], at < floats.size() && floats[at]);
}

// Of a row that has the fields, then the key. Nothing: its id is NULL, which is no document's.
std::optional<DocumentChange> from_row(
    const MappingPlan& plan,
    const FloatFields& floats,
    const Columns& columns,
    SourceReader::Row cells,
    const FieldSet& fields
) {
    DocumentChange change;
    change.plan = &plan;
    const FieldValue id = cell_of(columns, cells, plan.id_field, floats);
    if (id.is_null()) return std::nullopt;
    change.id = id.text;
    if (plan.parent_field) {
        change.routing = cell_of(columns, cells, *plan.parent_field, floats).text;
    }
    const size_t count = plan.fields.size();
    change.fields.reserve(fields.count());
    change.key.reserve(plan.key.size());
    for (size_t i = 0; i < count; ++i) {
        if (!fields[i]) continue;
        change.fields.push_back({static_cast<uint32_t>(i), cell_of(columns, cells, i, floats)});
    }
    for (size_t i = 0; i < plan.key.size(); ++i) {
        change.key.push_back(read_cell(columns[count + i].type, cells[count + i], false));
    }
    return change;
}

// Of plain tables, whatever a statement says they have.
class AskedColumns : public SourceColumns {
 public:
    bool has(const SqlSource& source, const std::string& column) const override {
        const auto known = tables.find(&source);
        return known != tables.end() && known->second.contains(to_lower(column));
    }

    std::map<const SqlSource*, std::set<std::string>> tables;
};

void plain_tables(const SqlSelect& select, std::vector<const SqlSource*>& tables) {
    for (const SqlSource& source : select.sources) {
        if (source.derived) {
            plain_tables(*source.derived, tables);
        } else {
            tables.push_back(&source);
        }
    }
}

// An Update says nothing of fields that it doesn't have.
bool replaces(const DocumentChange& before, const DocumentChange& after) {
    if (before.plan != after.plan) return false;
    if (after.kind != ChangeKind::Update) return true;
    return before.kind == ChangeKind::Update &&
           std::ranges::equal(
               before.fields, after.fields, {}, &DocumentField::field, &DocumentField::field
           );
}

Error sql_error(const EsTask& task, const SqlFault& fault) {
    return {
        Errc::BadConfig,
        Retry::Backoff,
        task.sql_place + ": esMapping.sql: " + describe_fault(task.sql, fault)
    };
}

// Texts of a key that a JSON file can hold: bytes as hexadecimal digits.
std::string stored(const FieldValue& value) {
    return value.kind == ValueKind::Bytes ? to_hex(as_bytes(value.text)) : value.text;
}

FieldValue restored(ValueKind kind, const std::string& text) {
    if (kind == ValueKind::Bytes) return {kind, from_hex(text).value_or("")};
    return {kind, text};
}

}  // namespace

Result<void> BlockBuilder::add(DocumentChange change) {
    const auto next = static_cast<uint32_t>(block_.size());
    const auto is_it = [&](uint32_t number) {
        const DocumentChange& known = block_[number];
        return known.id == change.id && known.routing == change.routing;
    };
    const uint32_t place = by_document_.find_or_add(core::hash_text(change.id), next, is_it);
    if (place != next) {
        DocumentChange& before = block_[place];
        if (replaces(before, change)) {
            before = std::move(change);
            return {};
        }
        Result<void> handed = flush();
        if (!handed) return handed;
        return add(std::move(change));
    }
    if (block_.empty()) block_.reserve(kBlock);
    block_.push_back(std::move(change));
    return block_.size() < kBlock ? Result<void>() : flush();
}

Result<void> BlockBuilder::flush() {
    if (block_.empty()) return {};
    by_document_.clear();
    return take_(std::exchange(block_, {}));
}

Result<SourceReader*> DocumentReader::source_of(const EsTask& task) {
    const auto known = sources_.find(task.data_source_key);
    if (known != sources_.end()) return known->second.get();
    Result<config::DataSourceConfig> source =
        core::find_source(config_, task.data_source_key, task.task);
    if (!source) return std::move(source).error();
    auto reader = std::make_unique<SourceReader>(std::move(*source));
    SourceReader* const made = reader.get();
    const std::lock_guard lock(mutex_);
    if (interrupted_) made->interrupt();
    sources_.emplace(task.data_source_key, std::move(reader));
    return made;
}

void DocumentReader::interrupt() {
    const std::lock_guard lock(mutex_);
    interrupted_ = true;
    for (const auto& [key, source] : sources_) source->interrupt();
}

void DocumentReader::resume() {
    const std::lock_guard lock(mutex_);
    interrupted_ = false;
    for (const auto& [key, source] : sources_) source->resume();
}

Result<void> DocumentReader::settle_columns(
    const EsTask& task, MappingSql& sql, SourceReader& source
) {
    AskedColumns columns;
    std::vector<const SqlSource*> tables;
    plain_tables(sql.select, tables);
    for (const SqlSource* table : tables) {
        std::string name = quote_name(table->table);
        if (!table->schema.empty()) name = quote_name(table->schema) + "." + name;
        Result<core::SourceTable> described = source.describe(table->schema, table->table);
        if (!described) return std::move(described).error().in(task.task);
        if (described->columns.empty()) {
            return Error{
                Errc::NotFound, Retry::Backoff, task.task + ": the source has no table " + name
            };
        }
        for (const core::SourceColumn& column : described->columns) {
            columns.tables[table].insert(to_lower(column.name));
        }
    }
    SqlFault fault;
    if (!resolve_columns(sql, columns, fault)) return sql_error(task, fault);
    return {};
}

Result<std::unique_ptr<MappingPlan>> DocumentReader::plan(const EsTask& task) {
    Result<SourceReader*> source = source_of(task);
    if (!source) return std::move(source).error();
    Result<std::string> schema = (*source)->schema();
    if (!schema) return std::move(schema).error().in(task.task);
    SqlFault fault;
    const std::shared_ptr<MappingSql> sql = parse_mapping_sql(task.sql, fault);
    if (!sql) return sql_error(task, fault);
    if (needs_columns(*sql)) {
        Result<void> settled = settle_columns(task, *sql, **source);
        if (!settled) return std::move(settled).error();
    }
    if (!check_task(task, *sql, fault)) return sql_error(task, fault);
    return make_plan(task, std::move(*sql), *schema);
}

Result<void> DocumentReader::probe(const MappingPlan& plan) {
    if (types_.contains(&plan)) return {};
    Result<SourceReader*> source = source_of(*plan.task);
    if (!source) return std::move(source).error();
    Columns columns;
    Result<void> read = (*source)->describe_result(probe_types(plan), columns, plan.task->task);
    if (!read) return read;
    FloatFields floats(plan.fields.size(), false);
    for (size_t i = 0; i < floats.size() && i < columns.size(); ++i) {
        floats[i] = columns[i].type == client::SqlType::Float;
    }
    types_.emplace(&plan, std::move(floats));
    return {};
}

Result<const FloatFields*> DocumentReader::floats_of(const MappingPlan& plan) {
    Result<void> probed = probe(plan);
    if (!probed) return std::move(probed).error();
    return &types_.at(&plan);
}

Result<void> DocumentReader::run(const PlanWork& work, BlockBuilder& block) {
    const MappingPlan& plan = *work.plan;
    if (work.truncate) {
        DocumentChange change;
        change.plan = &plan;
        change.kind = ChangeKind::Truncate;
        change.cause = work.truncated.dml;
        Result<void> added = block.add(std::move(change));
        if (added) added = block.flush();
        if (!added) return added;
    }
    std::vector<const KeyWork*> read;
    for (const bool removes : {true, false}) {
        for (const KeyWork& key : work.keys) {
            if (key.read || key.remove != removes) continue;
            if (!key.remove && !key.whole && key.changed.none()) continue;
            Result<void> added = block.add(direct_change(work, key));
            if (!added) return added;
        }
    }
    Result<void> handed = block.flush();
    if (!handed) return handed;
    Result<void> visible = await_visible(work);
    if (!visible) return visible;
    for (const KeyWork& key : work.keys) {
        if (key.read) read.push_back(&key);
    }
    const size_t at_once = keys_at_once(plan.key.size());
    for (size_t first = 0; first < read.size(); first += at_once) {
        const size_t count = std::min(at_once, read.size() - first);
        Result<void> done = read_keys(plan, std::span(read).subspan(first, count), block);
        if (!done) return done;
    }
    for (const auto& [use, parents] : work.parents) {
        Result<void> done = read_parents(work, use, parents, block);
        if (!done) return done;
    }
    if (work.refresh) {
        const bool whole = work.truncate || work.replaces;
        const ChangeKind kind = whole ? ChangeKind::Whole : ChangeKind::Update;
        const FieldSet fields = work.replaces ? plan.uses.front().fields : work.refreshed;
        Result<void> done = stream(plan, {}, kind, fields, work.truncated, block);
        if (!done) return done;
    }
    return block.flush();
}

Result<void> DocumentReader::await_visible(const PlanWork& work) {
    const Cause& cause = work.latest_read;
    if (cause.dml == nullptr) return {};
    Result<SourceReader*> source = source_of(*work.plan->task);
    if (!source) return std::move(source).error();
    return (*source)->await_visible(*cause.dml, cause.values());
}

Result<void> DocumentReader::read_keys(
    const MappingPlan& plan, std::span<const KeyWork* const> keys, BlockBuilder& block
) {
    Result<const FloatFields*> floats = floats_of(plan);
    if (!floats) return std::move(floats).error();
    Result<SourceReader*> source = source_of(*plan.task);
    if (!source) return std::move(source).error();
    Condition condition = key_condition(plan);
    core::KeyTable wanted;  // of keys, the first of equal ones
    wanted.reserve(keys.size());
    size_t unfound = 0;
    condition.values.reserve(keys.size());
    for (uint32_t i = 0; i < keys.size(); ++i) {
        const std::vector<FieldValue>& key = keys[i]->key;
        condition.values.push_back(key);
        const auto is_it = [&](uint32_t number) { return same_key(keys[number]->key, key); };
        if (wanted.find_or_add(hash_key(key), i, is_it) == i) ++unfound;
    }
    std::vector<DocumentChange> found;
    found.reserve(keys.size());
    std::vector<bool> key_found(keys.size(), false);
    std::vector<FieldValue> key;
    const auto is_row = [&](uint32_t number) { return same_key(keys[number]->key, key); };
    const auto each = [&](const Columns& columns, SourceReader::Row cells) {
        key.clear();
        for (size_t i = 0; i < plan.key.size(); ++i) {
            const size_t at = plan.fields.size() + i;
            key.push_back(read_cell(columns[at].type, cells[at], false));
        }
        const std::optional<uint32_t> asked = wanted.find(hash_key(key), is_row);
        // Equal to one in the source's eyes only: whole, since it was not asked for.
        const KeyWork& cause_of = asked ? *keys[*asked] : *keys.front();
        const bool whole = !asked || cause_of.whole;
        const FieldSet& fields = whole ? plan.uses.front().fields : cause_of.changed;
        auto change = from_row(plan, **floats, columns, cells, fields);
        if (!change) return true;
        change->kind = whole ? ChangeKind::Whole : ChangeKind::Update;
        change->cause = cause_of.cause.dml;
        change->row = cause_of.cause.row;
        if (asked && !key_found[*asked]) {
            key_found[*asked] = true;
            --unfound;
        }
        found.push_back(std::move(*change));
        return true;
    };
    const std::string sql = select_documents(plan, **floats, condition);
    Result<void> read = (*source)->read(sql, each, what_of(plan), Session::Main);
    if (!read) return read;

    std::vector<const KeyWork*> gone;
    std::set<std::pair<std::string, std::string>> found_ids;
    if (unfound > 0) {
        for (const KeyWork* one : keys) {
            key = one->key;
            if (!key_found[*wanted.find(hash_key(key), is_row)]) gone.push_back(one);
        }
        for (const DocumentChange& change : found) found_ids.emplace(change.id, change.routing);
    }
    std::vector<DocumentChange> removed;
    Result<void> evaluated = add_removed(plan, gone, removed);
    if (!evaluated) return evaluated;
    for (DocumentChange& change : removed) {
        if (found_ids.contains({change.id, change.routing})) continue;
        Result<void> added = block.add(std::move(change));
        if (!added) return added;
    }
    for (DocumentChange& change : found) {
        Result<void> added = block.add(std::move(change));
        if (!added) return added;
    }
    return {};
}

// Documents whose rows the mapping's SQL doesn't have any more.
Result<void> DocumentReader::add_removed(
    const MappingPlan& plan, std::span<const KeyWork* const> gone, std::vector<DocumentChange>& to
) {
    const auto make = [&](const KeyWork& key) -> DocumentChange& {
        DocumentChange& change = to.emplace_back();
        change.plan = &plan;
        change.kind = ChangeKind::Delete;
        change.key = key.key;
        change.cause = key.cause.dml;
        change.row = key.cause.row;
        return change;
    };
    if (gone.empty()) return {};
    if (plan.id_is_column && plan.parent_is_column) {
        for (const KeyWork* key : gone) {
            if (key->key.front().is_null()) continue;  // the id of no document
            DocumentChange& change = make(*key);
            change.id = key->key.front().text;
            if (plan.parent_field) change.routing = key->key[plan.parent_key].text;
        }
        return {};
    }
    Result<SourceReader*> source = source_of(*plan.task);
    if (!source) return std::move(source).error();
    std::vector<std::vector<FieldValue>> keys;
    for (const KeyWork* key : gone) keys.push_back(key->key);
    const auto each = [&](const Columns& columns, SourceReader::Row cells) {
        const auto number = parse_uint(cells[2].value_or(""));
        if (!number || *number >= gone.size() || !cells[0]) return true;
        DocumentChange& change = make(*gone[*number]);
        change.id = read_cell(columns[0].type, cells[0], false).text;
        change.routing = read_cell(columns[1].type, cells[1], false).text;
        return true;
    };
    return (*source)->read(evaluate_ids(plan, keys), each, what_of(plan), Session::Main);
}

Result<void> DocumentReader::read_parents(
    const PlanWork& work, uint32_t use, std::span<const ParentWork> parents, BlockBuilder& block
) {
    const MappingPlan& plan = *work.plan;
    const ChangeKind kind = work.replaces ? ChangeKind::Whole : ChangeKind::Update;
    const auto fields_of = [&](const ParentWork& parent) {
        return work.replaces ? plan.uses.front().fields : parent.changed;
    };
    // Those that change the same fields, together.
    std::map<std::string, std::vector<const ParentWork*>> groups;
    for (const ParentWork& parent : parents) {
        groups[(parent.select ? "1" : "0") + fields_of(parent).to_string()].push_back(&parent);
    }
    const size_t at_once = keys_at_once(plan.uses[use].parent.size());
    for (const auto& [text, group] : groups) {
        for (size_t first = 0; first < group.size(); first += at_once) {
            Condition condition = parent_condition(plan.uses[use]);
            const size_t end = std::min(group.size(), first + at_once);
            for (size_t i = first; i < end; ++i) condition.values.push_back(group[i]->values);
            const ParentWork& latest = *group[end - 1];
            Result<void> done;
            if (latest.select) {
                done = read_found_keys(plan, condition, latest.cause, block);
            } else {
                done = stream(plan, condition, kind, fields_of(latest), latest.cause, block);
            }
            if (!done) return done;
        }
    }
    return {};
}

Result<void> DocumentReader::stream(
    const MappingPlan& plan,
    const Condition& condition,
    ChangeKind kind,
    const FieldSet& fields,
    const Cause& cause,
    BlockBuilder& block
) {
    Result<const FloatFields*> floats = floats_of(plan);
    if (!floats) return std::move(floats).error();
    Result<SourceReader*> source = source_of(*plan.task);
    if (!source) return std::move(source).error();
    Result<void> handed;
    const auto each = [&](const Columns& columns, SourceReader::Row cells) {
        auto change = from_row(plan, **floats, columns, cells, fields);
        if (!change) return true;
        change->kind = kind;
        change->cause = cause.dml;
        change->row = cause.row;
        handed = block.add(std::move(*change));
        return handed.ok();
    };
    const std::string sql = select_documents(plan, **floats, condition);
    Result<void> read = (*source)->read(sql, each, what_of(plan), Session::Outer);
    return handed ? read : handed;
}

// Where documents may come or go: first whose they are, then what they are.
Result<void> DocumentReader::read_found_keys(
    const MappingPlan& plan, const Condition& condition, const Cause& cause, BlockBuilder& block
) {
    Result<SourceReader*> source = source_of(*plan.task);
    if (!source) return std::move(source).error();
    const size_t at_once = keys_at_once(plan.key.size());
    std::vector<KeyWork> keys;
    Result<void> done;
    const auto read = [&] {
        std::vector<const KeyWork*> asked;
        for (const KeyWork& key : keys) asked.push_back(&key);
        done = read_keys(plan, asked, block);
        keys.clear();
        return done.ok();
    };
    const auto each = [&](const Columns& columns, SourceReader::Row cells) {
        KeyWork& key = keys.emplace_back();
        for (size_t i = 0; i < cells.size(); ++i) {
            key.key.push_back(read_cell(columns[i].type, cells[i], false));
        }
        key.read = true;
        key.whole = true;
        key.cause = cause;
        return keys.size() < at_once || read();
    };
    Result<void> found =
        (*source)->read(select_keys(plan, condition), each, what_of(plan), Session::Outer);
    if (!done) return done;
    if (!found) return found;
    if (!keys.empty()) read();
    return done;
}

Result<LoadedDocuments> DocumentReader::load_part(
    const MappingPlan& plan,
    const std::string& filter,
    const std::vector<std::string>& after_key,
    size_t limit
) {
    Result<const FloatFields*> floats = floats_of(plan);
    if (!floats) return std::move(floats).error();
    Result<SourceReader*> source = source_of(*plan.task);
    if (!source) return std::move(source).error();
    const SqlSelect& select = plan.sql.select;
    const SqlSource& main = select.sources[0];
    Result<core::SourceTable> table = (*source)->describe(main.schema, main.table);
    if (!table) return std::move(table).error().in(plan.task->task);
    std::vector<std::string> order;
    for (const size_t column : table->paging_key) order.push_back(table->columns[column].name);
    // Rows of one key are one document, so where the table has no order, the key's does.
    if (order.empty() || select.grouped || select.distinct) order = plan.key;
    std::vector<FieldValue> after;
    for (size_t i = 0; i < after_key.size() && after_key.size() == order.size(); ++i) {
        const auto column = std::ranges::find_if(table->columns, [&](const auto& one) {
            return equals_ignore_case(one.name, order[i]);
        });
        const std::string type = column == table->columns.end() ? "" : column->mysql_type;
        core::DmlValue value;
        after.push_back(restored(EventColumn(type).read(value).kind, after_key[i]));
    }
    LoadedDocuments loaded;
    loaded.after_key = after_key;
    size_t rows = 0;
    const auto each = [&](const Columns& columns, SourceReader::Row cells) {
        ++rows;
        loaded.after_key.clear();
        const size_t first = plan.fields.size() + plan.key.size();
        for (size_t i = 0; i < order.size(); ++i) {
            loaded.after_key.push_back(
                stored(read_cell(columns[first + i].type, cells[first + i], false))
            );
        }
        auto change = from_row(plan, **floats, columns, cells, plan.uses.front().fields);
        if (change) loaded.documents.push_back(std::move(*change));
        return true;
    };
    const std::string sql = select_part(plan, **floats, filter, order, after, limit);
    Result<void> read = (*source)->read(sql, each, plan.task->task + ": full load", Session::Main);
    if (!read) return std::move(read).error();
    loaded.end = rows < limit;
    return loaded;
}

}  // namespace obcanal::adapter::es
