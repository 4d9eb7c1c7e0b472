// Reads typed values out of a configuration tree: overrides first, then the file, then the default;
// each value is remembered for --print-config, and what nobody asked for is named as unknown.
// One thread, while a configuration is read.
#pragma once

#include "adapter/config/adapter_config.h"
#include "adapter/config/config_node.h"
#include "adapter/config/placeholders.h"
#include "protocol/base/config_report.h"
#include "protocol/base/finding.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::adapter::config {

// What all sections of one file share.
struct Reading {
    const Overrides* overrides = nullptr;  // none: the file alone counts
    Placeholders placeholders;
    bool strict = true;  // a placeholder that can't be resolved is an error
    FindingList* findings = nullptr;
    std::vector<PrintedValue> values;
    std::set<const ConfigNode*> used;
};

class Section {
 public:
    // `path`: empty for the root. `node` may be null: not in the file.
    Section(Reading& reading, const ConfigNode* node, std::string path)
        : reading_(reading), node_(node), path_(std::move(path)) {}

    Section section(std::string_view name) const;
    // The items of a list, those included that only an override knows.
    std::vector<Section> items(std::string_view name) const;
    // The maps below `name` with their keys.
    std::vector<std::pair<std::string, Section>> children(std::string_view name) const;
    bool exists() const { return node_ != nullptr || overridden(); }
    // Is `name` given, be it empty?
    bool has(std::string_view name) const;

    std::string text(std::string_view name, std::string_view otherwise = {}) const;
    // Nothing when the key isn't there or is empty.
    std::optional<std::string> optional_text(std::string_view name) const;
    uint64_t number(std::string_view name, uint64_t otherwise, uint64_t least, uint64_t most) const;
    bool boolean(std::string_view name, bool otherwise) const;
    // All below `name`, flattened with dots; keys as in the file.
    Properties properties(std::string_view name) const;
    // Pairs of a map whose keys are data (column names); an empty value stays empty.
    std::vector<std::pair<std::string, std::string>> pairs(std::string_view name) const;
    // A list, or texts separated by commas.
    std::vector<std::string> list(std::string_view name) const;

    // Known, and of no effect: not reported.
    void ignore(std::string_view name) const;
    void error(std::string_view name, std::string what) const;
    void warning(std::string_view name, std::string what) const;
    const std::string& path() const { return path_; }
    std::string place() const { return node_ != nullptr ? node_->place : "environment"; }

    // Warns of every key of the tree that nothing has asked for.
    void report_unknown() const;

 private:
    struct Found {
        std::string text;
        std::string place;
    };

    const ConfigNode* find(std::string_view name) const;
    std::optional<Found> value(std::string_view name) const;
    std::string path_of(std::string_view name) const;
    std::string place_of(std::string_view name) const;
    std::optional<std::string> expanded(
        const std::string& raw, const std::string& place, const std::string& path
    ) const;
    bool overridden() const;
    void flatten(const ConfigNode& node, const std::string& key, Properties& to) const;
    void set_property(Properties& to, std::string key, const Found& found) const;
    void use_all(const ConfigNode& node) const;
    void print(const std::string& path, const std::string& value, const std::string& origin) const;
    void walk_unknown(const ConfigNode& node, const std::string& path) const;

    Reading& reading_;
    const ConfigNode* node_;
    std::string path_;
};

// A value as it may be printed: secrets as ***.
std::string masked(std::string_view key, std::string_view value);

}  // namespace obcanal::adapter::config
