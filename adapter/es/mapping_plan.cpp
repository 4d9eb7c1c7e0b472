#include "adapter/es/mapping_plan.h"

#include "protocol/base/text.h"

#include <algorithm>
#include <set>

namespace obcanal::adapter::es {
namespace {

using Kind = SqlExpression::Kind;

bool refuse(SqlFault& fault, const SqlRange& range, std::string what) {
    fault = {range.begin, std::move(what)};
    return false;
}

std::optional<uint32_t> find_item(const SqlSelect& select, std::string_view name) {
    for (const bool exact : {true, false}) {
        for (size_t i = 0; i < select.items.size(); ++i) {
            const std::string& item = select.items[i].name;
            if (exact ? item == name : equals_ignore_case(item, name)) {
                return static_cast<uint32_t>(i);
            }
        }
    }
    return std::nullopt;
}

// What the documents are found by has to be known from a row of the main table alone.
bool check_key_item(const SqlSelect& select, const SelectItem& item, SqlFault& fault) {
    if (item.value.columns.empty() || item.value.aggregate) {
        return refuse(fault, item.value.range, "'" + item.name + "' has to be made of columns");
    }
    for (const ColumnUse& use : item.value.columns) {
        if (use.source > 0) {
            return refuse(
                fault,
                use.range,
                "'" + item.name + "' has to be made of columns of the first table, '" +
                    select.sources[0].alias + "'"
            );
        }
        if (!select.grouped) continue;
        const bool grouped = std::ranges::any_of(select.group_by, [&](const SqlExpression& group) {
            return group.kind == Kind::Column &&
                   (equals_ignore_case(group.columns[0].column, use.column) ||
                    equals_ignore_case(group.columns[0].column, item.name));
        });
        if (!grouped) {
            return refuse(
                fault, use.range, "'" + use.column + "' has to be one of GROUP BY's columns"
            );
        }
    }
    return true;
}

const SelectItem* derived_item(const SqlSource& source, std::string_view column) {
    const auto found = std::ranges::find_if(source.derived->items, [&](const SelectItem& item) {
        return equals_ignore_case(item.name, column);
    });
    return found == source.derived->items.end() ? nullptr : &*found;
}

bool check_derived(const SqlSource& source, SqlFault& fault) {
    const SqlSelect& inner = *source.derived;
    if (inner.sources.size() != 1 || inner.sources[0].derived) {
        const size_t other = inner.sources.size() > 1 ? 1 : 0;
        return refuse(
            fault,
            inner.sources[other].joined,
            "a derived table is understood with one table inside, and without joins"
        );
    }
    for (const JoinEquality& equality : source.equal) {
        const ColumnUse& own = source.on.columns[equality.own];
        const SelectItem* item = derived_item(source, own.column);
        if (item == nullptr) {
            return refuse(
                fault, own.range, "'" + source.alias + "' has no column '" + own.column + "'"
            );
        }
        if (item->value.kind != Kind::Column) {
            return refuse(
                fault,
                item->value.range,
                "a field of a derived table that it is joined by has to be a column by itself"
            );
        }
    }
    return true;
}

// Every expression of the outer select that isn't a field.
class PlanMaker {
 public:
    PlanMaker(MappingPlan& plan, const std::string& schema) : plan_(plan), schema_(schema) {}

    void make() {
        find_reach();
        for (size_t i = 0; i < select().sources.size(); ++i) {
            plan_.uses.push_back(make_use(static_cast<uint32_t>(i)));
        }
        make_key();
        make_fields();
    }

 private:
    const SqlSelect& select() const { return plan_.sql.select; }

    FieldSet all() const {
        FieldSet set;
        for (size_t i = 0; i < select().items.size(); ++i) set.set(i);
        return set;
    }

    static bool names(const SqlExpression& expression, int source) {
        return std::ranges::any_of(expression.columns, [source](const ColumnUse& use) {
            return use.source == source;
        });
    }

