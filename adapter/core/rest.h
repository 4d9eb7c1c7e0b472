// The adapter's port 8081: the reference's REST (client-adapter, 4.1), metrics and health. Who is
// not on this machine needs the token, except for metrics and health. Owned by main; handlers run
// on the strands of their connections.
#pragma once

#include "adapter/core/service.h"
#include "protocol/net/http_server.h"

#include <memory>
#include <string>
#include <vector>

namespace obcanal::adapter::core {

class Rest {
 public:
    // `service` and `runtime` outlive it.
    static Result<std::unique_ptr<Rest>> open(
        const config::AdapterConfig& config, Service& service, Runtime& runtime
    );

    void start();
    uint16_t port() const { return server_->port(); }
    Executor strand() const { return server_->strand(); }
    Awaitable<void> close(std::chrono::milliseconds grace);

 private:
    Rest(std::unique_ptr<HttpServer> server, Service& service, std::string token);

    using Parts = std::vector<std::string>;  // of the path, behind the route's own
    using Answer = Awaitable<HttpResponse> (Rest::*)(HttpRequest, Parts);

    void open_metrics(const config::AdapterConfig& config, Runtime& runtime);
    void route(const char* method, const char* path, Answer answer);
    Awaitable<HttpResponse> guarded(HttpRequest request, std::string path, Answer answer);
    bool allowed(const HttpRequest& request) const;
    static std::optional<std::string> parameter(const HttpRequest& request, std::string_view name);

    Awaitable<HttpResponse> destinations(HttpRequest request, Parts parts);
    Awaitable<HttpResponse> switch_state(HttpRequest request, Parts parts);
    Awaitable<HttpResponse> set_switch(HttpRequest request, Parts parts);
    Awaitable<HttpResponse> full_load(HttpRequest request, Parts parts);
    Awaitable<HttpResponse> load_progress(HttpRequest request, Parts parts);
    Awaitable<HttpResponse> count(HttpRequest request, Parts parts);
    Awaitable<HttpResponse> metrics(HttpRequest request);
    Awaitable<HttpResponse> health(HttpRequest request);
    // The pipeline of the task; null: none has it.
    static Awaitable<std::shared_ptr<Pipeline>> find(
        std::shared_ptr<const Generation> generation,
        std::string type,
        std::string key,
        std::string task
    );

    std::unique_ptr<HttpServer> server_;
    std::unique_ptr<HttpServer> metrics_;  // the reference's port of them; null: none
    Service& service_;
    const std::string token_;
};

// Parameter `name` of "a=1&b=x%20y", decoded.
std::optional<std::string> form_value(std::string_view body, std::string_view name);

}  // namespace obcanal::adapter::core
