// The tables of one binlog stream by the numbers their row events carry: whether each is wanted,
// how its rows are split and become Canal columns. A table map that says what the last one of its
// number said costs one comparison. Feed strand.
#pragma once

#include "protocol/canal/table_plan.h"
#include "protocol/mysql/row_cells.h"
#include "protocol/mysql/table_map.h"
#include "server/filter/column_filter.h"
#include "server/schema/catalog.h"
#include "server/source/binlog_columns.h"
#include "server/source/source.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace obcanal::source {

struct BinlogTable {
    std::string seen;  // body of the table map it was made from
    std::string name;  // schema.table, for messages
    bool wanted = false;
    mysql::RowLayout layout;
    std::unique_ptr<canal::TablePlan> plan;
    std::vector<uint32_t> kept;  // positions of the plan's columns in the row
};

class BinlogTables {
 public:
    // `catalog` and `filter` outlive this. `leave_out_unknown`: rows of tables that cannot be
    // described are left out instead of being an error (canal.instance.filter.table.error).
    BinlogTables(
        const schema::Catalog& catalog,
        filter::ColumnFilter columns,
        const LiveFilter& filter,
        BinlogColumnOptions options,
        bool leave_out_unknown
    );

    // Takes in a table map. NotFound names a wanted table that the catalog does not know, or not
    // with these columns.
    // `last_try`: the source was asked about the table.
    Result<void> add(const mysql::Event& event, const mysql::BinlogFormat& format, bool last_try);
    // The table that the last add() found unknown.
    const std::optional<schema::TableName>& missing() const { return missing_; }
    // Null: no table map of this stream had the number.
    const BinlogTable* find(uint64_t id) const;
    // Plans that were handed out are gone after both: the catalog changed, or another log begins;
    // the filter was replaced.
    void forget() { tables_.clear(); }
    void refresh_filter();
    bool wants(std::string_view schema, std::string_view table) const {
        return current_->passes(schema, table);
    }

 private:
    Result<void> describe(const mysql::TableMap& map, BinlogTable& table, bool last_try);

    const schema::Catalog& catalog_;
    const LiveFilter& filter_;
    std::shared_ptr<const filter::TableFilter> current_;
    uint64_t filter_version_;
    filter::ColumnFilter columns_;
    BinlogColumnOptions options_;
    bool leave_out_unknown_;
    std::optional<schema::TableName> missing_;
    std::unordered_map<uint64_t, BinlogTable> tables_;
};

}  // namespace obcanal::source