    // What hangs on a source: its fields, and those of the ones that are joined to it.
    void find_reach() {
        const size_t count = select().sources.size();
        reach_.resize(count);
        decides_.assign(count, false);
        for (size_t i = count; i-- > 0;) {
            const int source = static_cast<int>(i);
            for (size_t f = 0; f < select().items.size(); ++f) {
                if (names(select().items[f].value, source)) reach_[i].set(f);
            }
            // A group is read by its own columns or not at all: others would cut it.
            decides_[i] = select().grouped || select().sources[i].join == SqlSource::Join::Inner ||
                          (select().where && names(*select().where, source));
            for (size_t later = i + 1; later < count; ++later) {
                if (!names(select().sources[later].on, source)) continue;
                reach_[i] |= reach_[later];
                decides_[i] = decides_[i] || decides_[later];
            }
        }
    }

    // A column of the outer select, by what uses it.
    void add_outer(int source, const std::string& column, TableUse::Column& to) const {
        const auto uses = [&](const SqlExpression& expression) {
            return std::ranges::any_of(expression.columns, [&](const ColumnUse& use) {
                return use.source == source && equals_ignore_case(use.column, column);
            });
        };
        for (size_t f = 0; f < select().items.size(); ++f) {
            const SqlExpression& value = select().items[f].value;
            if (!uses(value)) continue;
            to.fields.set(f);
            if (value.kind == Kind::Column) {
                to.copies.push_back(static_cast<uint32_t>(f));
            } else {
                to.reread = true;
            }
        }
        for (size_t s = 1; s < select().sources.size(); ++s) {
            if (!uses(select().sources[s].on)) continue;
            to.join = true;
            to.reread = true;
            to.fields |= reach_[s];
            to.select = to.select || decides_[s];
        }
        const bool decides = (select().where && uses(*select().where)) ||
                             std::ranges::any_of(select().group_by, uses);
        if (decides) {
            to.select = true;
            to.reread = true;
            to.fields = all();
        }
    }

    TableUse make_use(uint32_t number) const {
        const SqlSource& source = select().sources[number];
        const SqlSource& table = source.derived ? source.derived->sources[0] : source;
        TableUse use;
        use.schema = to_lower(table.schema.empty() ? schema_ : table.schema);
        use.table = to_lower(table.table);
        use.source = number;
        use.derived = source.derived != nullptr;
        use.fields = number == 0 ? all() : reach_[number];
        use.select = number == 0 || decides_[number];
        if (use.derived) {
            add_derived(number, use);
        } else {
            for (const std::string& column : columns_of(static_cast<int>(number))) {
                add_outer(static_cast<int>(number), column, use.columns[column]);
            }
        }
        for (const JoinEquality& equality : source.equal) {
            const ColumnUse& own = source.on.columns[equality.own];
            const ColumnUse& other = source.on.columns[equality.other];
            std::string column = to_lower(own.column);
            if (use.derived) {
                const SelectItem* item = derived_item(source, own.column);
                column = to_lower(item->value.columns.front().column);
            }
            use.own.push_back(std::move(column));
            use.parent.push_back(
                quote_name(select().sources[static_cast<size_t>(other.source)].alias) + "." +
                quote_name(other.column)
            );
            use.last_parent = std::max(use.last_parent, static_cast<uint32_t>(other.source));
        }
        return use;
    }

    std::set<std::string> columns_of(int source) const {
        std::set<std::string> columns;
        const auto add = [&](const SqlExpression& expression) {
            for (const ColumnUse& use : expression.columns) {
                if (use.source == source) columns.insert(to_lower(use.column));
            }
        };
        for (const SelectItem& item : select().items) add(item.value);
        for (const SqlSource& other : select().sources) add(other.on);
        if (select().where) add(*select().where);
        for (const SqlExpression& group : select().group_by) add(group);
        return columns;
    }

    void add_derived(uint32_t number, TableUse& use) const {
        const SqlSelect& inner = *select().sources[number].derived;
        for (const SelectItem& item : inner.items) {
            TableUse::Column outer;
            add_outer(static_cast<int>(number), item.name, outer);
            for (const ColumnUse& column : item.value.columns) {
                TableUse::Column& to = use.columns[to_lower(column.column)];
                to.fields |= outer.fields;
                to.join = to.join || outer.join;
                to.select = to.select || outer.select;
            }
        }
        const auto regroup = [&](const SqlExpression& expression) {
            for (const ColumnUse& column : expression.columns) {
                TableUse::Column& to = use.columns[to_lower(column.column)];
                to.fields |= use.fields;
                to.join = true;
                to.select = to.select || use.select;
            }
        };
        if (inner.where) regroup(*inner.where);
        for (const SqlExpression& group : inner.group_by) regroup(group);
    }

