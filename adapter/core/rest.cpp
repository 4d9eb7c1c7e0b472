#include "adapter/core/rest.h"

#include "adapter/core/adapter_metrics.h"
#include "protocol/base/json.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/net/asio.h"
#include "protocol/net/run_on.h"

#include <boost/json/array.hpp>

#include <chrono>

namespace obcanal::adapter::core {

using namespace std::chrono_literals;

namespace {

constexpr int kDone = 20'000;  // the reference's own codes, in bodies
constexpr int kFailed = 50'000;
constexpr int kForbidden = 403;
constexpr int kNotFound = 404;
constexpr int kUnavailable = 503;

HttpResponse json(const boost::json::value& value, int status = 200) {
    HttpResponse response;
    response.status = status;
    response.content_type = "application/json";
    response.body = to_json_text(value);
    return response;
}

HttpResponse failed(std::string message, int status = 200) {
    return json({{"succeeded", false}, {"errorMessage", std::move(message)}}, status);
}

HttpResponse coded(int code, std::string message) {
    return json({{"code", code}, {"message", std::move(message)}});
}

// Takes as long whatever differs.
bool same_secret(std::string_view a, std::string_view b) {
    unsigned difference = a.size() == b.size() ? 0 : 1;
    for (size_t i = 0; i < a.size(); ++i) {
        const char other = b.empty() ? '\0' : b[i % b.size()];
        difference |=
            static_cast<unsigned>(static_cast<uint8_t>(a[i]) ^ static_cast<uint8_t>(other));
    }
    return difference == 0;
}

std::string decoded(std::string_view text) {
    std::string plain;
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+') {
            plain.push_back(' ');
        } else if (text[i] == '%' && i + 2 < text.size() && from_hex(text.substr(i + 1, 2))) {
            plain += *from_hex(text.substr(i + 1, 2));
            i += 2;
        } else {
            plain.push_back(text[i]);
        }
    }
    return plain;
}

// {type}/{key}/{task} or {type}/{task}.
struct TaskPath {
    std::string type;
    std::string key;
    std::string task;
};

std::optional<TaskPath> task_path(const std::vector<std::string>& parts) {
    if (parts.size() == 2) return TaskPath{parts[0], {}, parts[1]};
    if (parts.size() == 3) return TaskPath{parts[0], parts[1], parts[2]};
    return std::nullopt;
}

}  // namespace

std::optional<std::string> form_value(std::string_view body, std::string_view name) {
    for (const std::string_view pair : split(body, '&')) {
        const size_t mark = pair.find('=');
        if (decoded(pair.substr(0, mark)) != name) continue;
        return mark == std::string_view::npos ? std::string() : decoded(pair.substr(mark + 1));
    }
    return std::nullopt;
}

Rest::Rest(std::unique_ptr<HttpServer> server, Service& service, std::string token)
    : server_(std::move(server)), service_(service), token_(std::move(token)) {
    route("GET", "/destinations", &Rest::destinations);
    route("GET", "/syncSwitch/", &Rest::switch_state);
    route("PUT", "/syncSwitch/", &Rest::set_switch);
    route("POST", "/etl/", &Rest::full_load);
    route("GET", "/etl", &Rest::load_progress);
    route("GET", "/count/", &Rest::count);
    const auto open = [this](const char* path, auto page) {
        server_->route("GET", path, [this, page](HttpRequest request) {
            return (this->*page)(std::move(request));
        });
    };
    open("/metrics", &Rest::metrics);
    open("/healthz", &Rest::health);
}

Result<std::unique_ptr<Rest>> Rest::open(
    const config::AdapterConfig& config, Service& service, Runtime& runtime
) {
    HttpServer::Options options;
    options.host = config.rest_host;
    options.port = config.rest_port;
    // The reference answers a full load when it is done.
    options.answer_time = std::chrono::hours(24);
    Result<std::unique_ptr<HttpServer>> server = HttpServer::open(runtime, std::move(options));
    if (!server) return std::move(server).error();
    std::unique_ptr<Rest> rest(new Rest(std::move(server).value(), service, config.rest_token));
    if (config.metrics_port != 0) rest->open_metrics(config, runtime);
    return rest;
}

