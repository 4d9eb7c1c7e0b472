// A source's DDL for a mirror of its database (client-adapter, 2.7): where it runs, and its text
// for the target's dialect. Pure.
#pragma once

#include "adapter/config/jdbc_url.h"
#include "adapter/core/dml.h"

#include <string>

namespace obcanal::adapter::rdb {

struct MirrorStatement {
    std::string database;  // selected before
    std::string sql;
};

MirrorStatement mirror_statement(const core::Dml& dml, config::SqlFamily family);

// Names in backticks become names in double quotes; texts and comments stay as they are, except
// that a backslash in a text becomes what it stands for.
std::string with_double_quotes(std::string_view sql);

}  // namespace obcanal::adapter::rdb
