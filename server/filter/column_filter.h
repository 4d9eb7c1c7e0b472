// Which columns of a table are delivered: canal.instance.filter.field and .black.field
// (canal-server, 7.4). Immutable, any thread.
#pragma once

#include "protocol/base/result.h"

#include <map>
#include <set>
#include <string>
#include <string_view>

namespace obcanal::filter {

class ColumnFilter {
 public:
    // "schema.table:col1/col2,schema2.table2:col3"; what has not that form is an error that quotes
    // it.
    static Result<ColumnFilter> parse(std::string_view white, std::string_view black);

    // A white list that names the table wins over its black list.
    bool keeps(std::string_view schema, std::string_view table, std::string_view column) const;
    bool empty() const { return white_.empty() && black_.empty(); }

 private:
    using Columns =
        std::map<std::string, std::set<std::string, std::less<>>, std::less<>>;  // upper-cased

    Columns white_;
    Columns black_;
};

}  // namespace obcanal::filter
