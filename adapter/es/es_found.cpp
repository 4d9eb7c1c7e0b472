// Documents of EsWriter that are found by a query: those of a mapping's pk, and all of an index
// that is emptied. What is found is written as it was then and not otherwise, so that a request
// which comes late, behind newer ones, does nothing.
#include "adapter/core/json_text.h"
#include "adapter/es/es_writer.h"
#include "protocol/base/json.h"
#include "protocol/net/asio.h"

#include <algorithm>
#include <vector>

namespace obcanal::adapter::es {

namespace json = boost::json;

struct FoundWork {
    const DocumentTarget* target = nullptr;
    std::string query;
    BulkAction action = BulkAction::Update;
    std::string body;  // of the action; empty: it has none
    const DocumentChange* change = nullptr;
};

struct FoundDocument {
    std::string index;
    std::string type;  // Elasticsearch 6 only
    std::string id;
    std::string routing;
    DocumentState state;
};

struct FoundPage {
    std::vector<FoundDocument> documents;
    std::string scroll_id;
};

namespace {

constexpr size_t kPage = 1'000;
constexpr size_t kPageBytes = size_t{8} << 20;
// As long as others write to what is found in between.
constexpr int kTries = 10;

Error bad_page(const std::string& what) {
    return {Errc::BadPacket, Retry::Backoff, "reply of POST /_search: " + what};
}

std::string text_of(const json::object& object, std::string_view name) {
    const json::value* const found = object.if_contains(name);
    const json::string* const text = found == nullptr ? nullptr : found->if_string();
    return text == nullptr ? std::string() : std::string(std::string_view(*text));
}

int64_t number_of(const json::object& object, std::string_view name) {
    const json::value* const found = object.if_contains(name);
    return found == nullptr || !found->is_int64() ? -1 : found->get_int64();
}

Result<FoundPage> read_page(const json::value& value, bool has_types) {
    const json::object* const reply = value.if_object();
    const json::value* const outer = reply == nullptr ? nullptr : reply->if_contains("hits");
    const json::value* const hits =
        outer == nullptr || !outer->is_object() ? nullptr : outer->get_object().if_contains("hits");
    if (hits == nullptr || !hits->is_array()) return bad_page("no hits");
    const json::value* const shards = reply->if_contains("_shards");
    if (shards == nullptr || !shards->is_object() || number_of(shards->get_object(), "failed") != 0)
        return bad_page("not all shards have answered");
    FoundPage page;
    page.scroll_id = text_of(*reply, "_scroll_id");
    for (const json::value& hit : hits->get_array()) {
        const json::object* const object = hit.if_object();
        if (object == nullptr) return bad_page("a hit that is no object");
        FoundDocument& document = page.documents.emplace_back();
        document.index = text_of(*object, "_index");
        document.id = text_of(*object, "_id");
        document.routing = text_of(*object, "_routing");
        if (has_types) document.type = text_of(*object, "_type");
        document.state.found = true;
        document.state.version = number_of(*object, "_version");
        document.state.seq_no = number_of(*object, "_seq_no");
        document.state.primary_term = number_of(*object, "_primary_term");
        const int64_t known = has_types ? document.state.version : document.state.seq_no;
        if (document.id.empty() || document.index.empty() || known < 0)
            return bad_page("a hit without what tells its document");
    }
    return page;
}

}  // namespace

// Documents are found by the mapping's pk, and never made (client-adapter, 3.7).
Awaitable<Result<void>> EsWriter::write_by_pk(const DocumentChange* change) {
    const Result<const DocumentTarget*> target = co_await target_of(change->plan);
    if (!target) co_return target.error();
    FoundWork work;
    work.target = *target;
    work.change = change;
    work.query = R"({"term":{)";
    core::append_json_string(work.query, change->plan->task->pk);
    work.query += R"(:{"value":)";
    core::append_json_string(work.query, change->id);
    work.query += "}}}";
    work.body = R"-({"script":{"lang":"painless","source":"ctx._source.putAll(params.doc)",)-";
    work.body += R"("params":{"doc":)";
    if (change->kind == ChangeKind::Delete) {
        (*target)->text->append_nulls(work.body);
    } else {
        const std::vector<const DocumentChange*> changes{change};
        const bool whole = change->kind == ChangeKind::Whole;
        (*target)->text->append_fields(work.body, changes, whole);
    }
    work.body += "}}}\n";
    Result<void> done = co_await write_found(&work);
    if (!done) {
        const config::EsMapping& task = *change->plan->task;
        co_return done.error().in(task.task + ": " + task.pk + " " + change->id);
    }
    co_return done;
}

Awaitable<Result<void>> EsWriter::truncate(const DocumentTarget* target) {
    FoundWork work;
    work.target = target;
    work.query = R"({"match_all":{}})";
    work.action = BulkAction::Delete;
    Result<void> done = co_await write_found(&work);
    if (!done) co_return done.error().in(target->plan->task->task + ": TRUNCATE");
    co_return done;
}

Awaitable<Result<void>> EsWriter::write_found(const FoundWork* work) {
    const size_t size = std::clamp(kPageBytes / (work->body.size() + 256), size_t{1}, kPage);
    const std::string index = url_encoded(work->target->index);
    const bool has_types = client_->server().has_types();
    std::string first = R"({"size":)" + std::to_string(size) + R"(,"version":true,)";
    if (!has_types) first += R"("seq_no_primary_term":true,)";
    first += R"("_source":false,"sort":["_doc"],"query":)" + work->query + "}";
    for (int tries = 0; tries < kTries; ++tries) {
        // What was written just now can't be found before.
        Result<void> refreshed = co_await client_->refresh(work->target->index);
        // Without an index there are no documents.
        if (!refreshed && refreshed.error().code == Errc::NotFound) co_return Result<void>();
        if (!refreshed) co_return refreshed;
        bool all = true;
        std::string path = "/" + index + "/_search?scroll=1m";
        std::string body = first;
        std::string scroll_id;
        for (;;) {
            const Result<json::value> reply = co_await client_->ask("POST", path, body);
            if (!reply) co_return reply.error();
            const Result<FoundPage> page = read_page(*reply, has_types);
            if (!page) co_return page.error();
            scroll_id = page->scroll_id;
            const Result<bool> written = co_await write_page(work, &*page);
            if (!written) co_return written.error();
            all = all && *written;
            if (page->documents.size() < size) break;
            path = "/_search/scroll";
            body = R"({"scroll":"1m","scroll_id":)";
            core::append_json_string(body, scroll_id);
            body += "}";
        }
        body = R"({"scroll_id":[)";
        core::append_json_string(body, scroll_id);
        body += "]}";
        // Without it the node would hold the search open for its minute.
        const Result<json::value> closed = co_await client_->ask("DELETE", "/_search/scroll", body);
        if (!closed) {
            log_.warn(
                "a search is left to end by itself",
                {{"index", index}, {"cause", closed.error().detail}}
            );
        }
        if (all) co_return Result<void>();
    }
    co_return Error{
        Errc::Refused, Retry::Backoff, "somebody else keeps writing to the documents that are found"
    };
}

// False: some of them are others by now, and have to be found again.
Awaitable<Result<bool>> EsWriter::write_page(const FoundWork* work, const FoundPage* page) {
    if (page->documents.empty()) co_return true;
    std::string body;
    for (const FoundDocument& document : page->documents) {
        ActionLine line;
        line.action = work->action;
        line.index = document.index;
        line.type = document.type;
        line.id = document.id;
        line.routing = document.routing;
        line.before = document.state;
        append_action(body, line);
        body += work->body;
    }
    const Result<HttpReply> reply = co_await client_->bulk(body);
    if (!reply) co_return reply.error();
    if (reply->status / 100 != 2) co_return reply_error(*reply, "POST /_bulk");
    const Result<std::vector<BulkItem>> items =
        read_bulk_reply(reply->body, page->documents.size());
    if (!items) co_return items.error();
    bool all = true;
    for (size_t i = 0; i < items->size(); ++i) {
        const BulkItem& item = (*items)[i];
        const ItemOutcome outcome = outcome_of(item);
        if (outcome == ItemOutcome::Done) ++counts_.documents;
        if (outcome == ItemOutcome::Stale) {
            ++counts_.stale;
            all = false;
        }
        const bool fine = outcome == ItemOutcome::Done || outcome == ItemOutcome::Stale ||
                          outcome == ItemOutcome::Missing;
        if (fine) continue;
        const std::string cause = "_id " + page->documents[i].id + " in " +
                                  page->documents[i].index + ": " + std::to_string(item.status) +
                                  ": " + item.type + ": " + item.reason;
        if (outcome != ItemOutcome::Refused || work->change == nullptr || !parks(*work->change)) {
            co_return Error{Errc::Refused, Retry::Backoff, cause};
        }
        Result<void> parked = co_await park(work->change, cause);
        if (!parked) co_return parked.error();
        co_return all;
    }
    co_return all;
}

}  // namespace obcanal::adapter::es
