#include "server/config/key_reader.h"

#include "protocol/base/assert.h"
#include "protocol/base/text.h"
#include "server/config/binlog_config.h"
#include "server/config/instance_config.h"
#include "server/config/oblog_config.h"
#include "server/config/server_config.h"

#include <filesystem>
#include <type_traits>
#include <utility>

namespace obcanal::config {
namespace {

constexpr std::string_view kConfDir = "../conf";
constexpr std::string_view kGlobal = ".global.";

// Spring's boolean editor.
std::optional<bool> parse_bool(std::string_view text) {
    for (const std::string_view word : {"true", "on", "yes", "1"}) {
        if (equals_ignore_case(text, word)) return true;
    }
    for (const std::string_view word : {"false", "off", "no", "0"}) {
        if (equals_ignore_case(text, word)) return false;
    }
    return std::nullopt;
}

Error bad(std::string what) { return {Errc::BadConfig, Retry::Never, std::move(what)}; }

std::string quoted(const KeyInfo& info, std::string_view text) {
    return info.secret ? "the value" : "'" + printable(text) + "'";
}

Result<int64_t> parse_number(const KeyInfo& info, std::string_view text, int64_t type_max) {
    const std::optional<int64_t> number = parse_int(text);
    if (!number) return bad(quoted(info, text) + " is not a number");
    const int64_t most = std::min(info.most, type_max);
    if (*number < info.least || *number > most) {
        return bad(
            std::to_string(*number) + " is not in " + std::to_string(info.least) + ".." +
            std::to_string(most)
        );
    }
    if (info.power_of_two && (*number & (*number - 1)) != 0)
        return bad(std::to_string(*number) + " is not a power of two");
    return *number;
}

std::string file_of(std::string_view origin) {
    const size_t colon = origin.rfind(':');
    return std::string(origin.substr(0, colon));
}

}  // namespace

std::string resolve_path(std::string_view path, std::string_view conf_dir) {
    namespace fs = std::filesystem;
    if (path.empty() || path.front() == '/') return std::string(path);
    const fs::path conf(conf_dir);
    if (path.starts_with(kConfDir) &&
        (path.size() == kConfDir.size() || path[kConfDir.size()] == '/')) {
        std::string_view rest = path.substr(kConfDir.size());
        while (rest.starts_with('/')) rest.remove_prefix(1);
        return rest.empty() ? conf.string() : (conf / rest).lexically_normal().string();
    }
    return (conf / ".." / "bin" / path).lexically_normal().string();
}

Setting KeyReader::look_up(const KeyInfo& info, const std::string& name, KeyKind kind) {
    if (kind == KeyKind::Instance) return layers_.instance(name, info.fallback);
    if (kind == KeyKind::PerDestination) {
        std::string own = name;
        own.replace(own.find(kGlobal) + 1, kGlobal.size() - 2, layers_.destination());
        std::optional<Setting> found = layers_.server(own);
        if (found && !found->text.empty()) return *found;
    }
    std::optional<Setting> found = layers_.server(name);
    if (found && !found->text.empty()) return *found;
    return {std::string(info.fallback), found ? found->origin : std::string(kDefaultOrigin)};
}

void KeyReader::look_into_file(const std::string& name, KeyKind kind, Setting& setting) {
    constexpr size_t kMaxSecret = 4096;
    const std::string file_key = name + std::string(kFileSuffix);
    Setting file;
    if (kind == KeyKind::Instance) {
        file = layers_.instance(file_key, {});
    } else if (std::optional<Setting> found = layers_.server(file_key)) {
        file = std::move(*found);
    }
    if (!file.problem.empty()) return findings_.error(where(file), file_key, file.problem);
    if (file.text.empty()) return;
    if (setting.origin != kDefaultOrigin && !setting.text.empty()) {
        return findings_.error(
            where(file), file_key, name + " is set too (" + setting.origin + "); set one of them"
        );
    }
    const std::string path = resolve_path(file.text, conf_dir_);
    Result<std::string> content = read_small_file(path, kMaxSecret);
    if (!content) return findings_.error(where(file), file_key, content.error().detail);
    setting = {std::string(trim(*content)), path};
    if (setting.text.empty()) findings_.error(where(file), file_key, path + ": is empty");
}

template <class S>
Result<void> KeyReader::assign(const Key<S>& key, std::string_view text, S& to) {
    return std::visit(
        [&](const auto member) -> Result<void> {
            using Member = std::remove_cvref_t<decltype(member)>;
            if constexpr (std::is_same_v<Member, NoMember>) {
                return {};
            } else if constexpr (std::is_same_v<Member, typename Key<S>::Parse>) {
                return member(to, text);
            } else {
                auto& field = to.*member;
                using Field = std::remove_reference_t<decltype(field)>;
                if constexpr (std::is_same_v<Field, std::string>) {
                    field = key.path ? resolve_path(text, conf_dir_) : std::string(text);
                } else if constexpr (std::is_same_v<Field, bool>) {
                    const std::optional<bool> value = parse_bool(text);
                    if (!value) return bad(quoted(key, text) + " is neither true nor false");
                    field = *value;
                } else {
                    constexpr auto kTypeMax = std::numeric_limits<Field>::max();
                    constexpr int64_t kMost = std::in_range<int64_t>(kTypeMax)
                                                  ? static_cast<int64_t>(kTypeMax)
                                                  : std::numeric_limits<int64_t>::max();
                    const Result<int64_t> number = parse_number(key, text, kMost);
                    if (!number) return number.error();
                    field = static_cast<Field>(*number);
                }
                return {};
            }
        },
        key.member
    );
}

template <class S>
void KeyReader::read(std::span<const Key<S>> keys, KeyKind kind, S& to, std::string_view prefix) {
    for (const Key<S>& key : keys) {
        const std::string name = std::string(prefix) + std::string(key.name);
        Setting setting = look_up(key, name, kind);
        if (key.secret) look_into_file(name, kind, setting);
        const Result<void> assigned =
            setting.problem.empty() ? assign(key, setting.text, to) : bad(setting.problem);
        if (assigned) {
            judge(key, name, setting);
        } else {
            findings_.error(where(setting), name, assigned.error().detail);
        }
        if (kind != KeyKind::Instance && setting.text.find("${") != std::string::npos &&
            setting.text != key.neutral) {
            findings_.warning(
                setting.origin, name, "placeholders are not replaced in keys of the server"
            );
        }
        read_[name] = {&key, std::move(setting)};
    }
}

template <class S>
void KeyReader::pass_over(
    std::span<const Key<S>> keys, std::string_view why, std::string_view prefix
) {
    for (const Key<S>& key : keys) {
        const std::string name = std::string(prefix) + std::string(key.name);
        const Setting setting = layers_.instance(name, key.fallback);
        if (setting.from_instance_file && setting.text != key.fallback)
            without_effect(why, why, setting, name);
    }
}

void KeyReader::judge(const KeyInfo& info, const std::string& name, const Setting& setting) {
    if (info.unsupported.empty() || setting.origin == kDefaultOrigin) return;
    if (setting.text.empty() || setting.text == info.fallback || setting.text == info.neutral)
        return;
    if (info.topic.empty()) {
        findings_.warning(setting.origin, name, "has no effect: " + std::string(info.unsupported));
    } else {
        without_effect(info.topic, info.unsupported, setting, name);
    }
}

std::string KeyReader::where(const Setting& setting) const {
    return setting.origin == kDefaultOrigin ? file_ : setting.origin;
}

const Setting& KeyReader::setting(std::string_view key) const {
    const auto found = read_.find(key);
    OBC_ASSERT(found != read_.end());
    return found->second.setting;
}

void KeyReader::error(std::string_view key, std::string what) {
    findings_.error(where(setting(key)), std::string(key), std::move(what));
}

void KeyReader::warning(std::string_view key, std::string what) {
    findings_.warning(where(setting(key)), std::string(key), std::move(what));
}

void KeyReader::without_effect(
    std::string_view topic, std::string_view why, const Setting& at, std::string_view key
) {
    const std::string at_topic = file_of(at.origin) + " " + std::string(topic);
    Topic& entry = topics_[at_topic];
    if (entry.keys.empty()) {
        entry.where = at.origin;
        entry.why = why;
    } else {
        entry.keys += ", ";
    }
    entry.keys += key;
}

void KeyReader::finish() {
    for (const auto& [at, topic] : topics_)
        findings_.warning(topic.where, topic.keys, "no effect: " + std::string(topic.why));
    topics_.clear();
}

template void KeyReader::read(
    std::span<const Key<ServerConfig>>, KeyKind, ServerConfig&, std::string_view
);
template void KeyReader::read(
    std::span<const Key<TlsConfig>>, KeyKind, TlsConfig&, std::string_view
);
template void KeyReader::read(
    std::span<const Key<InstanceConfig>>, KeyKind, InstanceConfig&, std::string_view
);
template void KeyReader::read(
    std::span<const Key<OblogConfig>>, KeyKind, OblogConfig&, std::string_view
);
template void KeyReader::read(
    std::span<const Key<BinlogConfig>>, KeyKind, BinlogConfig&, std::string_view
);
template void KeyReader::read(
    std::span<const Key<MysqlServer>>, KeyKind, MysqlServer&, std::string_view
);
template void KeyReader::pass_over(
    std::span<const Key<OblogConfig>>, std::string_view, std::string_view
);
template void KeyReader::pass_over(
    std::span<const Key<BinlogConfig>>, std::string_view, std::string_view
);
template void KeyReader::pass_over(
    std::span<const Key<MysqlServer>>, std::string_view, std::string_view
);

}  // namespace obcanal::config
