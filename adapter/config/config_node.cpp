#include "adapter/config/config_node.h"

#include "protocol/base/text.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>

namespace obcanal::adapter::config {
namespace {

// Aliases may name a large part many times over.
constexpr size_t kMaxNodes = 100'000;
constexpr size_t kMaxDepth = 32;

class TreeReader {
 public:
    TreeReader(const std::string& name, FindingList& findings) : name_(name), findings_(findings) {}

    std::optional<ConfigNode> read(std::string_view text) {
        if (!is_utf8(as_bytes(text))) {
            findings_.error(name_, "", "is not UTF-8");
            return std::nullopt;
        }
        try {
            const YAML::Node document = YAML::Load(std::string(text));
            ConfigNode root = convert(document, "", 0);
            if (!faulty_ && (root.text || root.list)) {
                error(document.Mark(), "", "must be a map of keys");
            }
            if (faulty_) return std::nullopt;
            return root;
        } catch (const YAML::Exception& failure) {
            error(failure.mark, "", "YAML: " + failure.msg);
        }
        return std::nullopt;
    }

 private:
    ConfigNode convert(const YAML::Node& from, const std::string& path, size_t depth) {
        ConfigNode node;
        node.place = place(from.Mark());
        if (faulty_) return node;
        if (++nodes_ > kMaxNodes || depth > kMaxDepth) {
            error(from.Mark(), path, "the document is too large or too deep");
            return node;
        }
        if (from.IsScalar()) node.text = from.Scalar();
        if (from.IsSequence()) {
            node.list = true;
            for (const YAML::Node& one : from) {
                ConfigNode item = convert(one, path + "[]", depth + 1);
                std::string where = item.place;
                node.entries.push_back({{}, std::move(where), std::move(item)});
            }
        }
        if (from.IsMap()) read_map(from, path, depth, node);
        return node;
    }

    void read_map(const YAML::Node& from, const std::string& path, size_t depth, ConfigNode& node) {
        std::vector<std::string_view> names;
        for (const auto& entry : from) {
            if (faulty_) return;
            if (!entry.first.IsScalar()) {
                return error(entry.first.Mark(), path, "a key must be a text");
            }
            const std::string& key = entry.first.Scalar();
            const std::string below = path.empty() ? key : path + "." + key;
            names.push_back(key);
            ConfigNode value = convert(entry.second, below, depth + 1);
            node.entries.push_back({key, place(entry.first.Mark()), std::move(value)});
        }
        std::sort(names.begin(), names.end());
        const auto twice = std::adjacent_find(names.begin(), names.end());
        if (twice == names.end()) return;
        for (auto it = node.entries.rbegin(); it != node.entries.rend(); ++it) {
            if (it->key != *twice) continue;
            faulty_ = true;
            findings_.error(
                it->place, path.empty() ? it->key : path + "." + it->key, "stands here twice"
            );
            return;
        }
    }

    std::string place(const YAML::Mark& mark) const {
        return mark.is_null() ? name_ : name_ + ":" + std::to_string(mark.line + 1);
    }

    void error(const YAML::Mark& mark, const std::string& key, std::string what) {
        faulty_ = true;
        findings_.error(place(mark), key, std::move(what));
    }

