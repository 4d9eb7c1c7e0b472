#include "adapter/rdb/routes.h"

#include <algorithm>

namespace obcanal::adapter::rdb {

bool has_rows(const core::Dml& dml) {
    return !dml.is_ddl && !dml.rows.empty() &&
           (dml.type == canal::EventType::Insert || dml.type == canal::EventType::Update ||
            dml.type == canal::EventType::Delete);
}

SqlPlan* Route::plan_for(const core::Dml& dml) {
    for (auto plan = plans.begin(); plan != plans.end(); ++plan) {
        if ((*plan)->made_for(dml)) {
            std::rotate(plans.begin(), plan, plan + 1);
            return plans.front().get();
        }
    }
    return nullptr;
}

void Routes::set_mappings(const std::vector<const config::RdbMapping*>& mappings) {
    mappings_ = mappings;
    forget_plans();
}

std::vector<Route>& Routes::of(const core::Dml& dml) {
    if (latest_ != nullptr && latest_->name == dml.table && latest_->database == dml.database) {
        return latest_->routes;
    }
    key_ = dml.database;
    key_ += '\0';
    key_ += dml.table;
    const auto [found, added] = routes_.try_emplace(key_);
    Table& table = found->second;
    if (added) {
        table.database = dml.database;
        table.name = dml.table;
        for (const config::RdbMapping* mapping : mappings_) {
            const bool its_table = mapping->mirror_db || mapping->table == dml.table;
            if (mapping->database == dml.database && its_table) {
                table.routes.emplace_back().mapping = mapping;
            }
        }
    }
    latest_ = &table;
    return table.routes;
}

std::vector<const config::RdbMapping*> Routes::mirrors(std::string_view database) const {
    std::vector<const config::RdbMapping*> found;
    std::ranges::copy_if(mappings_, std::back_inserter(found), [database](const auto* mapping) {
        return mapping->mirror_db && mapping->database == database;
    });
    return found;
}

}  // namespace obcanal::adapter::rdb
