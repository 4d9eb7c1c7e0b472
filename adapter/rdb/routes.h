// Which mappings a table's changes belong to, and the plan of each for the form that its rows have
// now. The writer's strand.
#pragma once

#include "adapter/config/rdb_mapping.h"
#include "adapter/rdb/sql_plan.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace obcanal::adapter::rdb {

// An INSERT, UPDATE or DELETE: what routes are for.
bool has_rows(const core::Dml& dml);

// A mapping that takes a table's changes.
struct Route {
    const config::RdbMapping* mapping = nullptr;
    std::vector<std::unique_ptr<SqlPlan>> plans;  // the latest used in front

    // Null: none was made for it.
    SqlPlan* plan_for(const core::Dml& dml);
};

class Routes {
 public:
    void set_mappings(const std::vector<const config::RdbMapping*>& mappings);
    // Of database.table; empty: nobody wants it.
    std::vector<Route>& of(const core::Dml& dml);
    // Mirror mappings of a database.
    std::vector<const config::RdbMapping*> mirrors(std::string_view database) const;
    // A table changed, here or at the target: plans are made anew.
    void forget_plans() {
        routes_.clear();
        latest_ = nullptr;
        generation_++;
    }
    // Of the plans: those of an earlier one are gone.
    uint64_t generation() const { return generation_; }

 private:
    struct Table {
        std::string database;
        std::string name;
        std::vector<Route> routes;
    };

    std::vector<const config::RdbMapping*> mappings_;
    std::unordered_map<std::string, Table> routes_;  // by database NUL table
    Table* latest_ = nullptr;
    uint64_t generation_ = 0;
    std::string key_;
};

}  // namespace obcanal::adapter::rdb
