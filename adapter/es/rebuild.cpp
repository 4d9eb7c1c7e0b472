#include "adapter/es/rebuild.h"

#include "adapter/core/json_text.h"
#include "protocol/base/json.h"
#include "protocol/base/text.h"

#include <algorithm>
#include <array>
#include <ctime>

namespace obcanal::adapter::es {

namespace json = boost::json;

namespace {

constexpr size_t kStamp = 14;  // digits

// The name without the stamp of an earlier rebuild; the same where there is none.
std::string_view base_name(std::string_view name) {
    if (name.size() <= kStamp + 1) return name;
    const std::string_view stamp = name.substr(name.size() - kStamp);
    const bool digits = std::ranges::all_of(stamp, [](char c) { return c >= '0' && c <= '9'; });
    return digits && name[name.size() - kStamp - 1] == '-'
               ? name.substr(0, name.size() - kStamp - 1)
               : name;
}

}  // namespace

std::string rebuilt_name(std::string_view name, int64_t unix_seconds) {
    const std::time_t seconds = unix_seconds;
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 32> stamp{};
    std::strftime(stamp.data(), stamp.size(), "-%Y%m%d%H%M%S", &parts);
    return std::string(base_name(name)) + stamp.data();
}

bool is_rebuilt(std::string_view name, std::string_view index) {
    return index != base_name(index) && base_name(index) == base_name(name);
}

Result<std::string> new_index_body(std::string_view reply) {
    const Result<json::value> value = parse_json(reply);
    const json::object* const indexes = value ? value->if_object() : nullptr;
    const json::object* const index =
        indexes == nullptr || indexes->empty() ? nullptr : indexes->begin()->value().if_object();
    if (index == nullptr) {
        return Error{Errc::BadPacket, Retry::Backoff, "GET of an index: " + printable(reply)};
    }
    json::object body;
    if (const json::value* const mappings = index->if_contains("mappings")) {
        body["mappings"] = *mappings;
    }
    const json::value* const settings = index->if_contains("settings");
    const json::object* const outer = settings == nullptr ? nullptr : settings->if_object();
    const json::value* const inner = outer == nullptr ? nullptr : outer->if_contains("index");
    if (inner != nullptr && inner->is_object()) {
        json::object kept = inner->get_object();
        for (const char* const own :
             {"uuid",
              "creation_date",
              "creation_date_string",
              "provided_name",
              "version",
              "resize",
              "routing",
              "blocks",
              "history",
              "replication"}) {
            kept.erase(own);
        }
        body["settings"] = json::object{{"index", std::move(kept)}};
    }
    return to_json_text(body);
}

std::string switch_body(
    std::string_view name, const std::vector<std::string>& indexes, std::string_view next
) {
    std::string body = R"({"actions":[)";
    for (const std::string& index : indexes) {
        if (index == next) continue;
        const bool ours = index == name || is_rebuilt(name, index);
        body += ours ? R"({"remove_index":{"index":)" : R"({"remove":{"index":)";
        core::append_json_string(body, index);
        if (!ours) {
            body += R"(,"alias":)";
            core::append_json_string(body, name);
        }
        body += "}},";
    }
    body += R"({"add":{"index":)";
    core::append_json_string(body, next);
    body += R"(,"alias":)";
    core::append_json_string(body, name);
    return body + "}}]}";
}

}  // namespace obcanal::adapter::es
