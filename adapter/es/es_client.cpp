#include "adapter/es/es_client.h"

#include "protocol/base/json.h"
#include "protocol/base/text.h"

#include <algorithm>

namespace obcanal::adapter::es {

namespace json = boost::json;

namespace {

constexpr size_t kShownBytes = 500;

const json::value* member(const json::value& value, std::string_view name) {
    const json::object* const object = value.if_object();
    return object == nullptr ? nullptr : object->if_contains(name);
}

std::string_view text_member(const json::value& value, std::string_view name) {
    const json::value* const found = member(value, name);
    const json::string* const text = found == nullptr ? nullptr : found->if_string();
    return text == nullptr ? std::string_view() : std::string_view(*text);
}

// Does a field that comes with a document become one of the index's, or is refused?
bool knows_all_fields(const json::value* mappings) {
    if (mappings == nullptr) return true;
    const json::value* const enabled = member(*mappings, "enabled");
    if (enabled != nullptr && *enabled != true && *enabled != "true") return false;
    const json::value* const dynamic = member(*mappings, "dynamic");
    return dynamic == nullptr || *dynamic == true || *dynamic == "true" || *dynamic == "strict";
}

Error bad_reply(std::string what) { return {Errc::BadPacket, Retry::Backoff, std::move(what)}; }

}  // namespace

Error reply_error(const HttpReply& reply, std::string_view what) {
    std::string cause;
    if (const Result<json::value> value = parse_json(reply.body)) {
        const json::value* const error = member(*value, "error");
        if (error != nullptr && error->is_object()) {
            cause = std::string(text_member(*error, "type")) + ": ";
            cause += text_member(*error, "reason");
        } else if (error != nullptr && error->is_string()) {
            cause = std::string_view(error->get_string());
        }
    }
    if (cause.empty()) cause = printable(reply.body, kShownBytes);
    Errc code = Errc::Refused;
    if (reply.status == 401 || reply.status == 403) code = Errc::Auth;
    if (reply.status == 404) code = Errc::NotFound;
    if (reply.status == 502 || reply.status == 503 || reply.status == 504) code = Errc::Io;
    std::string text(what);
    text += ": status " + std::to_string(reply.status) + ": " + cause;
    return {code, Retry::Backoff, std::move(text)};
}

Result<EsServer> read_server(std::string_view text) {
    const Result<json::value> value = parse_json(text);
    if (!value) return bad_reply("GET /: " + value.error().detail);
    const json::value* const version = member(*value, "version");
    if (version == nullptr) {
        return bad_reply("GET /: neither Elasticsearch nor OpenSearch: " + printable(text, 100));
    }
    EsServer server;
    server.version = text_member(*version, "number");
    server.opensearch = text_member(*version, "distribution") == "opensearch";
    const auto major = parse_int(split(server.version, '.').front());
    if (!major || *major < 1 || *major > 1'000) {
        return bad_reply("GET /: no version in " + printable(text, 100));
    }
    server.major = static_cast<int>(*major);
    if (!server.opensearch && server.major < 6) {
        return Error{
            Errc::Unsupported,
            Retry::Backoff,
            "Elasticsearch " + server.version + " is too old: 6 and later are known"
        };
    }
    return server;
}

Result<IndexMapping> read_index_mapping(
    std::string_view text, std::string_view index, std::string_view type, bool has_types
) {
    const std::string where = "mapping of index " + std::string(index);
    const Result<json::value> value = parse_json(text);
    if (!value) return bad_reply(where + ": " + value.error().detail);
    const json::object* const indexes = value->if_object();
    if (indexes == nullptr) return bad_reply(where + ": no object");
    IndexMapping mapping;
    for (const auto& [name, body] : *indexes) {
        mapping.indexes.emplace_back(name);
        const json::value* mappings = member(body, "mappings");
        if (has_types && mappings != nullptr && mappings->is_object()) {
            const json::object& types = mappings->get_object();
            const json::value* found = types.if_contains(type);
            if (found == nullptr && type.empty() && types.size() == 1) {
                found = &types.begin()->value();
            }
            mappings = found;
        }
        mapping.hides_fields = mapping.hides_fields || !knows_all_fields(mappings);
        const json::value* const properties =
            mappings == nullptr ? nullptr : member(*mappings, "properties");
        if (properties == nullptr || !properties->is_object()) continue;
        for (const auto& [field, definition] : properties->get_object()) {
            // The first index of an alias that has the field decides.
            mapping.types.try_emplace(std::string(field), es_type(text_member(definition, "type")));
        }
    }
    mapping.is_alias = mapping.indexes.size() != 1 || mapping.indexes.front() != index;
    return mapping;
}

Result<std::string> read_write_index(std::string_view text, std::string_view alias) {
    const std::string where = "alias " + std::string(alias);
    const Result<json::value> value = parse_json(text);
    if (!value) return bad_reply(where + ": " + value.error().detail);
    const json::object* const indexes = value->if_object();
    if (indexes == nullptr) return bad_reply(where + ": no object");
    for (const auto& [name, body] : *indexes) {
        const json::value* const aliases = member(body, "aliases");
        const json::value* const found = aliases == nullptr ? nullptr : member(*aliases, alias);
        const json::value* const written =
            found == nullptr ? nullptr : member(*found, "is_write_index");
        if (written != nullptr && written->is_bool() && written->get_bool()) {
            return std::string(std::string_view(name));
        }
    }
    return std::string();
}

Result<std::unique_ptr<EsClient>> EsClient::open(const EsOptions& options) {
    Result<std::unique_ptr<HttpClient>> http = HttpClient::open(options.http);
    if (!http) return std::move(http).error();
    return std::unique_ptr<EsClient>(new EsClient(std::move(http).value()));
}

Awaitable<Result<void>> EsClient::connect() {
    HttpCall call;
    Result<HttpReply> reply = co_await http_->request(call);
    if (!reply) co_return std::move(reply).error();
    if (reply->status / 100 != 2) co_return reply_error(*reply, "GET /");
    Result<EsServer> server = read_server(reply->body);
    if (!server) co_return std::move(server).error();
    server_ = std::move(server).value();
    co_return Result<void>();
}

Awaitable<Result<IndexMapping>> EsClient::mapping(std::string index, std::string type) {
    HttpCall call;
    call.path = "/" + url_encoded(index) + "/_mapping";
    Result<HttpReply> reply = co_await http_->request(call);
    if (!reply) co_return std::move(reply).error();
    if (reply->status / 100 != 2) co_return reply_error(*reply, "GET " + call.path);
    Result<IndexMapping> mapping =
        read_index_mapping(reply->body, index, type, server_.has_types());
    if (!mapping || mapping->indexes.size() < 2) co_return mapping;
    call.path = "/_alias/" + url_encoded(index);
    Result<HttpReply> aliases = co_await http_->request(call);
    if (!aliases) co_return std::move(aliases).error();
    if (aliases->status / 100 != 2) co_return reply_error(*aliases, "GET " + call.path);
    Result<std::string> written = read_write_index(aliases->body, index);
    if (!written) co_return std::move(written).error();
    mapping->written = std::move(written).value();
    co_return mapping;
}

Awaitable<Result<HttpReply>> EsClient::bulk(std::string_view body) {
    HttpCall call;
    call.method = "POST";
    // What the reply says beyond that is of no use to us, and most of it.
    call.path = "/_bulk?timeout=1m&filter_path=errors,error,status,items.*.status,items.*.error";
    call.body = body;
    call.content_type = "application/x-ndjson";
    call.timeout = std::chrono::minutes(2);
    Result<HttpReply> reply = co_await http_->request(call);
    co_return reply;
}

Awaitable<Result<HttpReply>> EsClient::states(std::string_view body) {
    HttpCall call;
    call.method = "POST";
    call.path = "/_mget?_source=false";
    call.body = body;
    Result<HttpReply> reply = co_await http_->request(call);
    co_return reply;
}

Awaitable<Result<json::value>> EsClient::ask(
    std::string method, std::string path, std::string body
) {
    HttpCall call;
    call.method = method;
    call.path = path;
    call.body = body;
    Result<HttpReply> reply = co_await http_->request(call);
    if (!reply) co_return std::move(reply).error();
    const std::string what = method + " " + path;
    if (reply->status / 100 != 2) co_return reply_error(*reply, what);
    Result<json::value> value = parse_json(reply->body);
    if (!value) co_return bad_reply(what + ": " + value.error().detail);
    co_return value;
}

Awaitable<Result<uint64_t>> EsClient::count(std::string index) {
    Result<json::value> reply = co_await ask("GET", "/" + url_encoded(index) + "/_count", {});
    if (!reply) co_return std::move(reply).error();
    const json::value* const count = member(*reply, "count");
    if (count == nullptr || !count->is_int64() || count->get_int64() < 0) {
        co_return bad_reply("count of index " + index + ": no number in the reply");
    }
    co_return static_cast<uint64_t>(count->get_int64());
}

Awaitable<Result<void>> EsClient::refresh(std::string index) {
    Result<json::value> reply = co_await ask("POST", "/" + url_encoded(index) + "/_refresh", {});
    if (!reply) co_return std::move(reply).error();
    co_return Result<void>();
}

}  // namespace obcanal::adapter::es
