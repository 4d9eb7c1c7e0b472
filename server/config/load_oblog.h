// The keys of a log proxy alone, for tools that read from one without being a server: the same
// tables, places and messages as for a destination. One thread.
#pragma once

#include "protocol/base/finding.h"
#include "server/config/oblog_config.h"

#include <string>
#include <vector>

namespace obcanal::config {

struct LoadedOblog {
    OblogConfig config;
    std::vector<Finding> findings;
};

// `file`: an instance.properties, its directory the destination's name; empty: none. `defines`:
// "key=value" of the command line, which win. What a log proxy can't do without must be there.
LoadedOblog load_oblog(const std::string& file, const std::vector<std::string>& defines);

}  // namespace obcanal::config
