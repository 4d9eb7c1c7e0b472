// What `obcanal filter test` says of one name.
#pragma once

#include "server/filter/table_filter.h"

#include <string>
#include <string_view>

namespace obcanal::cli {

struct FilterAnswer {
    bool passes = false;
    std::string because;
};

// `name`: "schema.table"
FilterAnswer explain_filter(const filter::TableFilter& filter, std::string_view name);

}  // namespace obcanal::cli
