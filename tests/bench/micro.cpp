// Micro figures of the row path with the ratio to the protobuf library in the same run:
//   bench_micro [recording.logmsg]
// Prints one line per figure: name, ns per unit, ratio.
#include "protocol/base/bytes.h"
#include "protocol/canal/entry.pb.h"
#include "protocol/canal/entry_encoder.h"
#include "tests/bench/measure.h"

#include <fstream>
#include <iostream>
#include <string>
#include <vector>

namespace obcanal::bench {
namespace {

namespace pb = obcanal::pb::entry;
using canal::Cell;
using canal::CellState;

// An UPDATE of 20 columns of which two change: the row of the design's measurements.
struct Row {
    Row() {
        spec.schema = "shop";
        spec.table = "orders";
        for (int i = 0; i < 20; ++i) {
            canal::ColumnSpec column;
            column.index = i;
            column.name = "column_" + std::to_string(i);
            column.mysql_type = i % 2 == 0 ? "int" : "varchar(64)";
            column.sql_type = column.null_sql_type = i % 2 == 0 ? 4 : 12;
            column.is_key = i == 0;
            spec.columns.push_back(column);
            const std::string value =
                i % 2 == 0 ? std::to_string(100000 + i) : "some text of row " + std::to_string(i);
            values.push_back(std::string(canal::kCellPadding, ' ') + value);
            values.push_back(
                std::string(canal::kCellPadding, ' ') + (i == 3 || i == 4 ? "987654" : value)
            );
        }
        for (size_t i = 0; i < values.size(); i += 2) {
            before.push_back(cell(values[i]));
            after.push_back(cell(values[i + 1]));
        }
    }

    static Cell cell(const std::string& padded) {
        const Bytes bytes = as_bytes(padded).subspan(canal::kCellPadding);
        return {bytes.data(), static_cast<uint32_t>(bytes.size()), CellState::Value};
    }

    canal::TableSpec spec;
    std::vector<std::string> values;
    std::vector<Cell> before;
    std::vector<Cell> after;
};

void fill(pb::Column* to, const canal::ColumnSpec& column, const Cell& cell, bool updated) {
    to->set_index(column.index);
    to->set_sqltype(column.sql_type);
    to->set_name(column.name);
    to->set_iskey(column.is_key);
    to->set_updated(updated);
    to->set_isnull(false);
    to->set_value(std::string(as_text({cell.data, cell.size})));
    to->set_mysqltype(column.mysql_type);
}

// The same entry through generated code, with messages reused from call to call.
class ProtobufPath {
 public:
    size_t encode(const Row& row) {
        rows_.Clear();
        rows_.set_eventtype(pb::UPDATE);
        rows_.set_isddl(false);
        pb::RowData* data = rows_.add_rowdatas();
        for (size_t i = 0; i < row.before.size(); ++i) {
            fill(data->add_beforecolumns(), row.spec.columns[i], row.before[i], false);
        }
        for (size_t i = 0; i < row.after.size(); ++i) {
            const bool updated = as_text({row.before[i].data, row.before[i].size}) !=
                                 as_text({row.after[i].data, row.after[i].size});
            fill(data->add_aftercolumns(), row.spec.columns[i], row.after[i], updated);
        }
        entry_.Clear();
        pb::Header* header = entry_.mutable_header();
        header->set_version(1);
        header->set_logfilename("LogProxyMessageFile");
        header->set_logfileoffset(1);
        header->set_serverencode("UTF-8");
        header->set_executetime(1714521601232);
        header->set_sourcetype(pb::MYSQL);
        header->set_schemaname(row.spec.schema);
        header->set_tablename(row.spec.table);
        header->set_eventlength(900);
        header->set_eventtype(pb::UPDATE);
        pb::Pair* count = header->add_props();
        count->set_key("rowsCount");
        count->set_value("1");
        header->set_gtid("1002_1003_5000002");
        entry_.set_entrytype(pb::ROWDATA);
        rows_.SerializeToString(entry_.mutable_storevalue());
        entry_.SerializeToString(&out_);
        return out_.size();
    }

 private:
    pb::RowChange rows_;
    pb::Entry entry_;
    std::string out_;
};

void encoder() {
    const Row row;
    const canal::TablePlan plan(row.spec);
    canal::EntryEncoder encoder("LogProxyMessageFile");
    const canal::EventMark mark{1, 1714521601232, 900};
    encoder.encode(canal::TxnBegin{mark, {"1002_1003_5000002", 1, 1, true}, 1, false});
    const canal::RowImages images{row.before, row.after};
    const canal::RowsChange change{&plan, canal::RowKind::Update, {&images, 1}, mark, "", 1};
    ProtobufPath protobuf;
    const double ours = ns_per_call([&] { keep(encoder.encode(change).size()); });
    const double theirs = ns_per_call([&] { keep(protobuf.encode(row)); });
    report("encode UPDATE of 20 columns, per entry", ours, theirs);
    report("encode UPDATE of 20 columns, per column", ours / 40, theirs / 40);
}

}  // namespace
}  // namespace obcanal::bench

int main() {
    obcanal::bench::encoder();
    return 0;
}
