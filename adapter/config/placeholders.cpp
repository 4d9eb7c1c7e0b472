#include "adapter/config/placeholders.h"

#include "adapter/config/config_node.h"
#include "protocol/base/text.h"

#include <unistd.h>

#include <set>

namespace obcanal::adapter::config {
namespace {

constexpr size_t kMaxDepth = 16;
constexpr size_t kMaxExpanded = 64 * 1024;

// The '}' that closes the "${" before `from`.
size_t closing_brace(std::string_view text, size_t from) {
    size_t open = 1;
    for (size_t i = from; i < text.size(); ++i) {
        if (text.substr(i, 2) == "${") ++open;
        if (text[i] == '}' && --open == 0) return i;
    }
    return std::string_view::npos;
}

// The ':' that parts name and default, not one inside a "${...}" of the name.
size_t default_mark(std::string_view text) {
    size_t open = 0;
    for (size_t i = 0; i < text.size(); ++i) {
        if (text.substr(i, 2) == "${") ++open;
        if (text[i] == '}' && open > 0) --open;
        if (text[i] == ':' && open == 0) return i;
    }
    return std::string_view::npos;
}

Error unresolved(std::string_view name, std::string_view why) {
    return {Errc::BadConfig, Retry::Never, "${" + printable(name) + "}: " + std::string(why)};
}

}  // namespace

Environment process_environment() {
    Environment all;
    for (char** one = ::environ; one != nullptr && *one != nullptr; ++one) {
        const std::string_view text = *one;
        const size_t mark = text.find('=');
        if (mark == std::string_view::npos) continue;
        all.emplace(text.substr(0, mark), text.substr(mark + 1));
    }
    return all;
}

std::string environment_name(std::string_view path) {
    std::string name;
    for (const char c : path) {
        if (c == '-' || c == ']') continue;
        name.push_back(c == '.' || c == '[' ? '_' : c);
    }
    return to_upper(name);
}

Overrides::Overrides(const std::vector<std::string>& defines, Environment environment)
    : environment_(std::move(environment)) {
    for (const std::string& define : defines) {
        const size_t mark = define.find('=');
        if (mark == std::string::npos) continue;
        std::string path(trim(std::string_view(define).substr(0, mark)));
        defines_[canonical_name(path)] = {path, define.substr(mark + 1)};
    }
}

std::optional<Overrides::Value> Overrides::find(std::string_view path) const {
    const auto define = defines_.find(canonical_name(path));
    if (define != defines_.end()) return Value{define->second.value, "command line"};
    const auto variable = environment_.find(environment_name(path));
    if (variable != environment_.end()) return Value{variable->second, "environment"};
    return std::nullopt;
}

bool Overrides::any_below(std::string_view path) const {
    const std::string name = canonical_name(path);
    const auto define = defines_.lower_bound(name);
    if (define != defines_.end() && define->first.starts_with(name)) return true;
    const std::string variable = environment_name(path);
    const auto found = environment_.lower_bound(variable);
    return found != environment_.end() && found->first.starts_with(variable);
}

std::vector<std::string> Overrides::keys_below(std::string_view path) const {
    std::vector<std::string> keys;
    std::set<std::string> variables;
    const std::string name = canonical_name(path) + ".";
    for (const auto& [canonical, define] : defines_) {
        if (!canonical.starts_with(name)) continue;
        // The canonical path may be shorter than the one given: count its parts instead.
        std::string_view rest = define.path;
        for (const char c : name) {
            if (c == '.') rest.remove_prefix(std::min(rest.size(), rest.find('.') + 1));
        }
        keys.emplace_back(rest);
        variables.insert(environment_name(define.path));
    }
    const std::string prefix = environment_name(path) + "_";
    for (auto it = environment_.lower_bound(prefix);
         it != environment_.end() && it->first.starts_with(prefix);
         ++it) {
        if (variables.contains(it->first)) continue;
        std::string key = to_lower(std::string_view(it->first).substr(prefix.size()));
        for (char& c : key) {
            if (c == '_') c = '.';
        }
        keys.push_back(std::move(key));
    }
    return keys;
}

std::optional<std::string> Overrides::exact(const std::string& name) const {
    const auto define = defines_.find(canonical_name(name));
    if (define != defines_.end()) return define->second.value;
    const auto variable = environment_.find(name);
    if (variable != environment_.end()) return variable->second;
    return std::nullopt;
}

Placeholders::Placeholders(Overrides overrides, std::map<std::string, std::string> keys)
    : data_(std::make_shared<const Data>(Data{std::move(overrides), std::move(keys)})) {}

std::optional<std::string> Placeholders::find(const std::string& name) const {
    if (std::optional<std::string> exact = data_->overrides.exact(name)) return exact;
    if (auto value = data_->overrides.find(name)) return value->text;
    const auto key = data_->keys.find(canonical_name(name));
    if (key != data_->keys.end()) return key->second;
    return std::nullopt;
}

Result<std::string> Placeholders::expand(std::string_view text, bool strict, size_t depth) const {
    std::string whole;
    if (depth > kMaxDepth) return unresolved(text, "refers to itself");
    while (true) {
        const size_t open = text.find("${");
        const size_t close = open == std::string_view::npos ? open : closing_brace(text, open + 2);
        if (close == std::string_view::npos) {
            whole += text;
            return whole;
        }
        whole += text.substr(0, open);
        const std::string_view inside = text.substr(open + 2, close - open - 2);
        const size_t mark = default_mark(inside);
        Result<std::string> name = expand(inside.substr(0, mark), strict, depth + 1);
        if (!name) return name;
        const std::optional<std::string> found = find(*name);
        Result<std::string> value = std::string();
        if (found) {
            value = expand(*found, strict, depth + 1);
        } else if (mark != std::string_view::npos) {
            value = expand(inside.substr(mark + 1), strict, depth + 1);
        } else if (strict) {
            return unresolved(*name, "is neither a key nor an environment variable");
        } else {
            value = std::string(text.substr(open, close + 1 - open));
        }
        if (!value) return value;
        whole += *value;
        if (whole.size() > kMaxExpanded) return unresolved(inside, "becomes too long");
        text.remove_prefix(close + 1);
    }
}

Result<std::string> Placeholders::resolve(std::string_view text) const {
    return expand(text, true, 0);
}

std::string Placeholders::resolve_known(std::string_view text) const {
    Result<std::string> done = expand(text, false, 0);
    return done ? std::move(done).value() : std::string(text);
}

}  // namespace obcanal::adapter::config
