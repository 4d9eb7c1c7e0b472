#include "adapter/config/section.h"

#include "protocol/base/text.h"

#include <algorithm>

namespace obcanal::adapter::config {
namespace {

constexpr std::string_view kMask = "***";

std::string joined(const std::string& path, std::string_view name) {
    return path.empty() ? std::string(name) : path + "." + std::string(name);
}

std::string last_part(std::string_view key) {
    return canonical_name(key.substr(key.rfind('.') + 1));
}

}  // namespace

std::string masked(std::string_view key, std::string_view value) {
    if (value.empty()) return {};
    const std::string name = last_part(key);
    const bool secret = name.find("password") != std::string::npos || name == "passwd" ||
                        name.find("secret") != std::string::npos || name == "accesskey" ||
                        name.find("token") != std::string::npos || name == "auth" ||
                        name.find("apikey") != std::string::npos;
    if (secret) return std::string(kMask);
    // jdbc:mysql://host/db?user=u&password=p, http://u:p@host
    std::string text(value);
    for (size_t at = 0; (at = to_lower(text).find("password=", at)) != std::string::npos;) {
        at += std::string_view("password=").size();
        const size_t end = std::min(text.find_first_of("&;,", at), text.size());
        text.replace(at, end - at, kMask);
    }
    const size_t scheme = text.find("://");
    const size_t host = scheme == std::string::npos ? scheme : text.find('@', scheme + 3);
    if (host != std::string::npos) {
        const size_t colon = text.find(':', scheme + 3);
        if (colon < host) text.replace(colon + 1, host - colon - 1, kMask);
    }
    return text;
}

std::string Section::path_of(std::string_view name) const { return joined(path_, name); }

bool Section::overridden() const {
    return reading_.overrides != nullptr && !path_.empty() && reading_.overrides->any_below(path_);
}

const ConfigNode* Section::find(std::string_view name) const {
    if (node_ == nullptr) return nullptr;
    reading_.used.insert(node_);
    const std::string canonical = canonical_name(name);
    const ConfigEntry* found = nullptr;
    for (const ConfigEntry& entry : node_->entries) {
        if (node_->list || canonical_name(entry.key) != canonical) continue;
        if (found != nullptr) {
            reading_.findings->error(
                entry.place, path_of(entry.key), "stands here twice, see " + found->place
            );
            reading_.used.insert(&entry.node);
            continue;
        }
        found = &entry;
    }
    if (found == nullptr) return nullptr;
    reading_.used.insert(&found->node);
    return &found->node;
}

std::string Section::place_of(std::string_view name) const {
    const std::string path = path_of(name);
    if (reading_.overrides != nullptr) {
        if (const auto value = reading_.overrides->find(path)) return value->origin;
    }
    const ConfigNode* node = find(name);
    if (node != nullptr) return node->place;
    return place();
}

Section Section::section(std::string_view name) const {
    // Of a dotted name each part is a level.
    const size_t dot = name.find('.');
    if (dot != std::string_view::npos) {
        return section(name.substr(0, dot)).section(name.substr(dot + 1));
    }
    return {reading_, find(name), path_of(name)};
}

std::vector<Section> Section::items(std::string_view name) const {
    std::vector<Section> all;
    const ConfigNode* node = find(name);
    const std::string path = path_of(name);
    if (node != nullptr && !node->list && !node->empty()) {
        // Spring binds "a[0]: x" to a list too; who writes a single map means one item.
        error(name, "must be a list");
        use_all(*node);
        node = nullptr;
    }
    const size_t listed = node == nullptr ? 0 : node->entries.size();
    for (size_t i = 0;; ++i) {
        const std::string below = path + "[" + std::to_string(i) + "]";
        const ConfigNode* item = i < listed ? &node->entries[i].node : nullptr;
        Section one(reading_, item, below);
        if (item == nullptr &&
            !(reading_.overrides != nullptr && reading_.overrides->any_below(below + ".")))
            return all;
        if (item != nullptr) reading_.used.insert(item);
        all.push_back(std::move(one));
    }
}

std::vector<std::pair<std::string, Section>> Section::children(std::string_view name) const {
    std::vector<std::pair<std::string, Section>> all;
    const ConfigNode* node = find(name);
    if (node == nullptr) return all;
    if (node->text || node->list) error(name, "must be a map");
    const std::string path = path_of(name);
    for (const ConfigEntry& entry : node->entries) {
        reading_.used.insert(&entry.node);
        all.emplace_back(entry.key, Section(reading_, &entry.node, joined(path, entry.key)));
    }
    return all;
}

bool Section::has(std::string_view name) const {
    if (reading_.overrides != nullptr && reading_.overrides->find(path_of(name))) return true;
    return find(name) != nullptr;
}

std::optional<std::string> Section::expanded(
    const std::string& raw, const std::string& place, const std::string& path
) const {
    if (!reading_.strict) return reading_.placeholders.resolve_known(raw);
    Result<std::string> value = reading_.placeholders.resolve(raw);
    if (value) return std::move(value).value();
    reading_.findings->error(place, path, value.error().detail);
    return std::nullopt;
}

std::optional<Section::Found> Section::value(std::string_view name) const {
    const std::string path = path_of(name);
    const ConfigNode* node = find(name);
    std::optional<std::string> raw;
    std::string place;
    if (reading_.overrides != nullptr) {
        if (auto value = reading_.overrides->find(path)) {
            raw = std::move(value->text);
            place = std::move(value->origin);
        }
    }
    if (!raw && node != nullptr) {
        if (!node->entries.empty()) {
            reading_.findings->error(node->place, path, "must be a single value");
            use_all(*node);
        }
        raw = node->text.value_or("");
        place = node->place;
    }
    if (!raw) return std::nullopt;
    std::optional<std::string> text = expanded(*raw, place, path);
    if (!text) return std::nullopt;
    return Found{std::move(*text), std::move(place)};
}

void Section::print(const std::string& path, const std::string& value, const std::string& origin)
    const {
    reading_.values.push_back({"", path, masked(path, value), origin});
}

std::string Section::text(std::string_view name, std::string_view otherwise) const {
    std::optional<Found> found = value(name);
    if (!found) found = Found{std::string(otherwise), "default"};
    print(path_of(name), found->text, found->place);
    return std::move(found->text);
}

std::optional<std::string> Section::optional_text(std::string_view name) const {
    std::optional<Found> found = value(name);
    if (!found || found->text.empty()) return std::nullopt;
    print(path_of(name), found->text, found->place);
    return std::move(found->text);
}

uint64_t Section::number(std::string_view name, uint64_t otherwise, uint64_t least, uint64_t most)
    const {
    const std::optional<Found> found = value(name);
    const std::string_view text = found ? trim(found->text) : std::string_view();
    if (text.empty()) {
        print(path_of(name), std::to_string(otherwise), "default");
        return otherwise;
    }
    print(path_of(name), found->text, found->place);
    const std::optional<uint64_t> number = parse_uint(text);
    if (number && *number >= least && *number <= most) return *number;
    reading_.findings->error(
        found->place,
        path_of(name),
        "'" + printable(text) + "' must be a number from " + std::to_string(least) + " to " +
            std::to_string(most)
    );
    return otherwise;
}

bool Section::boolean(std::string_view name, bool otherwise) const {
    const std::optional<Found> found = value(name);
    const std::string text = found ? to_lower(trim(found->text)) : std::string();
    if (text.empty()) {
        print(path_of(name), otherwise ? "true" : "false", "default");
        return otherwise;
    }
    print(path_of(name), found->text, found->place);
    if (text == "true" || text == "yes" || text == "on" || text == "1") return true;
    if (text == "false" || text == "no" || text == "off" || text == "0") return false;
    reading_.findings->error(
        found->place, path_of(name), "'" + printable(text) + "' must be true or false"
    );
    return otherwise;
}

void Section::set_property(Properties& to, std::string key, const Found& found) const {
    for (auto& [name, value] : to) {
        if (canonical_name(name) != canonical_name(key)) continue;
        value = found.text;
        return;
    }
    to.emplace_back(std::move(key), found.text);
}

void Section::flatten(const ConfigNode& node, const std::string& key, Properties& to) const {
    reading_.used.insert(&node);
    if (node.list) {
        for (size_t i = 0; i < node.entries.size(); ++i) {
            flatten(node.entries[i].node, key + "[" + std::to_string(i) + "]", to);
        }
        return;
    }
    if (!key.empty() && (node.text || node.entries.empty())) {
        if (auto text = expanded(node.text.value_or(""), node.place, path_of(key))) {
            to.emplace_back(key, std::move(*text));
        }
    }
    for (const ConfigEntry& entry : node.entries) {
        flatten(entry.node, key.empty() ? entry.key : key + "." + entry.key, to);
    }
}

Properties Section::properties(std::string_view name) const {
    Properties all;
    const ConfigNode* node = find(name);
    const std::string path = path_of(name);
    const Section below(reading_, node, path);
    if (node != nullptr) {
        if (node->text || node->list) error(name, "must be a map");
        below.flatten(*node, "", all);
    }
    if (reading_.overrides != nullptr) {
        for (auto& [key, text] : all) {
            if (auto value = reading_.overrides->find(joined(path, key))) {
                text = expanded(value->text, value->origin, joined(path, key)).value_or(text);
            }
        }
        for (const std::string& key : reading_.overrides->keys_below(path)) {
            const std::string whole = joined(path, key);
            const bool known = std::any_of(all.begin(), all.end(), [&](const auto& one) {
                return environment_name(joined(path, one.first)) == environment_name(whole);
            });
            const auto value = reading_.overrides->find(whole);
            if (known || !value) continue;
            const auto text = expanded(value->text, value->origin, whole);
            if (text) set_property(all, key, {*text, value->origin});
        }
    }
    for (const auto& [key, text] : all) {
        print(joined(path, key), text, node != nullptr ? node->place : "environment");
    }
    return all;
}

std::vector<std::pair<std::string, std::string>> Section::pairs(std::string_view name) const {
    std::vector<std::pair<std::string, std::string>> all;
    const ConfigNode* node = find(name);
    if (node == nullptr) return all;
    if (node->text || node->list) error(name, "must be a map");
    for (const ConfigEntry& entry : node->entries) {
        const std::string path = joined(path_of(name), entry.key);
        reading_.used.insert(&entry.node);
        if (!entry.node.entries.empty()) {
            reading_.findings->error(entry.place, path, "must be a single value");
            use_all(entry.node);
        }
        auto text = expanded(entry.node.text.value_or(""), entry.node.place, path);
        if (text) all.emplace_back(entry.key, std::move(*text));
    }
    return all;
}

std::vector<std::string> Section::list(std::string_view name) const {
    std::vector<std::string> all;
    const ConfigNode* node = find(name);
    if (node != nullptr && node->list) {
        for (const ConfigEntry& entry : node->entries) {
            use_all(entry.node);
            if (!entry.node.entries.empty()) error(name, "must be a list of texts");
            auto text = expanded(entry.node.text.value_or(""), entry.node.place, path_of(name));
            if (text) all.push_back(std::move(*text));
        }
        return all;
    }
    const std::string whole = text(name);
    for (const std::string_view part : split(whole, ',')) {
        if (!trim(part).empty()) all.emplace_back(trim(part));
    }
    return all;
}

void Section::ignore(std::string_view name) const {
    const ConfigNode* node = find(name);
    if (node != nullptr) use_all(*node);
}

void Section::use_all(const ConfigNode& node) const {
    reading_.used.insert(&node);
    for (const ConfigEntry& entry : node.entries) use_all(entry.node);
}

void Section::error(std::string_view name, std::string what) const {
    reading_.findings->error(place_of(name), path_of(name), std::move(what));
}

void Section::warning(std::string_view name, std::string what) const {
    reading_.findings->warning(place_of(name), path_of(name), std::move(what));
}

void Section::walk_unknown(const ConfigNode& node, const std::string& path) const {
    for (size_t i = 0; i < node.entries.size(); ++i) {
        const ConfigEntry& entry = node.entries[i];
        const std::string below =
            node.list ? path + "[" + std::to_string(i) + "]" : joined(path, entry.key);
        if (reading_.used.contains(&entry.node)) {
            walk_unknown(entry.node, below);
        } else {
            reading_.findings->warning(entry.place, below, "is no key that is known here; ignored");
        }
    }
}

void Section::report_unknown() const {
    if (node_ != nullptr) walk_unknown(*node_, path_);
}

}  // namespace obcanal::adapter::config
