// Binary log files as they lie on a server's disk, turned into the entries that a destination
// reading them would have. No server is asked: a table that the files do not create is described by
// its table map alone. One thread.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"
#include "server/config/instance_config.h"

#include <functional>
#include <string>
#include <vector>

namespace obcanal::cli {

// Takes one serialised Entry, which is gone when it returns; false: no more are wanted.
using EntryTaker = std::function<Result<bool>(Bytes entry)>;

// In the order of the log. An Error names file and position, and comes behind all that could be
// read before it; an error of `take` is returned as it is.
Result<void> read_binlog_files(
    const std::vector<std::string>& files,
    const config::InstanceConfig& config,
    const EntryTaker& take
);

}  // namespace obcanal::cli
