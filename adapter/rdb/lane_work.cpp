#include "adapter/rdb/lane_work.h"

#include "adapter/core/key_table.h"
#include "adapter/rdb/sql_text.h"

#include <algorithm>
#include <deque>
#include <unordered_map>

namespace obcanal::adapter::rdb {

namespace {

using core::DmlRow;
using core::DmlValue;

// Keeps a statement's text and arrays, and the undo of a failed one, within bounds.
constexpr size_t kUnitRows = 5'000;

// What is left of all changes of one key. Replace: deleted and inserted.
enum class Net : uint8_t { Insert, Update, Delete, Replace, Odd };

struct NetRow {
    std::string_view key;
    Net net = Net::Odd;
    const DmlRow* row = nullptr;      // the latest image
    const DmlRow* removed = nullptr;  // what to delete by
    const Shape* shape = nullptr;
};

void add_to(
    std::vector<Unit>& units, SqlPlan* plan, OpKind kind, const Shape* shape, const DmlRow* row
) {
    for (auto unit = units.rbegin(); unit != units.rend(); ++unit) {
        if (unit->plan == plan && unit->kind == kind && unit->shape == shape &&
            unit->rows.size() < kUnitRows) {
            unit->rows.push_back(row);
            return;
        }
    }
    Unit& unit = units.emplace_back();
    unit.plan = plan;
    unit.kind = kind;
    unit.shape = shape;
    unit.rows.push_back(row);
}

void add_in_order(std::vector<Unit>& units, const Op& op) {
    const bool alone = op.moves || op.plan->key.empty();
    const Shape* shape = op.plan->shapes[op.shape].get();
    if (!units.empty() && !alone) {
        Unit& last = units.back();
        if (last.plan == op.plan && last.kind == op.kind && last.shape == shape &&
            last.rows.size() < kUnitRows) {
            last.rows.push_back(&op.values());
            return;
        }
    }
    Unit& unit = units.emplace_back();
    unit.plan = op.plan;
    unit.kind = op.kind;
    unit.shape = shape;
    unit.moves = op.moves;
    unit.rows.push_back(&op.values());
}

// All changes of one table whose rows are independent of each other.
class Merger {
 public:
    Merger(SqlPlan* plan, std::list<OwnShape>& shapes) : plan_(plan), shapes_(shapes) {}

    const SqlPlan* plan() const { return plan_; }

    void add(const Op& op) { ops_.push_back(&op); }

    // False when the changes don't follow from each other: then their order has to be kept.
    bool merge() {
        rows_.reserve(ops_.size());
        if (is_each_once()) {
            std::ranges::transform(ops_, std::back_inserter(rows_), alone);
            return true;
        }
        by_key_.reserve(ops_.size() * 2);  // a change of a key needs two
        for (const Op* op : ops_) {
            if (!merge(*op)) {
                return false;
            }
        }
        return true;
    }

    void emit(std::vector<Unit>& units) {
        for (const NetRow& net : rows_) {
            if (net.net == Net::Delete || net.net == Net::Replace) {
                add_to(units, plan_, OpKind::Delete, plan_->no_columns(), net.removed);
            }
        }
        for (const NetRow& net : rows_) {
            if (net.net == Net::Insert || net.net == Net::Replace) {
                add_to(units, plan_, OpKind::Insert, net.shape, net.row);
            }
        }
        for (const NetRow& net : rows_) {
            if (net.net == Net::Update) {
                add_to(units, plan_, OpKind::Update, net.shape, net.row);
            }
        }
    }

 private:
    // The key's text in an image; composite ones with lengths, so that they can't be mixed up.
    std::string_view key_of(std::span<const DmlValue> image) {
        if (plan_->key.size() == 1) {
            return image[plan_->key.front().source].text;
        }
        std::string& key = keys_.emplace_back();
        for (const PlanColumn& column : plan_->key) {
            const DmlValue& value = image[column.source];
            key += std::to_string(value.text.size()) + ":";
            key += value.text;
        }
        return key;
    }

    NetRow& at(std::string_view key) {
        const auto next = static_cast<uint32_t>(rows_.size());
        const auto is_it = [&](uint32_t number) { return rows_[number].key == key; };
        const uint32_t number = by_key_.find_or_add(core::hash_text(key), next, is_it);
        if (number == next) {
            rows_.emplace_back().key = key;
        }
        return rows_[number];
    }

    // Equal keys have equal places, so that keys in order have to be compared with nothing else.
    bool is_each_once() const {
        const auto is_behind = [](const Op* a, const Op* b) {
            return b->moves || a->place >= b->place;
        };
        return !ops_.front()->moves && std::ranges::adjacent_find(ops_, is_behind) == ops_.end();
    }

    static NetRow alone(const Op* op) {
        NetRow net;
        net.row = &op->values();
        net.shape = op->plan->shapes[op->shape].get();
        switch (op->kind) {
            case OpKind::Insert: net.net = Net::Insert; break;
            case OpKind::Update: net.net = Net::Update; break;
            case OpKind::Delete:
                net.net = Net::Delete;
                net.removed = net.row;
                break;
        }
        return net;
    }

    bool merge(const Op& op) {
        const DmlRow& row = op.values();
        const Shape* shape = plan_->shapes[op.shape].get();
        if (op.kind == OpKind::Insert) {
            return put(at(key_of(row.after)), row, shape);
        }
        if (op.kind == OpKind::Delete) {
            remove(at(key_of(row.before)), row);
            return true;
        }
        if (op.moves) {
            remove(at(key_of(row.before)), row);
            return put(at(key_of(row.after)), row, plan_->all_columns());
        }
        return update(at(key_of(row.after)), row, shape);
    }