    const std::string& name_;
    FindingList& findings_;
    size_t nodes_ = 0;
    bool faulty_ = false;
};

// "a.b" as "a", "b"; "[a.b]" as "a.b"; "a[b.c]" as "a", "b.c".
std::vector<std::string> segments(std::string_view key) {
    std::vector<std::string> parts;
    std::string part;
    for (size_t i = 0; i < key.size(); ++i) {
        const size_t close = key[i] == '[' ? key.find(']', i) : std::string_view::npos;
        if (close != std::string_view::npos) {
            if (!part.empty()) parts.push_back(std::move(part));
            part.clear();
            parts.emplace_back(key.substr(i + 1, close - i - 1));
            i = close;
            if (i + 1 < key.size() && key[i + 1] == '.') ++i;
        } else if (key[i] == '.') {
            parts.push_back(std::move(part));
            part.clear();
        } else {
            part.push_back(key[i]);
        }
    }
    if (!part.empty() || parts.empty()) parts.push_back(std::move(part));
    return parts;
}

std::string without_brackets(const std::string& key) {
    const bool bracketed = key.size() > 2 && key.front() == '[' && key.back() == ']';
    return bracketed ? key.substr(1, key.size() - 2) : key;
}

ConfigNode keep_keys(const ConfigNode& from) {
    ConfigNode node{from.place, from.text, from.list, {}};
    for (const ConfigEntry& entry : from.entries) {
        node.entries.push_back({without_brackets(entry.key), entry.place, keep_keys(entry.node)});
    }
    return node;
}

ConfigEntry* find_entry(ConfigNode& node, std::string_view key) {
    for (ConfigEntry& entry : node.entries) {
        if (entry.key == key) return &entry;
    }
    return nullptr;
}

void add_merged(ConfigNode& to, ConfigEntry entry, FindingList& findings) {
    ConfigEntry* const same = find_entry(to, entry.key);
    if (same == nullptr) {
        to.entries.push_back(std::move(entry));
        return;
    }
    const bool clash = same->node.list || entry.node.list || (same->node.text && entry.node.text);
    if (clash) {
        findings.error(entry.place, entry.key, "stands here twice, see " + same->place);
        return;
    }
    if (entry.node.text) {
        same->node.text = std::move(entry.node.text);
        same->node.place = entry.node.place;
    }
    for (ConfigEntry& below : entry.node.entries) {
        add_merged(same->node, std::move(below), findings);
    }
}

}  // namespace

std::string canonical_name(std::string_view name) {
    std::string canonical;
    canonical.reserve(name.size());
    for (const char c : name) {
        if (c == '-' || c == '_') continue;
        canonical.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
    }
    return canonical;
}

std::optional<ConfigNode> parse_yaml(
    const std::string& name, std::string_view text, FindingList& findings
) {
    if (text.size() > kMaxConfigBytes) {
        findings.error(name, "", "is larger than 1 MiB");
        return std::nullopt;
    }
    return TreeReader(name, findings).read(text);
}

ConfigNode nest_keys(
    const ConfigNode& from, std::span<const std::string_view> keep, FindingList& findings
) {
    ConfigNode node{from.place, from.text, from.list, {}};
    for (const ConfigEntry& entry : from.entries) {
        std::vector<std::string> parts = segments(entry.key);
        if (parts.size() > kMaxDepth) {
            findings.error(entry.place, entry.key, "has too many parts");
            continue;
        }
        const std::string name = canonical_name(parts.back());
        const bool kept = std::find(keep.begin(), keep.end(), name) != keep.end();
        ConfigEntry nested{
            std::move(parts.back()),
            entry.place,
            kept ? keep_keys(entry.node) : nest_keys(entry.node, keep, findings)
        };
        for (size_t i = parts.size() - 1; i-- > 0;) {
            ConfigNode above{entry.place, std::nullopt, false, {}};
            above.entries.push_back(std::move(nested));
            nested = {std::move(parts[i]), entry.place, std::move(above)};
        }
        if (node.list) {
            node.entries.push_back(std::move(nested));
        } else {
            add_merged(node, std::move(nested), findings);
        }
    }
    return node;
}

void overlay(ConfigNode& base, const ConfigNode& upper) {
    if (upper.list || base.list || (upper.text && upper.entries.empty())) {
        std::vector<ConfigEntry> below;
        if (!upper.list && !base.list) below = std::move(base.entries);
        base = upper;
        if (!below.empty()) base.entries = std::move(below);
        return;
    }
    if (upper.text) base.text = upper.text;
    for (const ConfigEntry& entry : upper.entries) {
        const std::string name = canonical_name(entry.key);
        const auto same = std::find_if(
            base.entries.begin(),
            base.entries.end(),
            [&name](const ConfigEntry& other) { return canonical_name(other.key) == name; }
        );
        if (same == base.entries.end()) {
            base.entries.push_back(entry);
        } else {
            overlay(same->node, entry.node);
        }
    }
}

}  // namespace obcanal::adapter::config
