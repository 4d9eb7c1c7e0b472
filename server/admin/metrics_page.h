// The metrics port: /metrics for Prometheus (and any other path, as the reference has it), /healthz
// and /readyz for whoever restarts processes, /status for people on this machine or with the admin
// password.
#pragma once

#include "protocol/net/http_server.h"
#include "server/access/audit_log.h"
#include "server/access/authenticator.h"
#include "server/access/login_limiter.h"
#include "server/admin/metrics_text.h"
#include "server/admin/status_report.h"
#include "server/config/server_config.h"

#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace obcanal::admin {

class MetricsPage {
 public:
    // `report` and `front` outlive the page. `ports`: use of the other ports; any thread.
    static Result<std::unique_ptr<MetricsPage>> open(
        const config::ServerConfig& config,
        StatusReport& report,
        std::function<std::vector<PortUse>()> ports,
        Runtime& front
    );

    uint16_t port() const { return server_->port(); }
    Executor strand() const { return server_->strand(); }

    void start() { server_->start(); }

    // -- strand()
    Awaitable<void> close(std::chrono::milliseconds grace) { return server_->close(grace); }

 private:
    MetricsPage(
        std::unique_ptr<HttpServer> server,
        StatusReport& report,
        std::function<std::vector<PortUse>()> ports,
        access::Authenticator auth,
        int64_t login_failures
    );

    Awaitable<HttpResponse> metrics(HttpRequest request);
    Awaitable<HttpResponse> health(HttpRequest request);
    Awaitable<HttpResponse> readiness(HttpRequest request);
    Awaitable<HttpResponse> status(HttpRequest request);
    bool is_from_here(const HttpRequest& request) const;
    // Nothing for the user of the admin port with its password.
    Awaitable<std::optional<HttpResponse>> refusal(HttpRequest request);

    std::unique_ptr<HttpServer> server_;
    StatusReport& report_;
    std::function<std::vector<PortUse>()> ports_;
    access::Authenticator auth_;
    access::LoginLimiter limiter_;
    access::AuditLog audit_{"metrics"};
};

}  // namespace obcanal::admin
