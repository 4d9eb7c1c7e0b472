// A YAML document as a tree of raw texts, each with file and line: nothing is typed ("0123" and
// "on" stay what they are), order is kept, names are compared as Spring's binder does. The only
// place that knows yaml-cpp on the adapter's side. Plain data.
#pragma once

#include "protocol/base/finding.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::adapter::config {

struct ConfigEntry;

// A value; may have a text and entries at once (security.auth beside security.auth.type).
struct ConfigNode {
    std::string place;                // file:line
    std::optional<std::string> text;  // none: "key:" without a value
    bool list = false;                // then the keys of the entries are empty
    std::vector<ConfigEntry> entries;

    bool empty() const { return !text && entries.empty(); }
};

struct ConfigEntry {
    std::string key;
    std::string place;
    ConfigNode node;
};

// Lower case without '-' and '_': names that are equal so are one key.
std::string canonical_name(std::string_view name);

inline constexpr size_t kMaxConfigBytes = size_t{1} << 20;

// The first document of `text`; keys as written. An empty one is an empty map. What is wrong goes
// to `findings`, and then there is nothing.
std::optional<ConfigNode> parse_yaml(
    const std::string& name, std::string_view text, FindingList& findings
);

// "a.b: x" as "a: {b: x}", "[a.b]" as the key "a.b"; keys that meet are merged. Below a key whose
// canonical name is in `keep`, keys are data: only the brackets go.
ConfigNode nest_keys(
    const ConfigNode& node, std::span<const std::string_view> keep, FindingList& findings
);

// `upper` over `base`: maps are merged, all else replaces.
void overlay(ConfigNode& base, const ConfigNode& upper);

}  // namespace obcanal::adapter::config
