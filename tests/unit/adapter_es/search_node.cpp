#include "search_node.h"

#include "protocol/base/text.h"
#include "protocol/net/asio.h"

#include <boost/asio/use_future.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include <future>

namespace obcanal::adapter::es {

namespace json = boost::json;

SearchNode::SearchNode(Runtime& runtime, std::string fields)
    : runtime_(runtime), fields_(std::move(fields)) {
    HttpServer::Options options;
    options.host = "127.0.0.1";
    options.answer_time = std::chrono::minutes(5);
    Result<std::unique_ptr<HttpServer>> opened = HttpServer::open(runtime_, std::move(options));
    if (!opened) {
        ADD_FAILURE() << opened.error().detail;
        return;
    }
    server_ = std::move(opened).value();
    for (const char* method : {"GET", "POST"}) {
        server_->route(method, "/", [this](HttpRequest request) {
            return answer(std::move(request));
        });
    }
    server_->start();
}

SearchNode::~SearchNode() {
    asio::co_spawn(
        server_->strand(), server_->close(std::chrono::milliseconds(0)), asio::use_future
    )
        .get();
}

std::string SearchNode::host() const { return "127.0.0.1:" + std::to_string(server_->port()); }

void SearchNode::hold(std::string part) {
    const std::lock_guard lock(mutex_);
    held_part_ = std::move(part);
    passes_ = false;
}

void SearchNode::let_through(bool refused) {
    const std::lock_guard lock(mutex_);
    passes_ = true;
    refused_ = refused;
    changed_.notify_all();
}

bool SearchNode::is_held() {
    const std::lock_guard lock(mutex_);
    return held_;
}

std::string SearchNode::document(const std::string& id) {
    const std::lock_guard lock(mutex_);
    const auto found = documents_.find(id);
    if (found == documents_.end() || !found->second.found) return {};
    return json::serialize(found->second.fields);
}

std::vector<std::string> SearchNode::bulks() {
    const std::lock_guard lock(mutex_);
    return bulks_;
}

Awaitable<HttpResponse> SearchNode::answer(HttpRequest request) {
    HttpResponse response;
    if (request.path == "/_bulk") {
        const std::string& body = request.body;
        if (is_to_be_held(body)) {
            const std::function<void()> wait = [this] { wait_to_pass(); };
            co_await gate_.run(wait);
        }
        response.body = execute_all(body);
    } else if (request.path == "/_mget") {
        response.body = states(request.body);
    } else if (request.path == "/") {
        response.body = R"({"version":{"number":"8.14.1"}})";
    } else if (request.path == "/i/_mapping") {
        response.body = R"({"i":{"mappings":{"properties":)" + fields_ + "}}}";
    } else {
        response.status = 404;
        response.body = R"({"error":"no such request"})";
    }
    response.content_type = "application/json";
    co_return response;
}

bool SearchNode::is_to_be_held(const std::string& body) {
    const std::lock_guard lock(mutex_);
    if (held_part_.empty() || body.find(held_part_) == std::string::npos) return false;
    held_part_.clear();
    held_ = true;
    changed_.notify_all();
    return true;
}

void SearchNode::wait_to_pass() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return passes_; });
    held_ = false;
    refuses_ = refused_;
}

std::string SearchNode::execute_all(const std::string& body) {
    const std::lock_guard lock(mutex_);
    const bool refused = std::exchange(refuses_, false);
    const std::vector<std::string_view> lines = split(body, '\n');
    json::array items;
    std::string ids;
    for (size_t i = 0; i < lines.size() && !lines[i].empty(); ++i) {
        const json::object action = json::parse(lines[i]).get_object();
        const auto& [name, place] = *action.begin();
        const json::value source = name == "delete" ? json::value() : json::parse(lines[++i]);
        ids += ids.empty() ? (refused ? "!" : "") : " ";
        ids += std::string_view(place.at("_id").get_string());
        json::object result{{"status", 403}, {"error", {{"type", "security_exception"}}}};
        if (!refused) result = execute(action, source);
        items.push_back(json::object{{name, std::move(result)}});
    }
    bulks_.push_back(std::move(ids));
    changed_.notify_all();
    return json::serialize(json::object{{"items", std::move(items)}});
}

json::object SearchNode::execute(const json::object& action, const json::value& source) {
    const auto& [name, place] = *action.begin();
    Document& known = documents_[std::string(std::string_view(place.at("_id").get_string()))];
    const auto stale = [&known] {
        const std::string reason = "current version [" + std::to_string(known.version) + "]";
        return json::object{
            {"status", 409},
            {"error", {{"type", "version_conflict_engine_exception"}, {"reason", reason}}}
        };
    };
    if (name == "index" || name == "delete") {
        const auto version = place.at("version").to_number<uint64_t>();
        if (version < known.version) return stale();
        known.version = version;
        known.found = name == "index";
        known.fields = known.found ? source.get_object() : json::object();
    } else if (name == "create") {
        if (known.found) return stale();
        known.found = true;
        ++known.version;
        known.fields = source.get_object();
    } else {
        if (!known.found) {
            return {{"status", 404}, {"error", {{"type", "document_missing_exception"}}}};
        }
        if (place.at("if_seq_no").to_number<int64_t>() != known.seq_no) return stale();
        ++known.version;
        for (const auto& [field, value] : source.at("doc").get_object()) {
            known.fields[field] = value;
        }
    }
    known.seq_no = next_seq_no_++;
    return {{"status", 200}};
}

std::string SearchNode::states(const std::string& body) {
    const std::lock_guard lock(mutex_);
    json::array docs;
    const json::value asked = json::parse(body);
    for (const json::value& place : asked.at("docs").get_array()) {
        const std::string id(std::string_view(place.at("_id").get_string()));
        const Document& known = documents_[id];
        docs.push_back(json::object{
            {"_id", id},
            {"found", known.found},
            {"_version", known.version},
            {"_seq_no", known.seq_no},
            {"_primary_term", 1}
        });
    }
    return json::serialize(json::object{{"docs", std::move(docs)}});
}

}  // namespace obcanal::adapter::es
