#include "server/config/layers.h"

#include "protocol/base/text.h"

#include <cstdlib>
#include <utility>

namespace obcanal::config {
namespace {

constexpr std::string_view kDestinationKey = "canal.instance.destination";
constexpr size_t kMaxDepth = 16;
constexpr size_t kMaxReplacements = 1'000;
constexpr size_t kMaxExpandedBytes = 64 * 1024;

// Where the placeholder whose content starts at `from` ends; inner braces are counted, as the
// reference does.
size_t placeholder_end(std::string_view text, size_t from) {
    size_t open = 0;
    for (size_t i = from; i < text.size(); ++i) {
        if (text[i] == '{') {
            ++open;
        } else if (text[i] == '}') {
            if (open == 0) return i;
            --open;
        }
    }
    return std::string_view::npos;
}

Error bad_placeholder(std::string what) { return {Errc::BadConfig, Retry::Never, std::move(what)}; }

}  // namespace

struct Layers::Expansion {
    std::vector<std::string> open;  // placeholders being replaced, outermost first
    size_t replacements = 0;
    size_t depth = 0;
};

std::optional<Setting> Layers::server(std::string_view key) {
    asked_.emplace(key);
    const auto defined = defines_.find(key);
    if (defined != defines_.end())
        return Setting{std::string(trim(defined->second)), "command line"};
    if (const char* value = std::getenv(std::string(key).c_str()))
        return Setting{std::string(trim(value)), "environment"};
    const Property* property = files_.server == nullptr ? nullptr : files_.server->find(key);
    if (property == nullptr) return std::nullopt;
    return Setting{std::string(trim(property->value)), files_.server->at(property->line)};
}

std::optional<Setting> Layers::raw_instance(std::string_view key) {
    asked_.emplace(key);
    if (key == kDestinationKey) return Setting{destination_, "destination"};
    const auto defined = defines_.find(key);
    if (defined != defines_.end()) {
        if (!trim(defined->second).empty()) return Setting{defined->second, "command line"};
    } else if (const char* value = std::getenv(std::string(key).c_str())) {
        if (!trim(value).empty()) return Setting{value, "environment"};
    }
    // A blank value in the instance's file hides the common one; the default counts then.
    for (const Properties* file : {files_.instance, files_.common}) {
        const Property* property = file == nullptr ? nullptr : file->find(key);
        if (property == nullptr) continue;
        if (trim(property->value).empty()) return std::nullopt;
        return Setting{property->value, file->at(property->line), file == files_.instance};
    }
    return std::nullopt;
}

Setting Layers::instance(std::string_view key, std::string_view fallback) {
    std::optional<Setting> found = raw_instance(key);
    Setting setting =
        found ? std::move(*found) : Setting{std::string(fallback), std::string(kDefaultOrigin)};
    Expansion under_way;
    under_way.open.emplace_back(key);
    Result<std::string> text = expand(trim(setting.text), under_way);
    if (text) {
        setting.text = std::string(trim(*text));
    } else {
        setting.problem = text.error().detail;
    }
    return setting;
}

Result<std::string> Layers::expand(std::string_view text, Expansion& under_way) {
    if (under_way.depth >= kMaxDepth) return bad_placeholder("placeholders nest too deeply");
    ++under_way.depth;
    std::string out;
    while (!text.empty()) {
        const size_t start = text.find("${");
        const size_t end =
            start == std::string_view::npos ? start : placeholder_end(text, start + 2);
        if (end == std::string_view::npos) {
            out += text;
            break;
        }
        out += text.substr(0, start);
        Result<std::string> inner = expand(text.substr(start + 2, end - start - 2), under_way);
        if (!inner) return inner;
        text.remove_prefix(end + 1);

        const size_t colon = inner->find(':');
        const std::string key(trim(std::string_view(*inner).substr(0, colon)));
        for (const std::string& open : under_way.open) {
            if (open == key) return bad_placeholder("${" + key + "} refers to itself");
        }
        if (++under_way.replacements > kMaxReplacements)
            return bad_placeholder("too many placeholders at ${" + key + "}");
        const std::optional<Setting> value = raw_instance(key);
        std::string_view replacement;
        if (value) {
            replacement = trim(value->text);
        } else if (colon != std::string::npos) {
            replacement = trim(std::string_view(*inner).substr(colon + 1));
        }
        under_way.open.push_back(key);
        Result<std::string> expanded = expand(replacement, under_way);
        under_way.open.pop_back();
        if (!expanded) return expanded;
        out += *expanded;
        if (out.size() > kMaxExpandedBytes) {
            return bad_placeholder(
                "placeholders expand to more than " + std::to_string(kMaxExpandedBytes) + " bytes"
            );
        }
    }
    --under_way.depth;
    return out;
}

}  // namespace obcanal::config
