// Reads canal.properties and {destination}/instance.properties into finished structs, collecting
// everything that is wrong with them: each finding names file, line and key. Called once at start;
// one thread.
#pragma once

#include "server/config/instance_config.h"
#include "server/config/server_config.h"

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

namespace obcanal::config {

struct Finding {
    enum class Severity : uint8_t { Error, Warning };

    Severity severity = Severity::Error;
    std::string where;  // "instance.properties:14", "environment", "command line"
    std::string key;
    std::string what;
};

// A value with where it came from, for --print-config. Secrets are masked already.
struct PrintedValue {
    std::string scope;  // "server" or the destination
    std::string key;
    std::string value;
    std::string origin;
};

struct LoadedConfig {
    ServerConfig server;
    std::vector<InstanceConfig> instances;
    std::vector<Finding> findings;
    std::vector<PrintedValue> values;
};

// `defines`: "key=value" of the command line, which win over everything.
LoadedConfig load(const std::string& conf_dir, const std::vector<std::string>& defines);
// One line per finding: "file:line: key: what". False when one of them is an error.
bool report(const std::vector<Finding>& findings, std::ostream& to);
void print_config(const LoadedConfig& loaded, std::ostream& to);

}  // namespace obcanal::config
