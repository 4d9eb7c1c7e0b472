#include "adapter/es/batch_work.h"

#include "protocol/base/text.h"

#include <algorithm>

namespace obcanal::adapter::es {
namespace {

using core::Dml;
using core::DmlRow;
using core::DmlValue;
using core::ValueState;

constexpr size_t kForms = 8;  // of one table that are kept from batch to batch

bool is_row_event(const Dml& dml) {
    return !dml.is_ddl && !dml.rows.empty() &&
           (dml.type == canal::EventType::Insert || dml.type == canal::EventType::Update ||
            dml.type == canal::EventType::Delete);
}

// The value after the change; of a column that upstream did not log then, the one before it.
const DmlValue* current(const DmlRow& row, uint32_t column) {
    if (!row.after.empty() && row.after[column].state != ValueState::Unknown)
        return &row.after[column];
    if (!row.before.empty() && row.before[column].state != ValueState::Unknown)
        return &row.before[column];
    return nullptr;
}

const DmlValue* previous(const DmlRow& row, uint32_t column) {
    if (!row.before.empty() && row.before[column].state != ValueState::Unknown)
        return &row.before[column];
    // One that did not change may stand in the image after it only.
    const bool same = !row.after.empty() && row.after[column].state != ValueState::Unknown &&
                      !row.after[column].updated;
    return same ? &row.after[column] : nullptr;
}

bool is_changed(const DmlRow& row, uint32_t column) {
    if (row.after.empty() || row.before.empty()) return true;
    const DmlValue& after = row.after[column];
    const DmlValue& before = row.before[column];
    if (after.state == ValueState::Unknown) return false;
    if (after.updated || before.state == ValueState::Unknown) return after.updated;
    return after.state != before.state || after.text != before.text;
}

bool has_null(const std::vector<FieldValue>& values) {
    return std::ranges::any_of(values, [](const FieldValue& value) { return value.is_null(); });
}

using Image = const DmlValue* (*)(const DmlRow&, uint32_t);

// False: upstream has not logged one of them.
bool read_columns(
    const EventForm& form,
    const std::vector<uint32_t>& columns,
    const DmlRow& row,
    Image image,
    std::vector<FieldValue>& values
) {
    values.clear();
    for (const uint32_t column : columns) {
        const EventForm::Column& known = form.columns[column];
        const DmlValue* value = image(row, known.event);
        if (value == nullptr) return false;
        values.push_back(known.reader.read(*value));
    }
    return true;
}

// Does the row's image tell all these fields?
bool tells(const EventForm& form, const DmlRow& row, const FieldSet& fields) {
    for (size_t i = 0; i < form.fields.size(); ++i) {
        if (!fields[i] || form.fields[i] == EventForm::kLiteral) continue;
        if (form.fields[i] == EventForm::kAbsent) return false;
        const auto column = static_cast<size_t>(form.fields[i]);
        if (current(row, form.columns[column].event) == nullptr) return false;
    }
    return true;
}

FieldSet all_fields(const MappingPlan& plan) { return plan.uses.front().fields; }

Error not_logged(const MappingPlan& plan, const Dml& dml) {
    return {
        Errc::Unsupported,
        Retry::Backoff,
        plan.task->task + ": a row of " + std::string(dml.database) + "." + std::string(dml.table) +
            " came without a value that documents are found by: binlog_row_image has to be FULL"
    };
}

void add_fields(
    const MappingPlan& plan,
    const EventForm& form,
    const DmlRow& row,
    const FieldSet& fields,
    DocumentChange& change
) {
    change.fields.reserve(fields.count());
    for (size_t i = 0; i < plan.fields.size(); ++i) {
        if (!fields[i]) continue;
        DocumentField& field = change.fields.emplace_back();
        field.field = static_cast<uint32_t>(i);
        if (form.fields[i] == EventForm::kLiteral) {
            field.value = literal_value(plan.sql.select.items[i].value);
            continue;
        }
        const EventForm::Column& column = form.columns[static_cast<size_t>(form.fields[i])];
        field.value = column.reader.read(*current(row, column.event));
    }
}

}  // namespace

EventForm::EventForm(const MappingPlan& plan, const TableUse& use, const Dml& dml) {
    std::map<std::string, uint32_t> places;  // of `columns`
    for (size_t i = 0; i < dml.columns.size(); ++i) {
        const core::DmlColumn& column = dml.columns[i];
        form_.emplace_back(column.name, column.mysql_type);
        std::string name = to_lower(column.name);
        const auto known = use.columns.find(name);
        if (known == use.columns.end()) continue;
        places.emplace(std::move(name), static_cast<uint32_t>(columns.size()));
        columns.push_back({static_cast<uint32_t>(i), &known->second, EventColumn(column.mysql_type)}
        );
    }
    const auto find_all = [&](const std::vector<std::string>& names, std::vector<uint32_t>& to) {
        for (const std::string& name : names) {
            const auto place = places.find(name);
            if (place == places.end()) {
                missing = name;
                to.clear();
                return;
            }
            to.push_back(place->second);
        }
    };
    if (use.source != 0) {
        find_all(use.own, own);
        return;
    }
    find_all(plan.key, key);
    bool any_key = false;
    unique = true;
    for (const core::DmlColumn& column : dml.columns) {
        if (!column.key) continue;
        any_key = true;
        unique = unique && std::ranges::find(plan.key, to_lower(column.name)) != plan.key.end();
    }
    unique = unique && any_key;
    for (const SelectItem& item : plan.sql.select.items) {
        int place = kLiteral;
        if (item.value.kind == SqlExpression::Kind::Column && item.value.columns[0].source == 0) {
            const auto found = places.find(to_lower(item.value.columns[0].column));
            place = found == places.end() ? kAbsent : static_cast<int>(found->second);
        }
        fields.push_back(place);
    }
}

bool EventForm::made_for(const Dml& dml) const {
    return std::ranges::equal(dml.columns, form_, [](const auto& column, const auto& known) {
        return column.name == known.first && column.mysql_type == known.second;
    });
}

void BatchWork::set_plans(const std::vector<const MappingPlan*>& plans) {
    works_.clear();
    uses_.clear();
    for (const MappingPlan* plan : plans) {
        const auto number = static_cast<uint32_t>(works_.size());
        works_.emplace_back().plan = plan;
        for (size_t i = 0; i < plan->uses.size(); ++i) {
            const TableUse& use = plan->uses[i];
            Use& added = uses_[use.schema + '\0' + use.table].emplace_back();
            added.plan = number;
            added.number = static_cast<uint32_t>(i);
        }
    }
}

void PlanWork::clear() {
    truncate = false;
    refresh = false;
    refreshed.reset();
    keys.clear();
    by_key.clear();
    parents.clear();
    by_values.clear();
    truncated = {};
    latest_read = {};
}

void BatchWork::clear(const std::set<std::string>& replaced) {
    for (PlanWork& work : works_) {
        work.clear();
        work.replaces = replaced.contains(work.plan->task->task);
    }
    for (auto& [name, uses] : uses_) {
        for (Use& use : uses) use.forms.resize(std::min(use.forms.size(), kForms));
    }
}

std::vector<BatchWork::Use>* BatchWork::uses_of(const Dml& dml) {
    name_ = to_lower(dml.database) + '\0' + to_lower(dml.table);
    const auto found = uses_.find(name_);
    return found == uses_.end() ? nullptr : &found->second;
}

EventForm& BatchWork::form_of(Use& use, const Dml& dml) {
    for (auto form = use.forms.begin(); form != use.forms.end(); ++form) {
        if (!(*form)->made_for(dml)) continue;
        std::rotate(use.forms.begin(), form, form + 1);
        return *use.forms.front();
    }
    const MappingPlan& plan = *works_[use.plan].plan;
    use.forms.insert(
        use.forms.begin(), std::make_unique<EventForm>(plan, plan.uses[use.number], dml)
    );
    return *use.forms.front();
}

Result<void> BatchWork::collect(const core::DmlBatch& batch) {
    for (const Dml& dml : batch.dmls) {
        const bool truncates = dml.type == canal::EventType::Truncate;
        if (!truncates && !is_row_event(dml)) continue;
        std::vector<Use>* uses = uses_of(dml);
        if (uses == nullptr) continue;
        for (Use& use : *uses) {
            PlanWork& work = works_[use.plan];
            if (!batch.only_task.empty() && work.plan->task->task != batch.only_task) continue;
            if (truncates) {
                truncate(work, work.plan->uses[use.number], dml);
                continue;
            }
            Result<void> collected = collect_rows(use, dml);
            if (!collected) return collected;
        }
    }
    return {};
}

Result<void> BatchWork::collect_rows(Use& use, const Dml& dml) {
    PlanWork& work = works_[use.plan];
    const EventForm& form = form_of(use, dml);
    if (!form.missing.empty()) {
        return Error{
            Errc::Refused,
            Retry::Backoff,
            work.plan->task->task + ": rows of " + std::string(dml.database) + "." +
                std::string(dml.table) + " have no column '" + form.missing + "'"
        };
    }
    const TableUse& table = work.plan->uses[use.number];
    for (uint32_t i = 0; i < dml.rows.size(); ++i) {
        const Row row{form, {&dml, i}};
        if (dml.rows[i].before.empty() && dml.rows[i].after.empty()) continue;
        Result<void> collected =
            table.source == 0 ? collect_main(work, row) : collect_joined(work, table, row);
        if (!collected) return collected;
    }
    return {};
}

Result<void> BatchWork::collect_main(PlanWork& work, const Row& row) {
    const DmlRow& values = row.cause.values();
    Key before;
    Key after;
    const bool inserts = values.before.empty();
    const bool deletes = values.after.empty();
    const bool known =
        (inserts || read_columns(row.form, row.form.key, values, previous, before)) &&
        (deletes || read_columns(row.form, row.form.key, values, current, after));
    if (!known) return not_logged(*work.plan, *row.cause.dml);
    const bool moves = !inserts && !deletes && !same_key(before, after);
    // NULL is the id of no document.
    const auto is_id = [&work](const Key& key) {
        return !work.plan->id_is_column || !key.front().is_null();
    };
    if ((deletes || moves) && is_id(before)) add_delete(work, std::move(before), row);
    if (deletes || !is_id(after)) return {};
    if (inserts || moves) {
        add_insert(work, std::move(after), row);
    } else {
        add_update(work, std::move(after), row);
    }
    return {};
}

KeyWork& BatchWork::key_work(PlanWork& work, Key key, const Row& row) {
    const auto next = static_cast<uint32_t>(work.keys.size());
    const auto is_it = [&](uint32_t number) { return same_key(work.keys[number].key, key); };
    const uint32_t place = work.by_key.find_or_add(hash_key(key), next, is_it);
    if (place == next) work.keys.emplace_back().key = std::move(key);
    KeyWork& one = work.keys[place];
    one.cause = row.cause;
    one.form = &row.form;
    return one;
}

void BatchWork::add_read(
    PlanWork& work, Key key, bool whole, const FieldSet& changed, const Row& row
) {
    KeyWork& one = key_work(work, std::move(key), row);
    // What went and came may be a new document.
    one.whole = one.whole || whole || one.remove;
    one.read = true;
    one.remove = false;
    one.changed |= changed;
    work.latest_read = row.cause;
}

void BatchWork::add_insert(PlanWork& work, Key key, const Row& row) {
    const FieldSet all = all_fields(*work.plan);
    const bool direct =
        work.plan->local && row.form.unique && tells(row.form, row.cause.values(), all);
    if (!direct) return add_read(work, std::move(key), true, all, row);
    KeyWork& one = key_work(work, std::move(key), row);
    one.whole = true;
    one.remove = false;
    one.changed = all;
    if (one.read) work.latest_read = row.cause;
}

void BatchWork::add_delete(PlanWork& work, Key key, const Row& row) {
    const MappingPlan& plan = *work.plan;
    const SqlSelect& select = plan.sql.select;
    const bool direct = row.form.unique && plan.id_is_column && plan.parent_is_column &&
                        !select.grouped && !select.distinct;
    if (!direct) return add_read(work, std::move(key), true, all_fields(plan), row);
    KeyWork& one = key_work(work, std::move(key), row);
    if (one.read) {
        work.latest_read = row.cause;
        return;  // and is found gone
    }
    one.remove = true;
    one.whole = false;
    one.changed.reset();
}

void BatchWork::add_update(PlanWork& work, Key key, const Row& row) {
    const MappingPlan& plan = *work.plan;
    const DmlRow& values = row.cause.values();
    FieldSet changed;
    bool reread = false;
    bool select = false;
    for (const EventForm::Column& column : row.form.columns) {
        if (!is_changed(values, column.event)) continue;
        changed |= column.use->fields;
        reread = reread || column.use->reread;
        select = select || column.use->select;
    }
    if (changed.none() && !select) return;
    if (work.replaces) return add_insert(work, std::move(key), row);
    const bool direct = !reread && row.form.unique && plan.row_is_document && plan.id_is_column &&
                        plan.parent_is_column;
    if (!direct) return add_read(work, std::move(key), select, changed, row);
    KeyWork& one = key_work(work, std::move(key), row);
    one.changed |= changed;
    if (one.remove || !tells(row.form, values, one.changed)) one.read = true;
    if (one.read) {
        one.whole = one.whole || one.remove;
        one.remove = false;
        work.latest_read = row.cause;
    }
}

Result<void> BatchWork::collect_joined(PlanWork& work, const TableUse& use, const Row& row) {
    const DmlRow& values = row.cause.values();
    FieldSet changed = use.fields;
    bool select = use.select;
    bool joins = true;
    if (!values.before.empty() && !values.after.empty()) {
        changed.reset();
        // A group is read by its own columns or not at all: others would cut it.
        select = work.plan->sql.select.grouped;
        joins = false;
        for (const EventForm::Column& column : row.form.columns) {
            if (!is_changed(values, column.event)) continue;
            changed |= column.use->fields;
            select = select || column.use->select;
            joins = joins || column.use->join;
        }
        if (changed.none() && !joins) return {};
    }
    Key own;
    if (!values.after.empty()) {
        if (!read_columns(row.form, row.form.own, values, current, own))
            return not_logged(*work.plan, *row.cause.dml);
        add_parent(work, use, std::move(own), changed, select, row);
    }
    if (!values.before.empty() && joins) {
        own.clear();
        if (!read_columns(row.form, row.form.own, values, previous, own))
            return not_logged(*work.plan, *row.cause.dml);
        add_parent(work, use, std::move(own), changed, select, row);
    }
    return {};
}

void BatchWork::add_parent(
    PlanWork& work,
    const TableUse& use,
    Key values,
    const FieldSet& changed,
    bool select,
    const Row& row
) {
    if (has_null(values)) return;  // equal to nothing
    std::vector<ParentWork>& parents = work.parents[use.source];
    const auto next = static_cast<uint32_t>(parents.size());
    const auto is_it = [&](uint32_t number) { return same_key(parents[number].values, values); };
    const uint32_t place = work.by_values[use.source].find_or_add(hash_key(values), next, is_it);
    if (place == next) parents.emplace_back().values = std::move(values);
    ParentWork& parent = parents[place];
    parent.changed |= changed;
    parent.select = parent.select || select;
    parent.cause = row.cause;
    work.latest_read = row.cause;
}

void BatchWork::truncate(PlanWork& work, const TableUse& use, const Dml& dml) {
    if (!work.plan->task->apply_truncate) return;
    if (use.source == 0) {
        work.clear();
        work.truncate = true;
        work.truncated = {&dml, 0};
        return;
    }
    // All documents of the mapping lose something, or go.
    work.refresh = true;
    work.refreshed |= use.select ? all_fields(*work.plan) : use.fields;
    if (use.select) {
        work.truncate = true;
        work.keys.clear();
        work.by_key.clear();
    }
    work.truncated = {&dml, 0};
}

DocumentChange direct_change(const PlanWork& work, const KeyWork& key) {
    const MappingPlan& plan = *work.plan;
    DocumentChange change;
    change.plan = &plan;
    change.id = key.key.front().text;
    if (plan.parent_field) change.routing = key.key[plan.parent_key].text;
    change.key = key.key;
    change.cause = key.cause.dml;
    change.row = key.cause.row;
    if (key.remove) {
        change.kind = ChangeKind::Delete;
        return change;
    }
    change.kind = key.whole ? ChangeKind::Whole : ChangeKind::Update;
    const FieldSet fields = key.whole ? all_fields(plan) : key.changed;
    add_fields(plan, *key.form, key.cause.values(), fields, change);
    return change;
}

bool whole_from_image(DocumentChange& change) {
    const MappingPlan& plan = *change.plan;
    const Dml* dml = change.cause;
    if (!plan.local || dml == nullptr || change.row >= dml->rows.size()) return false;
    const DmlRow& row = dml->rows[change.row];
    const EventForm form(plan, plan.uses.front(), *dml);
    const FieldSet all = all_fields(plan);
    if (row.after.empty() || !form.unique || !tells(form, row, all)) return false;
    change.kind = ChangeKind::Whole;
    change.fields.clear();
    add_fields(plan, form, row, all, change);
    return true;
}

}  // namespace obcanal::adapter::es