// Another adapter on this machine may have the port; the page is on the REST port as well.
void Rest::open_metrics(const config::AdapterConfig& config, Runtime& runtime) {
    HttpServer::Options options;
    options.host = config.rest_host;
    options.port = config.metrics_port;
    Result<std::unique_ptr<HttpServer>> server = HttpServer::open(runtime, std::move(options));
    if (!server) {
        Logger("adapter").warn(
            "metrics are on the REST port only", {{"cause", server.error().detail}}
        );
        return;
    }
    metrics_ = std::move(server).value();
    metrics_->route("GET", "/metrics", [this](HttpRequest request) {
        return metrics(std::move(request));
    });
}

void Rest::start() {
    server_->start();
    if (metrics_) metrics_->start();
}

Awaitable<void> Rest::close(std::chrono::milliseconds grace) {
    if (metrics_) {
        const Executor strand = metrics_->strand();
        co_await run_on(strand, metrics_->close(grace));
    }
    co_await server_->close(grace);
}

void Rest::route(const char* method, const char* path, Answer answer) {
    const std::string own = path;
    server_->route(method, path, [this, own, answer](HttpRequest request) {
        return guarded(std::move(request), own, answer);
    });
}

bool Rest::allowed(const HttpRequest& request) const {
    // A page in a browser on this machine is not this machine's user.
    const bool local = request.peer_is_loopback && request.header_value("origin").empty();
    if (local) return true;
    if (token_.empty()) return false;
    std::string_view given = request.header_value("authorization");
    constexpr std::string_view kBearer = "Bearer ";
    if (!given.starts_with(kBearer)) return false;
    given.remove_prefix(kBearer.size());
    return same_secret(given, token_);
}

Awaitable<HttpResponse> Rest::guarded(HttpRequest request, std::string path, Answer answer) {
    if (!allowed(request)) {
        const char* const why =
            token_.empty() ? "only from this machine, unless canal.adapter.rest.token is configured"
                           : "send Authorization: Bearer with the configured token";
        co_return json({{"code", kFailed}, {"message", why}}, kForbidden);
    }
    Parts parts;
    std::string_view rest = request.path;
    rest.remove_prefix(std::min(rest.size(), path.size()));
    for (const std::string_view part : split(rest, '/')) {
        if (!part.empty()) parts.emplace_back(part);
    }
    co_return co_await (this->*answer)(std::move(request), std::move(parts));
}

Awaitable<HttpResponse> Rest::destinations(HttpRequest /*request*/, Parts /*parts*/) {
    boost::json::array all;
    const std::shared_ptr<const Generation> generation = service_.generation();
    for (const std::shared_ptr<Pipeline>& pipeline : generation->pipelines) {
        const bool on = service_.sync_switch().is_on(pipeline->name());
        all.push_back(
            boost::json::object{{"destination", pipeline->name()}, {"status", on ? "on" : "off"}}
        );
    }
    co_return json(all);
}

Awaitable<HttpResponse> Rest::switch_state(HttpRequest /*request*/, Parts parts) {
    const bool on = parts.size() == 1 && service_.sync_switch().is_on(parts[0]);
    co_return json({{"status", on ? "on" : "off"}});
}

Awaitable<HttpResponse> Rest::set_switch(HttpRequest /*request*/, Parts parts) {
    const bool word = parts.size() == 2 && (parts[1] == "on" || parts[1] == "off");
    if (!word) co_return coded(kFailed, "the state must be on or off");
    Result<void> set;
    SyncSwitch& sync_switch = service_.sync_switch();
    const std::function<void()> write = [&set, &sync_switch, &parts] {
        set = sync_switch.set(parts[0], parts[1] == "on");
    };
    co_await service_.lane().run(write);
    if (!set) co_return coded(kFailed, set.error().detail);
    if (!sync_switch.knows(parts[0])) {
        co_return coded(kDone, "no destination " + parts[0] + " runs here");
    }
    co_return coded(kDone, "destination " + parts[0] + " is " + parts[1]);
}

Awaitable<std::shared_ptr<Pipeline>> Rest::find(
    std::shared_ptr<const Generation> generation,
    std::string type,
    std::string key,
    std::string task
) {
    for (const std::shared_ptr<Pipeline>& pipeline : generation->pipelines) {
        const bool has = co_await run_on(pipeline->strand(), pipeline->has_task(type, key, task));
        if (has) co_return pipeline;
    }
    co_return nullptr;
}

// A parameter of the query or of a form.
std::optional<std::string> Rest::parameter(const HttpRequest& request, std::string_view name) {
    std::optional<std::string> value = request.query_value(name);
    return value ? value : form_value(request.body, name);
}

