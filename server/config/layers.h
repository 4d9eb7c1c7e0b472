// The layers a value can come from and which of them wins (canal-server, 6.2): command line,
// environment, {destination}/instance.properties, canal.properties, default. One thread.
#pragma once

#include "server/config/properties.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::config {

constexpr std::string_view kDefaultOrigin = "default";

// A value and where it was set: "conf/canal.properties:12", "environment", "command line" or
// "default".
struct Setting {
    std::string text;
    std::string origin;
    bool from_instance_file = false;
    std::string problem = {};  // why placeholders could not be replaced; empty: they were
};

class Layers {
 public:
    struct Files {
        const Properties* server = nullptr;    // read by server keys: canal.conf's, if it is given
        const Properties* common = nullptr;    // canal.properties of the configuration directory
        const Properties* instance = nullptr;  // of the destination
    };

    using Defines = std::map<std::string, std::string, std::less<>>;

    // Keeps references: `defines` and the files outlive the object.
    Layers(const Defines& defines, Files files, std::string destination)
        : defines_(defines), files_(files), destination_(std::move(destination)) {}

    // As the reference reads server keys: text as it is, and what is set but empty counts as set.
    std::optional<Setting> server(std::string_view key);

    // As the reference reads instance keys, "${key:fallback}": blank counts as not set, and
    // placeholders are replaced; `problem` when they are circular or grow without bound.
    Setting instance(std::string_view key, std::string_view fallback);

    // Keys that were asked for, directly or by a placeholder.
    const std::set<std::string, std::less<>>& asked() const { return asked_; }
    const std::string& destination() const { return destination_; }

 private:
    struct Expansion;

    std::optional<Setting> raw_instance(std::string_view key);
    Result<std::string> expand(std::string_view text, Expansion& under_way);

    const Defines& defines_;
    Files files_;
    std::string destination_;
    std::set<std::string, std::less<>> asked_;
};

}  // namespace obcanal::config
