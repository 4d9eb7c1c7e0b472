#include "adapter/es/bulk_reply.h"

#include "protocol/base/json.h"
#include "protocol/base/text.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace obcanal::adapter::es {

namespace json = boost::json;

namespace {

Error bad_reply(std::string what) {
    return {Errc::BadPacket, Retry::Backoff, "reply of POST /_bulk: " + std::move(what)};
}

Error bad_states(std::string what) {
    return {Errc::BadPacket, Retry::Backoff, "reply of POST /_mget: " + std::move(what)};
}

// False: the member is there and no integer.
bool read_number(const json::object& object, std::string_view name, int64_t& to) {
    const json::value* const found = object.if_contains(name);
    if (found == nullptr) return true;
    if (!found->is_int64()) return false;
    to = found->get_int64();
    return true;
}

std::string text_of(const json::object& object, std::string_view name) {
    const json::value* const found = object.if_contains(name);
    const json::string* const text = found == nullptr ? nullptr : found->if_string();
    return text == nullptr ? std::string() : std::string(std::string_view(*text));
}

void read_error(const json::value& error, BulkItem& item) {
    if (const json::string* const text = error.if_string()) {
        item.type = "error";
        item.reason = std::string_view(*text);
        return;
    }
    const json::object* object = error.if_object();
    if (object == nullptr) return;
    item.type = text_of(*object, "type");
    item.reason = text_of(*object, "reason");
    if (item.type.empty()) item.type = "error";
    // What is at fault stands deepest.
    for (int depth = 0; depth < 8; ++depth) {
        const json::value* const cause = object->if_contains("caused_by");
        object = cause == nullptr ? nullptr : cause->if_object();
        if (object == nullptr) break;
        item.reason += ": " + text_of(*object, "reason");
    }
}

bool skip(std::string_view& text, std::string_view known) {
    if (!text.starts_with(known)) return false;
    text.remove_prefix(known.size());
    return true;
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> names) {
    return std::ranges::find(names, text) != names.end();
}

// What the reply is where all went well: {...,"items":[{"index":{"status":200}},...]}. False: it is
// anything else.
bool read_plain_items(std::string_view text, size_t expected, std::vector<BulkItem>& to) {
    constexpr std::string_view kHead = R"({"errors":false,"items":[)";
    constexpr std::string_view kStatus = R"(":{"status":)";
    if (!text.starts_with(kHead)) return false;
    text.remove_prefix(kHead.size());
    while (to.size() < expected) {
        if (!to.empty() && !skip(text, ",")) return false;
        if (!skip(text, R"({")")) return false;
        const size_t name = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz");
        if (name == 0 || name == std::string_view::npos) return false;
        text.remove_prefix(name);
        if (!skip(text, kStatus)) return false;
        int status = 0;
        const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), status);
        if (fault != std::errc() || status < 100 || status > 599) return false;
        text.remove_prefix(static_cast<size_t>(end - text.data()));
        if (!skip(text, "}}")) return false;
        to.emplace_back().status = status;
    }
    return text == "]}";
}

}  // namespace

Result<std::vector<BulkItem>> read_bulk_reply(std::string_view text, size_t expected) {
    std::vector<BulkItem> plain;
    plain.reserve(expected);
    if (read_plain_items(text, expected, plain)) return plain;
    const Result<json::value> value = parse_json(text);
    if (!value) return bad_reply(value.error().detail);
    const json::object* const reply = value->if_object();
    const json::value* const items = reply == nullptr ? nullptr : reply->if_contains("items");
    if (items == nullptr || !items->is_array()) return bad_reply("no items: " + printable(text));
    std::vector<BulkItem> all;
    all.reserve(expected);
    for (const json::value& entry : items->get_array()) {
        const json::object* const action = entry.if_object();
        const json::object* const body =
            action == nullptr || action->empty() ? nullptr : action->begin()->value().if_object();
        const json::value* const status = body == nullptr ? nullptr : body->if_contains("status");
        if (status == nullptr || !status->is_int64()) return bad_reply("an item without status");
        BulkItem& item = all.emplace_back();
        item.status = static_cast<int>(status->get_int64());
        if (const json::value* const error = body->if_contains("error")) read_error(*error, item);
    }
    if (all.size() != expected) {
        return bad_reply(
            std::to_string(all.size()) + " items for " + std::to_string(expected) + " actions"
        );
    }
    return all;
}

Result<std::vector<DocumentState>> read_states(std::string_view text, size_t expected) {
    const Result<json::value> value = parse_json(text);
    if (!value) return bad_states(value.error().detail);
    const json::object* const reply = value->if_object();
    const json::value* const docs = reply == nullptr ? nullptr : reply->if_contains("docs");
    if (docs == nullptr || !docs->is_array()) return bad_states("no docs: " + printable(text));
    std::vector<DocumentState> all;
    all.reserve(expected);
    for (const json::value& entry : docs->get_array()) {
        const json::object* const body = entry.if_object();
        if (body == nullptr) return bad_states("a document that is no object");
        DocumentState& state = all.emplace_back();
        if (const json::value* const error = body->if_contains("error")) {
            read_error(*error, state.error);
            state.error.status = 503;
            if (state.error.type == "index_not_found_exception") state.error = {};
            continue;
        }
        const json::value* const found = body->if_contains("found");
        if (found == nullptr || !found->is_bool()) return bad_states("a document without found");
        state.found = found->get_bool();
        if (!read_number(*body, "_seq_no", state.seq_no) ||
            !read_number(*body, "_primary_term", state.primary_term) ||
            !read_number(*body, "_version", state.version))
            return bad_states("a document's version is no number");
    }
    if (all.size() != expected) {
        return bad_states(
            std::to_string(all.size()) + " documents for " + std::to_string(expected) + " asked for"
        );
    }
    return all;
}

ItemOutcome outcome_of(const BulkItem& item) {
    if (item.type.empty()) {
        // A deleted document that was not there is as good.
        const bool fine = item.status / 100 == 2 || item.status == 404;
        return fine ? ItemOutcome::Done : ItemOutcome::Blocked;
    }
    if (item.type == "document_missing_exception") return ItemOutcome::Missing;
    if (item.type == "version_conflict_engine_exception") return ItemOutcome::Stale;
    if (item.status == 429 || item.status == 409 || item.status / 100 == 5 ||
        is_one_of(
            item.type,
            {"cluster_block_exception",
             "es_rejected_execution_exception",
             "rejected_execution_exception",
             "circuit_breaking_exception",
             "unavailable_shards_exception",
             "process_cluster_event_timeout_exception"}
        ))
        return ItemOutcome::Again;
    if (is_one_of(item.type, {"index_not_found_exception", "security_exception"}))
        return ItemOutcome::Blocked;
    // An index that can't be made for want of shards is nothing that one document is at fault for.
    if (item.type == "validation_exception" ||
        item.reason.find("this action would add") != std::string::npos)
        return ItemOutcome::Blocked;
    return item.status == 400 || item.status == 413 ? ItemOutcome::Refused : ItemOutcome::Blocked;
}

uint64_t current_version(std::string_view reason) {
    constexpr std::string_view kMark = "current version [";
    const size_t at = reason.find(kMark);
    if (at == std::string_view::npos) return 0;
    const std::string_view rest = reason.substr(at + kMark.size());
    return parse_uint(rest.substr(0, rest.find(']'))).value_or(0);
}

}  // namespace obcanal::adapter::es
