// The tables of one oblogproxy stream: for each, whether it is wanted and how its rows become Canal
// columns. What a record says of its columns is compared with what the last one of that table said,
// so a schema change is seen at its first row. Feed strand.
#pragma once

#include "protocol/canal/table_plan.h"
#include "protocol/oblog/column_description.h"
#include "protocol/oblog/log_record.h"
#include "server/config/instance_config.h"
#include "server/filter/column_filter.h"
#include "server/source/source.h"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace obcanal::source {

// The database's own name: what follows the tenant in "tenant.database"; empty when the tenant
// stands alone.
std::string_view database_of(std::string_view db_name);

struct OblogTable {
    std::string db_name;  // with the tenant, as records have it
    std::string table_name;
    oblog::ColumnDescription columns_seen;
    bool wanted = false;
    std::unique_ptr<canal::TablePlan> plan;
    std::vector<uint32_t> kept;  // positions of the plan's columns in the record
};

class OblogTables {
 public:
    // `filter` outlives this.
    OblogTables(
        const config::OblogConfig& config, filter::ColumnFilter columns, const LiveFilter& filter
    );

    // The table of this record as it was seen last, or nothing when it is new or its columns
    // differ: then renew().
    const OblogTable* find(oblog::LogRecord& record);
    // Decides anew. Plans of that table that were handed out before are gone.
    const OblogTable& renew(oblog::LogRecord& record);
    // When the filter was replaced: forget all decisions. Plans that were handed out are gone.
    bool filter_changed() const { return filter_.version() != filter_version_; }
    void forget();
    bool wants(std::string_view schema, std::string_view table) const {
        return current_->passes(schema, table);
    }

 private:
    OblogTable* known(std::string_view db_name, std::string_view table_name);

    const LiveFilter& filter_;
    std::shared_ptr<const filter::TableFilter> current_;
    uint64_t filter_version_ = 0;
    filter::ColumnFilter columns_;
    bool unix_timestamps_;
    int32_t zone_offset_seconds_;
    std::unordered_map<std::string, OblogTable> tables_;
    std::string key_;
    // Tables of the last rows: a few are written in turns, and to compare names is cheaper than to
    // hash them.
    std::array<OblogTable*, 8> recent_{};
    size_t next_recent_ = 0;
};

}  // namespace obcanal::source
