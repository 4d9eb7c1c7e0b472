// Rows of a source's table as a SELECT brings them, in the form that plans and targets take rows
// in: a piece at a time, in memory that is used again. One thread.
#pragma once

#include "adapter/core/dml.h"
#include "adapter/core/source_session.h"
#include "adapter/rdb/sql_plan.h"

#include <memory>
#include <string>
#include <vector>

namespace obcanal::adapter::rdb {

class LoadRows {
 public:
    explicit LoadRows(const core::SourceTable& table);

    // "`a`,`b`+0": what to select, so that nothing of a value is lost on the way.
    static std::string select_list(const core::SourceTable& table);
    // The table's columns as the log would name them; views into `table`.
    static core::Dml make_dml(const core::SourceTable& table);
    // Bytes come as they are, not widened as in Canal's entries.
    static void take_raw_bytes(SqlPlan& plan);

    void add(client::MysqlSession::Row row);
    void clear();
    size_t size() const { return size_; }
    size_t bytes() const { return bytes_; }
    // Valid until the next add() or clear().
    const std::vector<const core::DmlRow*>& rows();

 private:
    struct Block {
        std::unique_ptr<char[]> memory;
        size_t size = 0;
    };

    char* claim(size_t bytes);

    const size_t columns_;
    std::vector<bool> floats_;
    std::vector<Block> blocks_;
    size_t block_ = 0;
    size_t used_ = 0;  // of the block
    size_t size_ = 0;
    size_t bytes_ = 0;
    std::vector<core::DmlValue> values_;
    std::vector<core::DmlRow> rows_;
    std::vector<const core::DmlRow*> pointers_;
};

}  // namespace obcanal::adapter::rdb
