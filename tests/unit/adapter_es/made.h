// Mappings and row changes made by hand for the tests of adapter/es.
#pragma once

#include "adapter/core/key_table.h"
#include "adapter/es/batch_work.h"
#include "adapter/es/mapping_plan.h"

#include <gmock/gmock.h>

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace obcanal::adapter::es {

// A mapping of a data source whose database is "t".
class MadePlan {
 public:
    explicit MadePlan(const std::string& sql, const std::string& id = "_id") {
        task_.task = "t.yml";
        task_.id = id;
        task_.sql = sql;
    }

    EsTask& task() { return task_; }

    const MappingPlan& plan() {
        if (!plan_) {
            SqlFault fault;
            const auto parsed = parse_mapping_sql(task_.sql, fault);
            EXPECT_TRUE(parsed && check_task(task_, *parsed, fault))
                << describe_fault(task_.sql, fault);
            plan_ = make_plan(task_, std::move(*parsed), "t");
        }
        return *plan_;
    }

 private:
    EsTask task_;
    std::unique_ptr<MappingPlan> plan_;
};

// Row changes of tables of the database "t"; the first column is the primary key.
class MadeRows {
 public:
    using Texts = std::vector<const char*>;  // null: NULL

    void table(const std::string& name, std::vector<core::DmlColumn> columns) {
        columns.front().key = true;
        tables_.push_back({name, std::move(columns)});
    }

    void insert(const std::string& table, const Texts& after) {
        add(canal::EventType::Insert, table).rows.push_back({{}, image(after, nullptr)});
    }

    void update(const std::string& table, const Texts& before, const Texts& after) {
        core::Dml& dml = add(canal::EventType::Update, table);
        dml.rows.push_back({image(before, nullptr), image(after, &before)});
    }

    void remove(const std::string& table, const Texts& before) {
        add(canal::EventType::Delete, table).rows.push_back({image(before, nullptr), {}});
    }

    core::Dml& add(canal::EventType type, const std::string& table) {
        core::Dml& dml = dmls_.emplace_back();
        dml.type = type;
        dml.database = "t";
        for (const Table& one : tables_) {
            if (one.name != table) continue;
            dml.table = one.name;
            dml.columns = one.columns;
        }
        return dml;
    }

    core::DmlBatch batch() {
        core::DmlBatch batch;
        batch.dmls = dmls_;
        return batch;
    }

    void clear() { dmls_.clear(); }

 private:
    struct Table {
        std::string name;
        std::vector<core::DmlColumn> columns;
    };

    std::span<const core::DmlValue> image(const Texts& texts, const Texts* before) {
        std::vector<core::DmlValue> values;
        for (size_t i = 0; i < texts.size(); ++i) {
            core::DmlValue& value = values.emplace_back();
            if (texts[i] == nullptr) {
                value.state = core::ValueState::Null;
            } else {
                value.text = texts[i];
            }
            const auto text = [](const char* one) { return std::string(one ? one : "NULL"); };
            value.updated = before != nullptr && text((*before)[i]) != text(texts[i]);
        }
        return images_.emplace_back(std::move(values));
    }

    std::deque<Table> tables_;
    std::vector<core::Dml> dmls_;
    std::deque<std::vector<core::DmlValue>> images_;
};

// Numbers that only a look at themselves tells apart: KeyTable has 32 bits of a hash.
inline std::pair<std::string, std::string> two_of_one_hash() {
    std::unordered_map<uint32_t, std::string> seen;
    for (int i = 0;; ++i) {
        std::string text = std::to_string(i);
        const auto hash = static_cast<uint32_t>(core::hash_text(text));
        const auto [known, added] = seen.try_emplace(hash, text);
        if (!added) return {known->second, std::move(text)};
    }
}

// "Whole 1 name=a c_time=...", fields in the order of the select list.
inline std::string text_of(const DocumentChange& change) {
    constexpr const char* kNames[] = {"Whole", "Update", "Delete", "Truncate"};
    std::string text = kNames[static_cast<size_t>(change.kind)];
    text += " " + change.id;
    if (!change.routing.empty()) text += "@" + change.routing;
    for (const DocumentField& field : change.fields) {
        text += " " + change.plan->fields[field.field].name + "=";
        text += field.value.is_null() ? "NULL" : field.value.text;
    }
    return text;
}

}  // namespace obcanal::adapter::es