Awaitable<HttpResponse> Rest::full_load(HttpRequest request, Parts parts) {
    const std::optional<TaskPath> path = task_path(parts);
    if (!path) co_return failed("POST /etl/{type}/{key}/{task}", kNotFound);
    FullLoadRequest load;
    load.task = path->task;
    const std::optional<std::string> params = parameter(request, "params");
    if (params) {
        for (const std::string_view one : split(trim(*params), ';')) load.params.emplace_back(one);
    }
    load.truncate = parameter(request, "truncate") == "true";
    load.rebuild = parameter(request, "rebuild") == "true";
    load.restart = parameter(request, "restart") == "true";

    const std::shared_ptr<const Generation> generation = service_.generation();
    std::shared_ptr<Pipeline> pipeline =
        co_await find(generation, path->type, path->key, path->task);
    std::vector<FullLoadRequest> loads;
    if (pipeline) {
        loads.push_back(load);
    } else {
        // All mappings of a destination.
        pipeline = generation->find(path->task);
        if (pipeline) {
            const std::vector<std::string> tasks =
                co_await run_on(pipeline->strand(), pipeline->tasks(path->type, path->key));
            for (const std::string& task : tasks) {
                loads.push_back(load);
                loads.back().task = task;
            }
        }
    }
    if (loads.empty())
        co_return failed("no mapping " + path->task + " of an adapter " + path->type);
    Result<FullLoadOutcome> outcome = co_await run_on(
        pipeline->strand(), pipeline->full_loads(path->type, path->key, std::move(loads))
    );
    if (!outcome) co_return failed(outcome.error().detail);
    co_return json({{"succeeded", true}, {"resultMessage", outcome->message}});
}

Awaitable<HttpResponse> Rest::load_progress(HttpRequest /*request*/, Parts /*parts*/) {
    boost::json::array all;
    const std::shared_ptr<const Generation> generation = service_.generation();
    for (const std::shared_ptr<Pipeline>& pipeline : generation->pipelines) {
        for (const auto& [key, figures] : pipeline->load_figures()) {
            boost::json::object one{{"destination", pipeline->name()}, {"adapter", key}};
            const Result<boost::json::value> progress = parse_json(figures.text());
            if (progress) one["progress"] = *progress;
            all.push_back(std::move(one));
        }
    }
    co_return json(all);
}

Awaitable<HttpResponse> Rest::count(HttpRequest /*request*/, Parts parts) {
    const std::optional<TaskPath> path = task_path(parts);
    if (!path) co_return failed("GET /count/{type}/{key}/{task}", kNotFound);
    const std::shared_ptr<const Generation> generation = service_.generation();
    const std::shared_ptr<Pipeline> pipeline =
        co_await find(generation, path->type, path->key, path->task);
    if (!pipeline) co_return failed("no mapping " + path->task + " of an adapter " + path->type);
    Result<TaskCount> counted =
        co_await run_on(pipeline->strand(), pipeline->count(path->type, path->key, path->task));
    if (!counted) co_return failed(counted.error().detail);
    boost::json::object answer{{"count", counted->count}};
    if (!counted->label_key.empty()) answer[counted->label_key] = counted->label;
    co_return json(answer);
}

Awaitable<HttpResponse> Rest::metrics(HttpRequest /*request*/) {
    HttpResponse response;
    response.content_type = MetricsText::kContentType;
    response.body = metrics_page(*service_.generation(), service_.sync_switch());
    co_return response;
}

// 503 when a destination that is on stands still; why is for this machine and holders of the token.
Awaitable<HttpResponse> Rest::health(HttpRequest request) {
    HttpResponse response;
    const bool trusted = allowed(request);
    const std::shared_ptr<const Generation> generation = service_.generation();
    for (const std::shared_ptr<Pipeline>& pipeline : generation->pipelines) {
        if (!service_.sync_switch().is_on(pipeline->name())) continue;
        const PipelineStats& stats = pipeline->stats();
        if ((stats.connected || stats.standby) && !stats.failing) continue;
        response.status = kUnavailable;
        response.body += pipeline->name() + ": " +
                         (stats.failing ? "a target does not take its batch" : "not connected");
        if (trusted) response.body += ": " + stats.error();
        response.body += "\n";
    }
    if (response.body.empty()) response.body = "ok\n";
    co_return response;
}

}  // namespace obcanal::adapter::core
