// The tables of one binlog stream by the numbers their row events carry: whether each is wanted,
// how its rows are split and become Canal columns. A table map that says what the last one of its
// number said costs one comparison. Feed strand.
#pragma once

#include "protocol/canal/table_plan.h"
#include "protocol/mysql/row_cells.h"
#include "protocol/mysql/table_map.h"
#include "server/filter/column_filter.h"
#include "server/schema/schema_log.h"
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
    // `schemas`, `filter` and `state` outlive this. `leave_out_unknown`: rows of tables that nobody
    // can describe are left out (canal.instance.filter.table.error).
    BinlogTables(
        schema::SchemaLog& schemas,
        filter::ColumnFilter columns,
        const LiveFilter& filter,
        BinlogColumnOptions options,
        bool leave_out_unknown,
        SourceState& state
    );

    // Takes in a table map. A name in the result: of a wanted table that neither history nor event
    // describe with these columns; nothing was taken in, the source may be asked, and add() called
    // again with `asked`. Then what the event says has to do: columns without names become @1, @2
    // and so on.
    Result<std::optional<schema::TableName>> add(
        const mysql::Event& event, const mysql::BinlogFormat& format, bool asked
    );
    // Null: no table map of this stream had the number.
    const BinlogTable* find(uint64_t id) const;
    // Plans that were handed out are gone after both: the catalog changed, or another log begins;
    // the filter was replaced.
    void forget() { tables_.clear(); }
    void forget(const std::vector<schema::TableChange>& touched);
    void refresh_filter();
    bool wants(std::string_view schema, std::string_view table) const {
        return current_->passes(schema, table);
    }

 private:
    // Null: nobody knows the table with these columns.
    const schema::TableDefinition* definition_of(const mysql::TableMap& map);
    void describe(
        const mysql::TableMap& map, const schema::TableDefinition& definition, BinlogTable& table
    );
    Result<void> describe_unknown(
        const mysql::TableMap& map, const mysql::BinlogFormat& format, BinlogTable& table
    );

    schema::SchemaLog& schemas_;
    const LiveFilter& filter_;
    std::shared_ptr<const filter::TableFilter> current_;
    uint64_t filter_version_;
    filter::ColumnFilter columns_;
    BinlogColumnOptions options_;
    bool leave_out_unknown_;
    SourceState& state_;
    std::unordered_map<uint64_t, BinlogTable> tables_;
};

}  // namespace obcanal::source
