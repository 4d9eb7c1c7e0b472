#include "adapter/rdb/sql_plan.h"

#include "adapter/rdb/sql_text.h"
#include "protocol/base/text.h"

#include <algorithm>
#include <numeric>

namespace obcanal::adapter::rdb {

namespace {

using config::RdbMapping;
using core::Dml;
using core::DmlRow;
using core::ValueState;

const TargetColumn* find_column(const TargetTable& table, std::string_view name) {
    const auto found = std::ranges::find_if(table.columns, [name](const TargetColumn& column) {
        return equals_ignore_case(column.name, name);
    });
    return found == table.columns.end() ? nullptr : &*found;
}

std::optional<uint16_t> find_source(const RdbMapping& mapping, const Dml& dml, std::string_view n) {
    for (size_t i = 0; i < dml.columns.size(); i++) {
        const std::string_view name = dml.columns[i].name;
        if (name == n || (mapping.case_insensitive && equals_ignore_case(name, n))) {
            return static_cast<uint16_t>(i);
        }
    }
    return std::nullopt;
}

class PlanMaker {
 public:
    PlanMaker(
        const RdbMapping& mapping, const Dml& dml, const TargetTable& table, const PlanOptions& o
    )
        : mapping_(mapping), dml_(dml), table_(table), options_(o) {}

    Result<std::unique_ptr<SqlPlan>> make() {
        auto plan = std::make_unique<SqlPlan>();
        plan->mapping = &mapping_;
        plan->family = options_.family;
        plan->task = mapping_.task;
        plan->source = std::string(dml_.database) + "." + std::string(dml_.table);
        plan->table_name = full_name();
        plan->table = quote_name(options_.family, table_.name);
        if (!table_.database.empty()) {
            plan->table = quote_name(options_.family, table_.database) + "." + plan->table;
        }
        for (const auto& column : dml_.columns) {
            plan->source_columns.emplace_back(column.name, column.mysql_type);
        }
        if (auto done = add_columns(*plan); !done) {
            return done.error();
        }
        if (auto done = add_key(*plan); !done) {
            return done.error();
        }
        judge(*plan);
        plan->make_shapes();
        return plan;
    }

 private:
    Error refused(std::string_view what) const {
        return {
            Errc::BadConfig,
            Retry::Backoff,
            mapping_.task + ": table " + full_name() + " of the target: " + std::string(what)
        };
    }

    std::string full_name() const {
        return (table_.database.empty() ? "" : table_.database + ".") + table_.name;
    }

    // Nothing when the target computes the column itself.
    Result<std::optional<PlanColumn>> column(std::string_view target, uint16_t source) const {
        const TargetColumn* found = find_column(table_, target);
        if (found == nullptr) {
            return refused("has no column " + std::string(target));
        }
        if (found->generated) {
            return std::optional<PlanColumn>();
        }
        PlanColumn made;
        made.target = found->name;
        made.quoted = quote_name(options_.family, found->name);
        made.source = source;
        const std::string_view type = dml_.columns[source].mysql_type;
        made.rule = make_rule(type, *found, options_.family, options_.zero_date);
        return std::optional(std::move(made));
    }

    Result<void> add(std::vector<PlanColumn>& to, std::string_view target, uint16_t source) const {
        auto made = column(target, source);
        if (!made) {
            return made.error();
        }
        if (made->has_value()) {
            to.push_back(std::move(**made));
        }
        return {};
    }

    Result<void> add_columns(SqlPlan& plan) const {
        std::vector<bool> renamed(dml_.columns.size());
        for (const auto& [target, named] : mapping_.target_columns) {
            const auto source = find_source(mapping_, dml_, named.empty() ? target : named);
            if (!source) {
                continue;  // the target's default, as with the reference's NULL for INSERT
            }
            renamed[*source] = true;
            if (auto done = add(plan.columns, target, *source); !done) {
                return done;
            }
        }
        if (!mapping_.map_all && !mapping_.mirror_db) {
            return {};
        }
        for (size_t i = 0; i < dml_.columns.size(); i++) {
            if (renamed[i]) {
                continue;
            }
            if (auto done = add(plan.columns, dml_.columns[i].name, static_cast<uint16_t>(i));
                !done) {
                return done;
            }
        }
        return {};
    }