    static bool put(NetRow& net, const DmlRow& row, const Shape* shape) {
        switch (net.net) {
            case Net::Odd: net.net = Net::Insert; break;
            case Net::Delete: net.net = Net::Replace; break;
            default: return false;  // there already
        }
        net.row = &row;
        net.shape = shape;
        return true;
    }

    static void remove(NetRow& net, const DmlRow& row) {
        net.net = Net::Delete;
        if (net.removed == nullptr) {
            net.removed = &row;
        }
        net.row = &row;
    }

    bool update(NetRow& net, const DmlRow& row, const Shape* shape) {
        switch (net.net) {
            case Net::Odd:
                net.net = Net::Update;
                net.shape = shape;
                break;
            case Net::Update:
                if (net.shape != shape) {
                    net.shape = united(net.shape, shape);
                    // With a minimal row image the latest row lacks what an earlier one changed.
                    if (!has_all(*net.shape, row)) {
                        return false;
                    }
                }
                break;
            case Net::Insert:
            case Net::Replace:
                if (!plan_->whole(row)) {
                    return false;
                }
                net.shape = plan_->all_columns();
                break;
            case Net::Delete: return false;
        }
        net.row = &row;
        return true;
    }

    bool has_all(const Shape& shape, const DmlRow& row) const {
        return std::ranges::all_of(shape.columns, [&](uint16_t i) {
            return row.after[plan_->columns[i].source].state != core::ValueState::Unknown;
        });
    }

    // Other lanes read the plan's shapes meanwhile: one that isn't there becomes the work's own.
    const Shape* united(const Shape* a, const Shape* b) {
        constexpr auto kUpdate = static_cast<size_t>(OpKind::Update);
        Shape both;
        std::ranges::set_union(a->columns, b->columns, std::back_inserter(both.columns));
        const auto same = [&](const Shape& shape) {
            return shape.columns == both.columns && !shape.prepared[kUpdate].empty();
        };
        for (const auto& shape : plan_->shapes) {
            if (same(*shape)) {
                return shape.get();
            }
        }
        for (const OwnShape& own : shapes_) {
            if (own.plan == plan_ && same(own.shape)) {
                return &own.shape;
            }
        }
        both.prepared[kUpdate] = prepared_sql(*plan_, OpKind::Update, both);
        return &shapes_.emplace_back(plan_, std::move(both)).shape;
    }

    SqlPlan* plan_;
    std::list<OwnShape>& shapes_;
    std::vector<const Op*> ops_;
    std::vector<NetRow> rows_;
    core::KeyTable by_key_;  // of rows_
    std::deque<std::string> keys_;
};

Shape with_upsert(const SqlPlan& plan, Shape shape) {
    shape.upsert = prepared_sql(plan, OpKind::Insert, shape);
    append_upsert_tail(shape.upsert, plan.family, plan, shape);
    return shape;
}

// Only values that are there may be merged: an image without the key's value is no key.
bool mergeable(const Op& op) {
    if (op.plan->strict || (op.moves && (!op.plan->covers_all || !op.plan->whole(op.values())))) {
        return false;
    }
    const DmlRow& row = op.values();
    return std::ranges::all_of(op.plan->key, [&row](const PlanColumn& column) {
        const auto has = [&column](std::span<const DmlValue> image) {
            return image.empty() || image[column.source].state == core::ValueState::Value;
        };
        return has(row.before) && has(row.after);
    });
}

}  // namespace

void make_units(LaneWork& work) {
    work.units.clear();
    work.shapes.clear();
    std::vector<SqlPlan*> order;
    std::unordered_map<SqlPlan*, Merger> tables;
    std::vector<SqlPlan*> in_order;
    const auto keeps_order = [&in_order](SqlPlan* plan) {
        return std::ranges::find(in_order, plan) != in_order.end();
    };
    Merger* table = nullptr;  // of the op before
    for (const Op& op : work.ops) {
        if (table == nullptr || table->plan() != op.plan) {
            const auto [found, added] = tables.try_emplace(op.plan, op.plan, work.shapes);
            if (added) {
                order.push_back(op.plan);
            }
            table = &found->second;
        }
        table->add(op);
        if (!mergeable(op) && !keeps_order(op.plan)) {
            in_order.push_back(op.plan);
        }
    }
    // Row images that lack columns make several plans of a table, whose changes are not
    // independent.
    for (size_t i = 0; i < order.size(); i++) {
        const auto same_table = [&](const SqlPlan* plan) {
            return plan != order[i] && plan->table == order[i]->table;
        };
        if (std::ranges::any_of(order, same_table) && !keeps_order(order[i])) {
            in_order.push_back(order[i]);
        }
    }
    for (SqlPlan* plan : order) {
        if (!keeps_order(plan) && !tables.at(plan).merge()) {
            in_order.push_back(plan);
        }
    }
    for (const Op& op : work.ops) {
        if (keeps_order(op.plan)) {
            add_in_order(work.units, op);
        }
    }
    for (SqlPlan* plan : order) {
        if (!keeps_order(plan)) {
            std::vector<Unit> merged;
            tables.at(plan).emit(merged);
            std::ranges::move(merged, std::back_inserter(work.units));
        }
    }
    if (!work.after_load) {
        return;
    }
    for (Unit& unit : work.units) {
        if (unit.kind == OpKind::Insert && !unit.plan->strict) {
            unit.upsert = true;
            OwnShape& own =
                work.shapes.emplace_back(unit.plan, with_upsert(*unit.plan, *unit.shape));
            unit.shape = &own.shape;
        }
    }
}

}  // namespace obcanal::adapter::rdb
