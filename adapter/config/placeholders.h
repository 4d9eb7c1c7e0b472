// What stands above the files: -Dkey=value and the environment, and the texts that refer to them
// and to other keys as ${name} or ${name:default}. Copies share their data; any thread.
#pragma once

#include "protocol/base/result.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::adapter::config {

using Environment = std::map<std::string, std::string>;

// That of the process.
Environment process_environment();

// Keys given elsewhere than in the files, in their order: -D, then the environment
// (canal.conf.canalAdapters[0].instance as CANAL_CONF_CANALADAPTERS_0_INSTANCE).
class Overrides {
 public:
    struct Value {
        std::string text;
        std::string origin;  // "command line" or "environment"
    };

    Overrides() = default;
    // `defines`: "key=value".
    Overrides(const std::vector<std::string>& defines, Environment environment);

    std::optional<Value> find(std::string_view path) const;
    // Is there a key at `path` or below it?
    bool any_below(std::string_view path) const;
    // Keys below `path`, as they would be written in a file.
    std::vector<std::string> keys_below(std::string_view path) const;
    // An environment variable or a -D of just this name.
    std::optional<std::string> exact(const std::string& name) const;

 private:
    struct Define {
        std::string path;  // as given
        std::string value;
    };

    std::map<std::string, Define> defines_;  // by canonical path
    Environment environment_;
};

// CANAL_CONF_MODE of canal.conf.mode.
std::string environment_name(std::string_view path);

class Placeholders {
 public:
    Placeholders() = default;
    // `keys`: of the files, by canonical path.
    Placeholders(Overrides overrides, std::map<std::string, std::string> keys);

    // An Error names what can't be resolved.
    Result<std::string> resolve(std::string_view text) const;
    // What can't be resolved stays as it is.
    std::string resolve_known(std::string_view text) const;

 private:
    struct Data {
        Overrides overrides;
        std::map<std::string, std::string> keys;
    };

    Result<std::string> expand(std::string_view text, bool strict, size_t depth) const;
    std::optional<std::string> find(const std::string& name) const;

    std::shared_ptr<const Data> data_ = std::make_shared<const Data>();
};

}  // namespace obcanal::adapter::config