    Result<void> add_key(SqlPlan& plan) const {
        if (mapping_.mirror_db) {
            for (size_t i = 0; i < dml_.columns.size(); i++) {
                if (dml_.columns[i].key) {
                    const auto source = static_cast<uint16_t>(i);
                    if (auto done = add(plan.key, dml_.columns[i].name, source); !done) {
                        return done;
                    }
                }
            }
        }
        for (const auto& [target, named] : mapping_.target_pk) {
            const std::string_view name = named.empty() ? target : named;
            const auto source = find_source(mapping_, dml_, name);
            if (!source) {
                return refused(
                    "targetPk " + target + ": " + plan.source + " has no column " +
                    std::string(name)
                );
            }
            if (auto done = add(plan.key, target, *source); !done) {
                return done;
            }
        }
        for (PlanColumn& mapped : plan.columns) {
            mapped.in_key = std::ranges::any_of(plan.key, [&mapped](const PlanColumn& key) {
                return key.target == mapped.target;
            });
        }
        if (plan.key.empty()) {
            add_match(plan);
        }
        return {};
    }

    // Floating point and JSON aren't equal to their own text: left out where others are there.
    void add_match(SqlPlan& plan) const {
        for (const PlanColumn& mapped : plan.columns) {
            const std::string& type = find_column(table_, mapped.target)->type;
            if (type != "float" && type != "double" && type != "float4" && type != "float8" &&
                type != "json" && type != "geometry" && type != "point") {
                plan.match.push_back(mapped);
            }
        }
        if (plan.match.empty()) {
            plan.match = plan.columns;
        }
    }

    bool is_key(const SqlPlan& plan, const TargetIndex& index) const {
        return index.columns.size() == plan.key.size() &&
               std::ranges::all_of(index.columns, [&plan](const std::string& name) {
                   return std::ranges::any_of(plan.key, [&name](const PlanColumn& key) {
                       return equals_ignore_case(key.target, name);
                   });
               });
    }

    void judge(SqlPlan& plan) const {
        for (const TargetIndex& index : table_.unique) {
            if (is_key(plan, index)) {
                plan.enforced = true;
            } else {
                plan.unique.push_back(index);
            }
        }
        plan.constrained = table_.constrained;
        plan.strict =
            plan.key.empty() || !plan.enforced || !plan.unique.empty() || table_.constrained;
        plan.exact_keys = std::ranges::all_of(plan.key, [](const PlanColumn& key) {
            return key.rule.bind == BindAs::Signed || key.rule.bind == BindAs::Unsigned;
        });
        if (options_.family == SqlFamily::Postgres) {
            plan.exact_keys = std::ranges::all_of(plan.key, [this](const PlanColumn& key) {
                return find_column(table_, key.target)->type.starts_with("int");
            });
        }
        plan.covers_all = std::ranges::all_of(table_.columns, [&plan](const TargetColumn& column) {
            return column.generated ||
                   std::ranges::any_of(plan.columns, [&column](const PlanColumn& mapped) {
                       return mapped.target == column.name;
                   });
        });
    }

