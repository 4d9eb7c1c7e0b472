// Reads canal.properties and {destination}/instance.properties into finished structs, collecting
// everything that is wrong with them: each finding names file, line and key. At start, and for one
// destination when its file has changed; one thread.
#pragma once

#include "protocol/base/config_report.h"
#include "protocol/base/finding.h"
#include "server/config/conf_scan.h"
#include "server/config/instance_config.h"
#include "server/config/server_config.h"

#include <string>
#include <string_view>
#include <vector>

namespace obcanal::config {

// A destination that can't run, and why: its errors, each with file, line and key.
struct RefusedInstance {
    std::string destination;
    std::string reason;
};

struct LoadedConfig {
    ServerConfig server;
    std::vector<InstanceConfig> instances;
    std::vector<RefusedInstance> refused;
    std::vector<Finding> findings;
    std::vector<PrintedValue> values;
    ConfListing listing;  // with auto_scan: the directory as it was before its files were read
};

// What tells a directory of configuration from others.
inline constexpr std::string_view kServerFile = "canal.properties";

// `defines`: "key=value" of the command line, which win over everything. With auto_scan also the
// destinations that have a directory and are not listed.
LoadedConfig load(const std::string& conf_dir, const std::vector<std::string>& defines);
// One destination again, listed or not; either instances or refused has one element.
LoadedConfig load_instance(
    const std::string& conf_dir,
    const std::vector<std::string>& defines,
    const std::string& destination
);
// No error concerns the server as a whole, and there is a destination to serve where any is named.
bool can_start(const LoadedConfig& loaded);

}  // namespace obcanal::config
