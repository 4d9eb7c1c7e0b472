// obcanal-server: reads the configuration, starts the destinations, opens the client port, and
// stops in reverse order.
#include "protocol/base/log.h"
#include "protocol/net/run_on.h"
#include "protocol/net/runtime.h"
#include "server/config/load.h"
#include "server/instance/instance_set.h"
#include "server/session/listener.h"

#include <CLI/CLI.hpp>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace obcanal {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr std::chrono::milliseconds kSessionGrace{2000};

// Tells systemd, when it started us, that we are ready (sd_notify's protocol).
void notify_service_manager(std::string_view state) {
    const char* path = std::getenv("NOTIFY_SOCKET");
    if (path == nullptr || *path == '\0') return;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const size_t length = std::strlen(path);
    if (length >= sizeof address.sun_path) return;
    std::memcpy(address.sun_path, path, length);
    if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
    const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
    ::sendto(
        fd,
        state.data(),
        state.size(),
        MSG_NOSIGNAL,
        reinterpret_cast<const sockaddr*>(&address),
        size
    );
    ::close(fd);
}

// Every connection is a descriptor: use what the system allows us.
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

std::filesystem::path default_conf_dir() {
    std::error_code ignored;
    const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", ignored);
    const std::filesystem::path beside = program.parent_path().parent_path() / "conf";
    if (std::filesystem::exists(beside / "canal.properties", ignored)) return beside;
    return "/etc/obcanal";
}

class Server {
 public:
    explicit Server(config::LoadedConfig loaded)
        : config_(std::move(loaded.server)), destinations_(std::move(loaded.instances)) {}

    int run() {
        front_.start();
        feed_.start();
        asio::co_spawn(front_.make_strand(), main(), [this](std::exception_ptr failure) {
            if (failure) std::rethrow_exception(failure);
            signals_.stop();
        });
        signals_.run();
        front_.stop();
        feed_.stop();
        flush_log();
        return exit_code_;
    }

 private:
    Awaitable<void> main() {
        const size_t configured = destinations_.size();
        instances_ = std::make_unique<instance::InstanceSet>(front_, feed_);
        // The port before the destinations: a server that can't serve must not touch the source.
        Result<std::unique_ptr<session::ClientPort>> port =
            session::ClientPort::open(config_, *instances_, front_);
        if (!port) {
            log_.error("can't open the client port", {{"cause", port.error().detail}});
            exit_code_ = kExitFailed;
            co_return;
        }
        co_await run_on(instances_->control(), instances_->start(std::move(destinations_)));
        session::ClientPort& clients = **port;
        asio::co_spawn(clients.strand(), clients.run(), asio::detached);
        log_.info(
            "ready", {{"port", clients.port()}, {"destinations", configured}, {"pid", ::getpid()}}
        );
        notify_service_manager("READY=1");

        const Executor signals = signals_.executor();
        const int signal = co_await run_on(signals, wait_for_stop_signal());
        log_.info("stopping", {{"signal", signal}});
        notify_service_manager("STOPPING=1");
        co_await run_on(clients.strand(), clients.close(kSessionGrace));
        co_await run_on(instances_->control(), instances_->stop());
        log_.info("stopped");
    }

    Logger log_{"server"};
    config::ServerConfig config_;
    std::vector<config::InstanceConfig> destinations_;
    Runtime front_{1};
    Runtime feed_{1};
    Runtime signals_{1};
    std::unique_ptr<instance::InstanceSet> instances_;
    int exit_code_ = 0;
};

int run(int argc, char** argv) {
    CLI::App app{"obcanal-server: serves the incremental log of OceanBase to Canal clients"};
    std::string conf_dir;
    std::string log_file;
    bool check = false;
    bool print_config = false;
    std::vector<std::string> defines;
    app.add_option(
           "--conf", conf_dir, "directory of canal.properties and {destination}/instance.properties"
    )
        ->default_str("../conf beside the program, else /etc/obcanal");
    app.add_flag("--check", check, "validate the whole configuration, print every finding, exit");
    app.add_flag(
        "--print-config",
        print_config,
        "print every value with its origin, secrets masked, and exit"
    );
    app.add_option("-D", defines, "key=value: overrides files and environment")
        ->allow_extra_args(false);
    app.add_option("--log-file", log_file, "write the log there instead of to standard error");
    app.set_version_flag("--version", "obcanal-server " OBCANAL_VERSION);
    app.footer(
        "Exit status: 0 stopped by a signal, 1 failed while running, 2 wrong arguments or "
        "configuration."
    );
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const int status = app.exit(error);
        return status == 0 ? 0 : kExitUsage;
    }
    if (conf_dir.empty()) conf_dir = default_conf_dir().string();

    config::LoadedConfig loaded = config::load(conf_dir, defines);
    const bool valid = config::report(loaded.findings, std::cerr);
    if (print_config) config::print_config(loaded, std::cout);
    if (check && valid) std::cout << conf_dir << ": no errors\n";
    if (!valid) return kExitUsage;
    if (check || print_config) return 0;

    if (!open_log({log_file})) {
        std::cerr << log_file << ": can't be opened for writing\n";
        return kExitUsage;
    }
    raise_descriptor_limit();
    return Server(std::move(loaded)).run();
}

}  // namespace
}  // namespace obcanal

int main(int argc, char** argv) { return obcanal::run(argc, argv); }