    const RdbMapping& mapping_;
    const Dml& dml_;
    const TargetTable& table_;
    const PlanOptions& options_;
};

}  // namespace

uint32_t SqlPlan::find_shape() {
    if (latest_ >= shapes.size() || shapes[latest_]->columns != scratch_) {
        const auto found = std::ranges::find_if(shapes, [this](const auto& shape) {
            return shape->columns == scratch_;
        });
        latest_ = static_cast<uint32_t>(found - shapes.begin());
    }
    return latest_;
}

uint32_t SqlPlan::intern() {
    const uint32_t number = find_shape();
    if (number == shapes.size()) {
        shapes.push_back(std::make_unique<Shape>());
        shapes.back()->columns = scratch_;
    }
    return number;
}

void SqlPlan::make_shapes() {
    ready_shape(shape_with({}), OpKind::Delete);
    std::vector<uint16_t> all(columns.size());
    std::iota(all.begin(), all.end(), 0);
    // Of a mapping without columns both are the same, and nothing is ever inserted.
    shapes.push_back(std::make_unique<Shape>());
    shapes.back()->columns = std::move(all);
    ready_shape(1, OpKind::Insert);
}

void SqlPlan::collect(const DmlRow& row, OpKind kind) {
    scratch_.clear();
    for (size_t i = 0; i < columns.size() && kind != OpKind::Delete; i++) {
        const core::DmlValue& value = row.after[columns[i].source];
        const bool wanted = kind == OpKind::Insert || value.updated;
        if (wanted && value.state != ValueState::Unknown) {
            scratch_.push_back(static_cast<uint16_t>(i));
        }
    }
}

uint32_t SqlPlan::shape_of(const DmlRow& row, OpKind kind) {
    collect(row, kind);
    const uint32_t number = intern();
    ready_shape(number, kind);
    return number;
}

std::optional<uint32_t> SqlPlan::known_shape(const DmlRow& row, OpKind kind) {
    collect(row, kind);
    const uint32_t number = find_shape();
    if (number == shapes.size() ||
        (shapes[number]->prepared[static_cast<size_t>(kind)].empty() && !key.empty())) {
        return std::nullopt;
    }
    return number;
}

uint32_t SqlPlan::full_shape(const DmlRow& row) {
    const uint32_t number = shape_of(row, OpKind::Insert);
    ready_shape(number, OpKind::Update);
    return number;
}

uint32_t SqlPlan::shape_with(std::vector<uint16_t> columns_of_it) {
    scratch_ = std::move(columns_of_it);
    return intern();
}

const Shape* SqlPlan::ready_shape(uint32_t number, OpKind kind) {
    Shape& shape = *shapes[number];
    std::string& sql = shape.prepared[static_cast<size_t>(kind)];
    if (sql.empty() && !key.empty()) {
        sql = prepared_sql(*this, kind, shape);
    }
    return &shape;
}

const Shape* SqlPlan::ready_upsert(const Shape* shape) {
    const auto own =
        std::ranges::find_if(shapes, [shape](const auto& one) { return one.get() == shape; });
    if ((*own)->upsert.empty()) {
        (*own)->upsert = prepared_sql(*this, OpKind::Insert, **own);
        append_upsert_tail((*own)->upsert, family, *this, **own);
    }
    return own->get();
}

bool SqlPlan::whole(const DmlRow& row) const {
    return std::ranges::all_of(columns, [&row](const PlanColumn& column) {
        return row.after[column.source].state != ValueState::Unknown;
    });
}

bool SqlPlan::moves(const DmlRow& row) const {
    return std::ranges::any_of(key, [&row](const PlanColumn& column) {
        const core::DmlValue& before = row.before[column.source];
        const core::DmlValue& after = row.after[column.source];
        return before.state == ValueState::Value && after.state == ValueState::Value &&
               before.text != after.text;
    });
}

bool SqlPlan::made_for(const Dml& dml) {
    if (dml.form != 0 && std::ranges::find(forms_, dml.form) != forms_.end()) {
        return true;
    }
    const bool made =
        source_columns.size() == dml.columns.size() &&
        std::equal(
            source_columns.begin(),
            source_columns.end(),
            dml.columns.begin(),
            [](const auto& known, const core::DmlColumn& column) {
                return known.first == column.name && known.second == column.mysql_type;
            }
        );
    if (made && dml.form != 0) {
        forms_.at(next_form_++ % forms_.size()) = dml.form;
    }
    return made;
}

std::pair<std::string, std::string> target_of(const RdbMapping& mapping, const Dml& dml) {
    if (mapping.mirror_db) {
        return {std::string(dml.database), std::string(dml.table)};
    }
    const std::string& table = mapping.target_table;
    const auto dot = table.find('.');
    const bool quoted = table.find_first_of("`\"") != std::string::npos;
    if (mapping.target_db.empty() && !quoted && dot != std::string::npos && dot > 0 &&
        dot + 1 < table.size() && table.find('.', dot + 1) == std::string::npos) {
        return {table.substr(0, dot), table.substr(dot + 1)};
    }
    return {mapping.target_db, table};
}

Result<std::unique_ptr<SqlPlan>> make_plan(
    const RdbMapping& mapping, const Dml& dml, const TargetTable& target, const PlanOptions& options
) {
    return PlanMaker(mapping, dml, target, options).make();
}

std::string quote_name(SqlFamily family, std::string_view name) {
    const char quote = family == SqlFamily::Mysql ? '`' : '"';
    std::string out(1, quote);
    for (const char c : name) {
        out += c;
        if (c == quote) {
            out += c;
        }
    }
    return out + quote;
}

}  // namespace obcanal::adapter::rdb
