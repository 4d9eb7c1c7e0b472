#include "server/meta/meta_document.h"

#include "protocol/base/json.h"
#include "protocol/base/text.h"
#include "protocol/canal/position_json.h"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>

namespace obcanal::meta {

namespace json = boost::json;
using canal::ClientId;

namespace {

Error wrong(std::string_view where, std::string_view why) {
    std::string detail(where);
    detail.append(": ").append(why);
    return Error{Errc::BadPacket, Retry::Never, std::move(detail)};
}

std::string_view name_of(const json::key_value_pair& member) {
    return {member.key().data(), member.key().size()};
}

void append_member(std::string& to, const json::key_value_pair& member) {
    to += ',';
    canal::append_json_string(to, name_of(member));
    to += ':';
    to += to_json_text(member.value());
}

Result<ClientId> read_client_id(const json::value* value) {
    int64_t number = 0;
    if (value == nullptr || !value->is_int64())
        return wrong("clientId", "is missing or not a number");
    number = value->get_int64();
    if (number < std::numeric_limits<int16_t>::min() ||
        number > std::numeric_limits<int16_t>::max())
        return wrong("clientId", "is not -32768..32767");
    return ClientId{static_cast<int16_t>(number)};
}

// One element of "clientDatas" into `to`.
Result<void> read_client(const json::value& value, std::string_view destination, MetaDocument& to) {
    const json::object* entry = value.if_object();
    if (entry == nullptr) return wrong("entry", "is not an object");
    const json::value* identity_member = entry->if_contains("clientIdentity");
    const json::object* identity =
        identity_member == nullptr ? nullptr : identity_member->if_object();
    if (identity == nullptr) return wrong("clientIdentity", "is missing or not an object");

    const json::value* name = identity->if_contains("destination");
    if (name == nullptr || !name->is_string())
        return wrong("destination", "is missing or not a string");
    if (std::string_view(name->get_string().data(), name->get_string().size()) != destination) {
        to.foreign.push_back(to_json_text(value));
        return {};
    }
    auto id = read_client_id(identity->if_contains("clientId"));
    if (!id) return std::move(id).error();
    ClientRecord record{*id, std::nullopt, std::nullopt};
    if (const json::value* filter = identity->if_contains("filter");
        filter != nullptr && !filter->is_null()) {
        if (!filter->is_string()) return wrong("filter", "is not a string");
        record.filter.emplace(filter->get_string().data(), filter->get_string().size());
    }
    if (const json::value* cursor = entry->if_contains("cursor");
        cursor != nullptr && !cursor->is_null()) {
        auto position = canal::read_log_position(*cursor);
        if (!position) return std::move(position).error().in("cursor");
        record.cursor = std::move(position).value();
    }
    // Java looks a cursor up from the front: of two entries of one client the first counts.
    auto& clients = to.table.clients;
    const bool twice = std::any_of(clients.begin(), clients.end(), [&](const ClientRecord& one) {
        return one.id == *id;
    });
    if (twice) return {};
    std::string unknown;
    for (const json::key_value_pair& member : *entry) {
        if (name_of(member) != "clientIdentity" && name_of(member) != "cursor")
            append_member(unknown, member);
    }
    if (!unknown.empty()) to.unknown_of_client.emplace(*id, std::move(unknown));
    clients.push_back(std::move(record));
    return {};
}

}  // namespace

Result<MetaDocument> parse_meta_document(std::string_view text, std::string_view destination) {
    MetaDocument document;
    if (trim(text).empty()) return document;
    auto value = canal::parse_canal_json(text);
    if (!value) return std::move(value).error();
    const json::object* object = value->if_object();
    if (object == nullptr) return wrong("document", "is not a JSON object");
    for (const json::key_value_pair& member : *object) {
        if (name_of(member) != "clientDatas" && name_of(member) != "destination")
            append_member(document.unknown, member);
    }
    const json::value* list = object->if_contains("clientDatas");
    if (list == nullptr || list->is_null()) return document;
    const json::array* entries = list->if_array();
    if (entries == nullptr) return wrong("clientDatas", "is not a list");
    for (size_t at = 0; at < entries->size(); ++at) {
        if (auto read = read_client((*entries)[at], destination, document); !read)
            return std::move(read).error().in("clientDatas[" + std::to_string(at) + "]");
    }
    return document;
}

std::string render_meta_document(
    const MetaDocument& document, const ClientTable& table, std::string_view destination
) {
    std::string text = R"({"clientDatas":[)";
    const auto separate = [&text] {
        if (text.back() != '[') text += ',';
    };
    for (const ClientRecord& client : table.clients) {
        separate();
        text += R"({"clientIdentity":{"clientId":)";
        text += std::to_string(client.id.value);
        text += R"(,"destination":)";
        canal::append_json_string(text, destination);
        if (client.filter) {
            text += R"(,"filter":)";
            canal::append_json_string(text, *client.filter);
        }
        text += '}';
        if (client.cursor) {
            text += R"(,"cursor":)";
            canal::append_json(text, *client.cursor, false);
        }
        if (const auto unknown = document.unknown_of_client.find(client.id);
            unknown != document.unknown_of_client.end())
            text += unknown->second;
        text += '}';
    }
    for (const std::string& entry : document.foreign) {
        separate();
        text += entry;
    }
    text += R"(],"destination":)";
    canal::append_json_string(text, destination);
    text += document.unknown;
    text += '}';
    return text;
}

void append_cursor(std::string& to, ClientId client, const canal::LogPosition& cursor) {
    to += R"({"clientId":)";
    to += std::to_string(client.value);
    to += R"(,"cursor":)";
    canal::append_json(to, cursor, false);
    to += "}\n";
}

Result<Cursors> parse_cursors(std::string_view text) {
    Cursors cursors;
    for (const std::string_view line : split(text, '\n')) {
        if (line.empty()) continue;
        auto value = parse_json(line);
        if (!value) return std::move(value).error();
        const json::object* object = value->if_object();
        if (object == nullptr) return wrong("cursor", "is not a JSON object");
        auto client = read_client_id(object->if_contains("clientId"));
        if (!client) return std::move(client).error();
        const json::value* cursor = object->if_contains("cursor");
        if (cursor == nullptr) return wrong("cursor", "is missing");
        auto position = canal::read_log_position(*cursor);
        if (!position) return std::move(position).error();
        cursors.emplace_back(*client, std::move(position).value());
    }
    return cursors;
}

}  // namespace obcanal::meta
