// obcanal-server: reads the configuration, opens the ports, starts the service, and stops in
// reverse order.
#include "protocol/base/log.h"
#include "protocol/base/program_arguments.h"
#include "protocol/base/service_manager.h"
#include "protocol/net/log_hangup.h"
#include "protocol/net/run_on.h"
#include "protocol/net/runtime.h"
#include "server/admin/admin_port.h"
#include "server/admin/metrics_page.h"
#include "server/config/load.h"
#include "server/service.h"

#include <CLI/CLI.hpp>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace obcanal {
namespace {

constexpr std::chrono::milliseconds kPageGrace{500};

class Server {
 public:
    Server(
        ConfigPlace place,
        config::LoadedConfig loaded,
        ha::ZookeeperPlace ensemble,
        std::string log_file
    )
        : config_(loaded.server),
          log_file_(std::move(log_file)),
          service_(
              config_, std::move(place), std::move(loaded), std::move(ensemble), front_, feed_
          ),
          report_(service_) {
        if (!log_file_.empty()) hangup_.emplace(signals_.executor());
    }

    int run() {
        front_.start();
        feed_.start();
        asio::co_spawn(front_.make_strand(), main(), [this](std::exception_ptr failure) {
            if (failure) std::rethrow_exception(failure);
            signals_.stop();
        });
        signals_.run();
        // The thread that ended us may still be on its way out of signals_.stop().
        front_.join();
        feed_.join();
        flush_log();
        return exit_code_;
    }

 private:
    Awaitable<void> main() {
        const bool open = open_admin_port();
        if (open) open_metrics_page();
        const Executor control = service_.strand();
        Result<bool> started = false;
        if (open) started = co_await run_on(control, service_.start());
        if (!started) log_.error("can't open the client port", {{"cause", started.error().detail}});
        if (open && started) {
            log_.info(
                "ready",
                {{"port", service_.client_port()},
                 {"admin_port", admin_ ? admin_->port() : 0},
                 {"metrics_port", metrics_ ? metrics_->port() : 0},
                 {"destinations", service_.instances()->names().size()},
                 {"pid", ::getpid()}}
            );
            notify_service_manager("READY=1");
            const Executor signals = signals_.executor();
            const int signal = co_await run_on(signals, stop_signal_.wait());
            log_.info("stopping", {{"signal", signal}});
            notify_service_manager("STOPPING=1");
        } else {
            exit_code_ = kExitFailed;
        }
        co_await run_on(control, service_.stop());
        if (admin_) co_await run_on(admin_->strand(), admin_->close());
        if (metrics_) co_await run_on(metrics_->strand(), metrics_->close(kPageGrace));
        log_.info("stopped");
    }

    bool open_admin_port() {
        if (config_.admin_port == 0) return true;
        admin::LogFiles logs(log_file_, canal_log_dir());
        Result<std::unique_ptr<admin::AdminPort>> opened =
            admin::AdminPort::open(config_, std::move(logs), service_, report_, front_);
        if (!opened) {
            log_.error("can't open the admin port", {{"cause", opened.error().detail}});
            return false;
        }
        admin_ = std::move(opened).value();
        admin_->start();
        return true;
    }

    // As the reference: a server whose metrics port is taken serves all the same.
    void open_metrics_page() {
        if (config_.metrics_port == 0) return;
        const auto ports = [this] { return port_use(); };
        Result<std::unique_ptr<admin::MetricsPage>> opened =
            admin::MetricsPage::open(config_, report_, ports, front_);
        if (!opened) {
            log_.warn("can't open the metrics port", {{"cause", opened.error().detail}});
            return;
        }
        metrics_ = std::move(opened).value();
        metrics_->start();
    }

    std::vector<admin::PortUse> port_use() const {
        rlimit limit{};
        ::getrlimit(RLIMIT_NOFILE, &limit);
        std::vector<admin::PortUse> ports{
            {"client", service_.client_connections(), static_cast<size_t>(limit.rlim_cur)}
        };
        if (admin_)
            ports.push_back({"admin", admin_->connections(), admin::AdminPort::kMaxConnections});
        return ports;
    }

    // Canal's layout: logs/canal/canal.log of the server, logs/{destination} beside it.
    std::string canal_log_dir() const {
        const std::filesystem::path own = std::filesystem::path(log_file_).parent_path();
        return own.filename() == "canal" ? own.parent_path().string() : std::string();
    }

    Logger log_{"server"};
    config::ServerConfig config_;
    std::string log_file_;
    Runtime front_{1};
    Runtime feed_{1};
    Runtime signals_{1};
    StopSignal stop_signal_{signals_.executor()};
    std::optional<LogHangup> hangup_;
    Service service_;
    admin::StatusReport report_;
    std::unique_ptr<admin::AdminPort> admin_;
    std::unique_ptr<admin::MetricsPage> metrics_;
    int exit_code_ = 0;
};

// Before any thread.
ha::ZookeeperPlace guarded_ensemble(const config::ServerConfig& config) {
    ha::ZookeeperPlace ensemble = ensemble_of(config);
    if (!config.in_cluster || !config.zk_guard) return ensemble;
    Result<std::shared_ptr<ha::SessionGuard>> guard = ha::SessionGuard::start(ensemble);
    if (guard) {
        ensemble.guard = std::move(guard).value();
    } else {
        Logger("server").warn(
            "no guard of the session with ZooKeeper; if this server is killed, others wait until "
            "it expires",
            {{"cause", guard.error().detail}}
        );
    }
    return ensemble;
}

int run(int argc, char** argv) {
    CLI::App app{"obcanal-server: serves the incremental log of OceanBase to Canal clients"};
    ProgramArguments arguments;
    add_program_arguments(
        app, "obcanal-server", "canal.properties and {destination}/instance.properties", arguments
    );
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const int status = app.exit(error);
        return status == 0 ? 0 : kExitUsage;
    }
    std::string& conf_dir = arguments.conf_dir;
    if (conf_dir.empty()) conf_dir = default_conf_dir(config::kServerFile);

    config::LoadedConfig loaded = config::load(conf_dir, arguments.defines);
    const bool valid = report(loaded.findings, std::cerr);
    if (arguments.print_config) print_config(loaded.values, std::cout);
    if (arguments.check && valid) std::cout << conf_dir << ": no errors\n";
    if (arguments.check || arguments.print_config) return valid ? 0 : kExitUsage;
    // A destination with a bad file keeps none of the others from being served.
    if (!config::can_start(loaded)) return kExitUsage;

    if (!open_log({arguments.log_file})) {
        std::cerr << arguments.log_file << ": can't be opened for writing\n";
        return kExitUsage;
    }
    raise_descriptor_limit();
    ha::ZookeeperPlace ensemble = guarded_ensemble(loaded.server);
    ConfigPlace place{std::move(conf_dir), std::move(arguments.defines)};
    Server server(std::move(place), std::move(loaded), std::move(ensemble), arguments.log_file);
    return server.run();
}

}  // namespace
}  // namespace obcanal

int main(int argc, char** argv) { return obcanal::run(argc, argv); }
