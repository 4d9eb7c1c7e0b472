// Dmls, mappings and target tables made by hand for the tests of adapter/rdb.
#pragma once

#include "adapter/rdb/sql_plan.h"

#include <deque>
#include <string>
#include <vector>

namespace obcanal::adapter::rdb {

inline core::DmlValue value(std::string_view text, bool updated = false) {
    core::DmlValue made;
    made.text = text;
    made.updated = updated;
    return made;
}

// A table t.user (id, name, n); rows are added one by one, each as an event of its own.
class MadeDmls {
 public:
    core::Dml& add(canal::EventType type) {
        core::Dml& dml = dmls_.emplace_back();
        dml.type = type;
        dml.database = "t";
        dml.table = "user";
        dml.columns = {
            {"id", "int(11)", true}, {"name", "varchar(20)", false}, {"n", "int(11)", false}
        };
        return dml;
    }

    const core::Dml& insert(std::string_view id, std::string_view name, std::string_view n) {
        core::Dml& dml = add(canal::EventType::Insert);
        dml.rows.push_back({{}, image({value(id), value(name), value(n)})});
        return dml;
    }

    // What is another text than before counts as updated.
    const core::Dml& update(
        std::vector<std::string_view> before, std::vector<std::string_view> after
    ) {
        core::Dml& dml = add(canal::EventType::Update);
        std::vector<core::DmlValue> old;
        std::vector<core::DmlValue> now;
        for (size_t i = 0; i < before.size(); i++) {
            old.push_back(value(before[i]));
            now.push_back(value(after[i], before[i] != after[i]));
        }
        dml.rows.push_back({image(std::move(old)), image(std::move(now))});
        return dml;
    }

    const core::Dml& remove(std::string_view id, std::string_view name, std::string_view n) {
        core::Dml& dml = add(canal::EventType::Delete);
        dml.rows.push_back({image({value(id), value(name), value(n)}), {}});
        return dml;
    }

 private:
    std::span<const core::DmlValue> image(std::vector<core::DmlValue> values) {
        return images_.emplace_back(std::move(values));
    }

    std::deque<core::Dml> dmls_;
    std::deque<std::vector<core::DmlValue>> images_;
};

inline config::RdbMapping made_mapping() {
    config::RdbMapping mapping;
    mapping.task = "user.yml";
    mapping.database = "t";
    mapping.table = "user";
    mapping.target_table = "user";
    mapping.target_pk = {{"id", "id"}};
    mapping.map_all = true;
    return mapping;
}

inline TargetTable made_target() {
    TargetTable table;
    table.database = "t2";
    table.name = "user";
    table.columns = {
        {"id", "int", "int(11)", false},
        {"name", "varchar", "varchar(20)", false},
        {"n", "int", "int(11)", false}
    };
    table.unique = {{"PRIMARY", {"id"}, true}};
    return table;
}

}  // namespace obcanal::adapter::rdb
