#include "server/config/unknown_keys.h"

#include "server/config/binlog_config.h"
#include "server/config/instance_config.h"
#include "server/config/oblog_config.h"
#include "server/config/server_config.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <vector>

namespace obcanal::config {
namespace {

enum class Role : uint8_t { Server, Instance, Foreign };

struct Known {
    Role role;
    const KeyInfo* info;
};

using KnownKeys = std::map<std::string, Known, std::less<>>;

template <class S>
void add(KnownKeys& to, Role role, std::span<const Key<S>> keys, std::string_view prefix = {}) {
    for (const Key<S>& key : keys) {
        const std::string name = std::string(prefix) + std::string(key.name);
        to.emplace(name, Known{role, &key});
        if (key.secret) to.emplace(name + std::string(kFileSuffix), Known{role, &key});
    }
}

const KnownKeys& known_keys() {
    static const KnownKeys keys = [] {
        KnownKeys made;
        add(made, Role::Server, server_keys());
        for (const std::string_view prefix : {"canal.tls", "canal.admin.tls", "canal.metrics.tls"})
            add(made, Role::Server, tls_keys(), prefix);
        add(made, Role::Server, per_destination_keys());
        add(made, Role::Instance, instance_keys());
        add(made, Role::Instance, oblog_keys());
        add(made, Role::Instance, binlog_keys());
        add(made, Role::Instance, mysql_server_keys(), "canal.instance.master");
        add(made, Role::Instance, mysql_server_keys(), "canal.instance.standby");
        for (const KeyInfo& info : foreign_keys())
            made.emplace(std::string(info.name), Known{Role::Foreign, &info});
        return made;
    }();
    return keys;
}

// "canal.instance.{destination}.mode" and the like.
bool is_per_destination(std::string_view key) {
    constexpr std::string_view kPrefix = "canal.instance.";
    if (!key.starts_with(kPrefix)) return false;
    key.remove_prefix(kPrefix.size());
    for (const std::string_view suffix : {".mode", ".lazy", ".spring.xml", ".manager.address"}) {
        if (key.size() > suffix.size() && key.ends_with(suffix)) return true;
    }
    return false;
}

// Levenshtein's distance, or something above `limit`.
size_t distance(std::string_view a, std::string_view b, size_t limit) {
    if (a.size() > b.size() + limit || b.size() > a.size() + limit) return limit + 1;
    std::vector<size_t> row(b.size() + 1);
    for (size_t j = 0; j < row.size(); ++j) row[j] = j;
    for (size_t i = 1; i <= a.size(); ++i) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.size(); ++j) {
            const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
        }
    }
    return row[b.size()];
}

std::string suggestion(std::string_view key) {
    constexpr size_t kFar = 3;
    constexpr size_t kLongKey = 100;
    std::string_view best;
    size_t least = kFar;
    if (key.size() > kLongKey) return {};
    for (const auto& [name, known] : known_keys()) {
        const size_t apart = distance(key, name, kFar);
        if (apart < least) {
            least = apart;
            best = name;
        }
    }
    return best.empty() ? std::string() : "; did you mean " + std::string(best) + "?";
}

class Judge {
 public:
    Judge(const KeyNames& asked, KeyReader& reader, FindingList& findings)
        : asked_(asked), reader_(reader), findings_(findings) {}

    void judge(const std::string& key, const Setting& setting, bool of_instance) {
        for (const KeyPrefix& prefix : foreign_prefixes()) {
            if (key.starts_with(prefix.prefix))
                return foreign(key, setting, prefix.topic, prefix.unsupported);
        }
        const auto known = known_keys().find(key);
        if (known == known_keys().end()) {
            if (is_per_destination(key)) {
                if (of_instance) misplaced(key, setting);
                return;
            }
            if (!asked_.contains(key))
                findings_.warning(setting.origin, key, "unknown key, no effect" + suggestion(key));
            return;
        }
        const Known& found = known->second;
        if (found.role == Role::Foreign) {
            foreign(key, setting, found.info->topic, found.info->unsupported);
        } else if (of_instance && found.role == Role::Server &&
                   (is_per_destination(key) || !asked_.contains(key))) {
            misplaced(key, setting);
        }
    }

 private:
    void misplaced(const std::string& key, const Setting& setting) {
        findings_.warning(
            setting.origin, key, "no effect here: a key of the server belongs in canal.properties"
        );
    }

    void foreign(
        const std::string& key, const Setting& setting, std::string_view topic, std::string_view why
    ) {
        if (!setting.text.empty()) reader_.without_effect(topic, why, setting, key);
    }

    const KeyNames& asked_;
    KeyReader& reader_;
    FindingList& findings_;
};

}  // namespace

void judge_file(
    const Properties& file,
    bool of_instance,
    const KeyNames& asked,
    KeyReader& reader,
    FindingList& findings
) {
    for (const Properties::Remark& remark : file.remarks()) {
        if (remark.error) {
            findings.error(file.at(remark.line), remark.key, remark.what);
        } else {
            findings.warning(file.at(remark.line), remark.key, remark.what);
        }
    }
    // In the order of the file, not of the names.
    std::vector<std::pair<size_t, const std::string*>> in_order;
    for (const auto& [key, property] : file.entries()) in_order.emplace_back(property.line, &key);
    std::sort(in_order.begin(), in_order.end());
    Judge judge(asked, reader, findings);
    for (const auto& [line, key] : in_order) {
        const std::string_view text = trim(file.find(*key)->value);
        judge.judge(*key, {std::string(text), file.at(line)}, of_instance);
    }
}

void judge_overrides(
    const Layers::Defines& defines, const KeyNames& asked, KeyReader& reader, FindingList& findings
) {
    Judge judge(asked, reader, findings);
    for (const auto& [key, value] : defines)
        judge.judge(key, {std::string(trim(value)), "command line"}, false);
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view line(*entry);
        const size_t equals = line.find('=');
        if (!line.starts_with("canal.") || equals == std::string_view::npos) continue;
        const std::string key(line.substr(0, equals));
        if (!defines.contains(key))
            judge.judge(key, {std::string(trim(line.substr(equals + 1))), "environment"}, false);
    }
}

}  // namespace obcanal::config
