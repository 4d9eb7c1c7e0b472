// Reads canal.properties and {destination}/instance.properties into finished structs, collecting
// everything that is wrong with them: each finding names file, line and key. At start, and for one
// destination when its file has changed; one thread.
#pragma once

#include "protocol/base/finding.h"
#include "server/config/conf_scan.h"
#include "server/config/instance_config.h"
#include "server/config/server_config.h"

#include <iosfwd>
#include <string>
#include <vector>

namespace obcanal::config {

// A value with where it came from, for --print-config. Secrets are masked already.
struct PrintedValue {
    std::string scope;  // "server" or the destination
    std::string key;
    std::string value;
    std::string origin;
};

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

// Where the files are when nobody says so: ../conf beside the program, else /etc/obcanal.
std::string default_conf_dir();

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
// One line per finding: "file:line: key: what". False when one of them is an error.
bool report(const std::vector<Finding>& findings, std::ostream& to);
void print_config(const LoadedConfig& loaded, std::ostream& to);

}  // namespace obcanal::config
