#include "server/admin/metrics_page.h"

#include "protocol/base/clock.h"
#include "protocol/base/gzip.h"
#include "protocol/base/text.h"
#include "protocol/net/asio.h"

#include <algorithm>
#include <utility>

namespace obcanal::admin {
namespace {

HttpResponse answer(int status, std::string text) {
    HttpResponse response;
    response.status = status;
    response.body = std::move(text);
    return response;
}

// A browser that was lured to a name of an attacker which leads here says so in Host.
bool names_an_address(std::string_view host) {
    const size_t colon = host.rfind(':');
    const bool port = colon != std::string_view::npos && parse_uint(host.substr(colon + 1));
    const std::string_view name = port ? host.substr(0, colon) : host;
    const bool digits = name.find_first_not_of("0123456789.") == std::string_view::npos;
    return name.empty() || digits || name == "localhost" || name.starts_with('[');
}

// "gzip, deflate;q=0.5"; a weight of 0 is a no.
bool takes_gzip(const HttpRequest& request) {
    for (const std::string_view item : split(request.header_value("accept-encoding"), ',')) {
        const size_t semicolon = item.find(';');
        if (!equals_ignore_case(trim(item.substr(0, semicolon)), "gzip")) continue;
        if (semicolon == std::string_view::npos) return true;
        const std::string_view weight = trim(item.substr(semicolon + 1));
        return weight.find_first_not_of("qQ=0. ") != std::string_view::npos;
    }
    return false;
}

}  // namespace

MetricsPage::MetricsPage(
    std::unique_ptr<HttpServer> server,
    StatusReport& report,
    std::function<std::vector<PortUse>()> ports,
    access::Authenticator auth,
    int64_t login_failures
)
    : server_(std::move(server)),
      report_(report),
      ports_(std::move(ports)),
      auth_(std::move(auth)),
      limiter_(login_failures) {
    const auto get = [this](const char* path, auto page) {
        server_->route("GET", path, [this, page](HttpRequest request) {
            return (this->*page)(std::move(request));
        });
    };
    get("/", &MetricsPage::metrics);
    get("/healthz", &MetricsPage::health);
    get("/readyz", &MetricsPage::readiness);
    get("/status", &MetricsPage::status);
}

Result<std::unique_ptr<MetricsPage>> MetricsPage::open(
    const config::ServerConfig& config,
    StatusReport& report,
    std::function<std::vector<PortUse>()> ports,
    Runtime& front
) {
    Result<access::Authenticator> auth =
        access::Authenticator::make(config.admin_user, config.admin_passwd);
    if (!auth) return std::move(auth).error();
    HttpServer::Options options;
    options.host = config.metrics_bind_ip;
    options.port = config.metrics_port;
    if (config.metrics_tls.enabled()) {
        options.tls = TlsServerOptions{
            config.metrics_tls.cert_file,
            config.metrics_tls.key_file,
            config.metrics_tls.client_ca_file
        };
    }
    Result<std::unique_ptr<HttpServer>> server = HttpServer::open(front, std::move(options));
    if (!server) return std::move(server).error();
    return std::unique_ptr<MetricsPage>(new MetricsPage(
        std::move(server).value(),
        report,
        std::move(ports),
        std::move(auth).value(),
        config.login_failures_per_minute
    ));
}

Awaitable<HttpResponse> MetricsPage::metrics(HttpRequest request) {
    const ServerFacts facts = co_await report_.facts();
    const int64_t now_ms = wall_ms();
    std::vector<PortUse> ports = ports_();
    ports.push_back({"metrics", server_->connections(), HttpServer::Options{}.connections});
    MetricsText text;
    add_canal_metrics(text, facts.destinations, now_ms);
    add_own_metrics(text, facts, ports, now_ms);
    add_process_metrics(text);
    std::vector<std::string> only;
    for (const auto& [name, value] : request.query) {
        if (name == "name[]") only.push_back(value);
    }
    HttpResponse response;
    response.content_type = MetricsText::kContentType;
    response.body = text.text(only);
    if (takes_gzip(request)) {
        response.body = gzip(response.body);
        response.header.emplace_back("Content-Encoding", "gzip");
    }
    response.header.emplace_back("Vary", "Accept-Encoding");
    co_return response;
}

Awaitable<HttpResponse> MetricsPage::health(HttpRequest) { co_return answer(200, "ok\n"); }

// Ready: it serves, and not all that it should read has failed.
Awaitable<HttpResponse> MetricsPage::readiness(HttpRequest) {
    const ServerFacts facts = co_await report_.facts();
    if (!facts.serving) co_return answer(503, "stopped by the admin port\n");
    std::string failed;
    size_t count = 0;
    for (const instance::InstanceStatus& one : facts.destinations) {
        if (one.phase != instance::Phase::Failed) continue;
        failed += "failed: " + one.destination + "\n";
        ++count;
    }
    const bool none_left = count > 0 && count == facts.destinations.size();
    co_return answer(none_left ? 503 : 200, (none_left ? "" : "ready\n") + failed);
}

// A proxy on this machine that passes on requests of others says for whom.
bool MetricsPage::is_from_here(const HttpRequest& request) const {
    const bool passed_on = !request.header_value("x-forwarded-for").empty() ||
                           !request.header_value("forwarded").empty() ||
                           !request.header_value("x-real-ip").empty();
    return request.peer_is_loopback && !passed_on && names_an_address(request.header_value("host"));
}

Awaitable<std::optional<HttpResponse>> MetricsPage::refusal(HttpRequest request) {
    HttpResponse refused = answer(
        401, "the status is for this machine, or for the user of the admin port and its password\n"
    );
    refused.header.emplace_back("WWW-Authenticate", "Basic realm=\"obcanal\", charset=\"UTF-8\"");
    const auto credentials = basic_credentials(request);
    if (!credentials || !auth_.asks_for_password()) co_return refused;
    const auto wait = limiter_.reserve(request.peer_address, steady_now());
    if (!wait) {
        audit_.login_refused(request.peer, credentials->first, "too many failures");
        co_return answer(429, "too many failed logins from this address, try again later\n");
    }
    if (wait->count() > 0) {
        const Executor here = co_await asio::this_coro::executor;
        asio::steady_timer pause(here, *wait);
        co_await pause.async_wait(kNoThrow);
    }
    const access::Authenticator::Answer in =
        auth_.check_plain(credentials->first, credentials->second);
    if (in.verdict != access::Authenticator::Verdict::Accepted) {
        audit_.login_refused(request.peer, credentials->first, "wrong user or password");
        co_return refused;
    }
    limiter_.accepted(request.peer_address, steady_now());
    co_return std::nullopt;
}

Awaitable<HttpResponse> MetricsPage::status(HttpRequest request) {
    if (!is_from_here(request)) {
        std::optional<HttpResponse> refused = co_await refusal(std::move(request));
        if (refused) co_return std::move(*refused);
    }
    HttpResponse response;
    response.content_type = "application/json";
    response.header.emplace_back("Cache-Control", "no-store");
    response.body = co_await report_.json();
    co_return response;
}

}  // namespace obcanal::admin
