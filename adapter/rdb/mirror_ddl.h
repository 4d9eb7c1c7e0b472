// A source's DDL for a mirror of its database (client-adapter, 2.7): where it runs, and its text
// for the target's dialect. Pure.
#pragma once

#include "adapter/config/jdbc_url.h"
#include "adapter/core/dml.h"
#include "protocol/base/result.h"

#include <string>
#include <vector>

namespace obcanal::adapter::rdb {

struct MirrorStatement {
    std::string database;            // selected before
    std::string sql;                 // empty: nothing to do
    std::vector<std::string> notes;  // what was left out of it
};

// An Error names what the dialect has not.
Result<MirrorStatement> mirror_statement(const core::Dml& dml, config::SqlFamily family);

}  // namespace obcanal::adapter::rdb