    void add_key(const SelectItem& item) {
        for (const ColumnUse& use : item.value.columns) {
            std::string column = to_lower(use.column);
            if (std::ranges::find(plan_.key, column) == plan_.key.end()) {
                plan_.key.push_back(std::move(column));
            }
        }
    }

    void make_key() {
        const EsTask& task = *plan_.task;
        plan_.by_pk = task.id.empty();
        plan_.id_field = find_item(select(), plan_.by_pk ? task.pk : task.id).value_or(0);
        const SelectItem& id = select().items[plan_.id_field];
        add_key(id);
        plan_.id_is_column = id.value.kind == Kind::Column;
        plan_.parent_is_column = true;
        for (const config::EsRelation& relation : task.relations) {
            if (relation.parent.empty()) continue;
            plan_.parent_field = find_item(select(), relation.parent);
            const SelectItem& parent = select().items[*plan_.parent_field];
            add_key(parent);
            plan_.parent_is_column = parent.value.kind == Kind::Column;
            const std::string column = to_lower(parent.value.columns.front().column);
            const auto at = std::ranges::find(plan_.key, column);
            plan_.parent_key = static_cast<uint32_t>(at - plan_.key.begin());
        }
    }

    void make_fields() {
        bool plain = true;
        for (const SelectItem& item : select().items) {
            PlanField& field = plan_.fields.emplace_back();
            field.name = item.name;
            field.written =
                std::ranges::find(plan_.task->skips, item.name) == plan_.task->skips.end();
            plain = plain && item.value.kind != Kind::Other;
        }
        if (!plan_.by_pk) plan_.fields[plan_.id_field].written = false;
        const bool inner = std::ranges::any_of(select().sources, [](const SqlSource& source) {
            return source.join == SqlSource::Join::Inner;
        });
        plan_.row_is_document =
            !inner && !select().where && !select().grouped && !select().distinct;
        plan_.local = plain && plan_.row_is_document && select().sources.size() == 1;
    }

    MappingPlan& plan_;
    const std::string& schema_;
    std::vector<FieldSet> reach_;  // by source
    std::vector<bool> decides_;    // by source: documents come or go, or are read by their key only
};

}  // namespace

std::string quote_name(std::string_view name) {
    std::string quoted = "`";
    for (const char c : name) {
        quoted += c;
        if (c == '`') quoted += c;
    }
    return quoted + "`";
}

bool check_task(const config::EsMapping& mapping, const MappingSql& sql, SqlFault& fault) {
    const SqlSelect& select = sql.select;
    if (select.items.size() > kMaxFields) {
        return refuse(fault, select.item_list, "more than 1024 fields are not understood");
    }
    if (select.sources[0].derived) {
        return refuse(fault, select.sources[0].range, "the first table can't be a derived one");
    }
    for (const SqlSource& source : select.sources) {
        if (source.derived && !check_derived(source, fault)) return false;
    }
    if (select.grouped && select.group_by.empty()) {
        return refuse(fault, select.item_list, "an aggregate needs a GROUP BY");
    }
    const std::string& id = mapping.id.empty() ? mapping.pk : mapping.id;
    std::vector<std::string> names{id};
    for (const config::EsRelation& relation : mapping.relations) {
        if (!relation.parent.empty()) names.push_back(relation.parent);
    }
    for (const std::string& name : names) {
        const auto item = find_item(select, name);
        if (!item) {
            return refuse(
                fault, select.item_list, "no field has the name '" + printable(name) + "'"
            );
        }
        if (!check_key_item(select, select.items[*item], fault)) return false;
    }
    return true;
}

std::unique_ptr<MappingPlan> make_plan(
    const EsTask& task, MappingSql sql, const std::string& schema
) {
    auto plan = std::make_unique<MappingPlan>();
    plan->task = &task;
    plan->sql = std::move(sql);
    PlanMaker(*plan, schema).make();
    return plan;
}

}  // namespace obcanal::adapter::es
