#include "adapter/config/load.h"

#include "adapter/config/application.h"
#include "protocol/base/durable_file.h"
#include "protocol/base/text.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

namespace obcanal::adapter::config {
namespace {

constexpr std::string_view kProfiles = "spring.profiles.active";

void collect_keys(
    const ConfigNode& node, const std::string& path, std::map<std::string, std::string>& keys
) {
    if (!path.empty() && node.text) keys[canonical_name(path)] = *node.text;
    for (size_t i = 0; i < node.entries.size(); ++i) {
        const ConfigEntry& entry = node.entries[i];
        std::string below = path + "[" + std::to_string(i) + "]";
        if (!node.list) below = path.empty() ? entry.key : path + "." + entry.key;
        collect_keys(entry.node, below, keys);
    }
}

std::optional<ConfigNode> read_tree(
    const std::string& name, std::string_view text, FindingList& findings
) {
    const std::optional<ConfigNode> document = parse_yaml(name, text, findings);
    if (!document) return std::nullopt;
    return nest_keys(*document, {}, findings);
}

// Nothing when the file isn't there or is wrong.
std::optional<ConfigNode> read_tree_file(
    const std::string& path, bool required, FindingList& findings
) {
    const Result<std::optional<std::string>> text = read_file(path, kMaxConfigBytes);
    if (!text) {
        findings.error(path, "", text.error().detail);
    } else if (!*text) {
        if (required) findings.error(path, "", "does not exist");
    } else {
        return read_tree(path, **text, findings);
    }
    return std::nullopt;
}

std::string profiles(const ConfigNode& root, const Overrides& overrides) {
    if (const auto value = overrides.find(kProfiles)) return value->text;
    std::map<std::string, std::string> keys;
    collect_keys(root, "", keys);
    const auto found = keys.find(std::string(kProfiles));
    return found == keys.end() ? std::string() : found->second;
}

LoadedAdapter bind(const ConfigNode* root, const Overrides& overrides, FindingList& findings) {
    LoadedAdapter loaded;
    std::map<std::string, std::string> keys;
    if (root != nullptr) collect_keys(*root, "", keys);
    loaded.placeholders = Placeholders(overrides, std::move(keys));
    if (root != nullptr) {
        Reading reading;
        reading.overrides = &overrides;
        reading.placeholders = loaded.placeholders;
        reading.findings = &findings;
        loaded.config = read_application(Section(reading, root, ""));
        loaded.values = std::move(reading.values);
    }
    return loaded;
}

void check_defines(const std::vector<std::string>& defines, FindingList& findings) {
    for (const std::string& define : defines) {
        if (define.find('=') == std::string::npos) {
            findings.error("command line", define, "must be key=value");
        }
    }
}

bool is_application_file(const std::filesystem::path& path) {
    const std::string name = path.filename().string();
    return name == "application.yml" ||
           (name.starts_with("application-") && name.ends_with(".yml"));
}

}  // namespace

bool LoadedAdapter::valid() const {
    return std::none_of(findings.begin(), findings.end(), [](const Finding& finding) {
        return finding.severity == Finding::Severity::Error;
    });
}

LoadedAdapter load(
    const std::string& conf_dir, const std::vector<std::string>& defines, Environment environment
) {
    FindingList findings;
    check_defines(defines, findings);
    const Overrides overrides(defines, std::move(environment));
    std::optional<ConfigNode> root = read_tree_file(conf_dir + "/application.yml", true, findings);
    if (root) {
        const std::string active = profiles(*root, overrides);
        for (const std::string_view profile : split(active, ',')) {
            const std::string name(trim(profile));
            if (name.empty()) continue;
            if (name.find('/') != std::string::npos) {
                findings.error(conf_dir, std::string(kProfiles), "'" + name + "' is no name");
                continue;
            }
            const std::string path = conf_dir + "/application-" + name + ".yml";
            if (const auto upper = read_tree_file(path, true, findings)) overlay(*root, *upper);
        }
    }
    LoadedAdapter loaded = bind(root ? &*root : nullptr, overrides, findings);
    loaded.config.conf_dir = conf_dir;
    if (loaded.config.data_dir.empty()) loaded.config.data_dir = conf_dir + "/../data/adapter";
    loaded.findings = findings.take();
    return loaded;
}

LoadedAdapter load_text(
    const std::string& name,
    std::string_view text,
    const std::vector<std::string>& defines,
    Environment environment
) {
    FindingList findings;
    check_defines(defines, findings);
    const Overrides overrides(defines, std::move(environment));
    const std::optional<ConfigNode> root = read_tree(name, text, findings);
    LoadedAdapter loaded = bind(root ? &*root : nullptr, overrides, findings);
    loaded.findings = findings.take();
    return loaded;
}

std::string application_stamp(const std::string& conf_dir) {
    std::vector<std::string> files;
    std::error_code code;
    for (std::filesystem::directory_iterator it(conf_dir, code), end; !code && it != end;
         it.increment(code)) {
        if (!is_application_file(it->path())) continue;
        struct stat info {};
        if (::stat(it->path().c_str(), &info) != 0) continue;
        files.push_back(
            it->path().filename().string() + ' ' + std::to_string(info.st_ino) + ' ' +
            std::to_string(info.st_size) + ' ' + std::to_string(info.st_mtim.tv_sec) + '.' +
            std::to_string(info.st_mtim.tv_nsec)
        );
    }
    std::sort(files.begin(), files.end());
    std::string stamp;
    for (const std::string& file : files) stamp += file + '\n';
    return stamp;
}

}  // namespace obcanal::adapter::config
