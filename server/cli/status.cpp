// obcanal status, start, stop, restart: a server through its admin port.
#include "protocol/client/admin_client.h"
#include "protocol/net/asio.h"
#include "server/cli/arguments.h"
#include "server/cli/cluster_status.h"
#include "server/cli/foreground.h"
#include "server/cli/output.h"
#include "server/cli/status_table.h"
#include "server/cli/verbs.h"

#include <CLI/CLI.hpp>
#include <unistd.h>

#include <iostream>
#include <memory>
#include <string>
#include <utility>

namespace obcanal::cli {
namespace {

struct AdminOptions {
    client::AdminClientOptions client;
    std::string ca_file;
    std::string destination;
    std::string action;  // "status", or what the admin port is asked to do
    bool json = false;
};

int failed(const AdminOptions& options, const Error& error) {
    std::cerr << "obcanal " << options.action << ": " << error.detail << '\n';
    return kExitFailed;
}

Awaitable<Result<std::string>> ask(AdminOptions options) {
    Result<std::unique_ptr<client::AdminClient>> opened =
        co_await client::AdminClient::open(options.client);
    if (!opened) co_return std::move(opened).error();
    Result<std::string> answer = std::string();
    if (options.destination.empty()) {
        answer = co_await (*opened)->server(options.action);
    } else {
        answer = co_await (*opened)->instance(options.destination, options.action);
    }
    co_return answer;
}

Awaitable<int> run_command(AdminOptions options, Output& output) {
    Result<std::string> answer = co_await ask(options);
    if (!answer) co_return failed(options, answer.error());
    if (options.action != "status") {
        if (*answer == "1") co_return kExitDone;
        const std::string what = options.destination.empty() ? "the server" : options.destination;
        const Error refused{
            Errc::Refused,
            Retry::Never,
            what +
                ": not done: it is in that state already, unknown, or failed; see the server's log"
        };
        co_return failed(options, refused);
    }
    Result<std::string> text = *answer + "\n";
    if (!options.json) text = status_table(*answer);
    if (!text) co_return failed(options, text.error());
    const Result<void> written = output.write(*text);
    if (!written && written.error().code != Errc::Closed)
        co_return failed(options, written.error());
    co_return kExitDone;
}

int run(AdminOptions options) {
    Foreground foreground;
    Output output(STDOUT_FILENO, [&foreground] { return foreground.stopping(); });
    if (!options.ca_file.empty()) {
        options.client.tls = TlsClientOptions{};
        options.client.tls->ca_file = options.ca_file;
    }
    Awaitable<int> command = run_command(std::move(options), output);
    return foreground.run(std::move(command), [&foreground] { foreground.quit(kExitDone); });
}

void add_admin_options(CLI::App& command, AdminOptions& options) {
    constexpr uint16_t kAdminPort = 11110;
    options.client.server = Endpoint{"127.0.0.1", kAdminPort};
    options.client.user = "admin";
    add_endpoint(command, "--server", options.client.server, "the admin port of a server");
    command.add_option("--user", options.client.user, "user of the admin port")
        ->capture_default_str();
    command.add_option("--password", options.client.password, "its password, plain")
        ->envname("OBCANAL_ADMIN_PASSWORD");
    command.add_option("--tls-ca", options.ca_file, "speak TLS; the server's CA, a PEM file")
        ->type_name("FILE")
        ->check(CLI::ExistingFile);
}

void add_change(CLI::App& app, Run& chosen, const std::string& action, const std::string& what) {
    CLI::App* command = app.add_subcommand(action, what);
    const auto options = std::make_shared<AdminOptions>();
    options->action = action;
    add_admin_options(*command, *options);
    command->add_option(
        "DESTINATION", options->destination, "only this destination; without it all that is served"
    );
    command->callback([options, &chosen] { chosen = [options] { return run(*options); }; });
}

}  // namespace

void add_status(CLI::App& app, Run& chosen) {
    CLI::App* command = app.add_subcommand(
        "status", "what a server is doing: destinations, positions, delay, ring use, clients"
    );
    const auto options = std::make_shared<AdminOptions>();
    options->action = "status";
    add_admin_options(*command, *options);
    command->add_flag("--json", options->json, "everything, as one line of JSON");
    const auto cluster = std::make_shared<ClusterOptions>();
    CLI::Option* zookeeper = command->add_option(
        "--zookeeper",
        cluster->servers,
        "host:port,host:port[/chroot]: the whole cluster, as ZooKeeper knows it, instead of a "
        "server"
    );
    command
        ->add_option(
            "--zookeeper-digest", cluster->digest, "user:password, as canal.zookeeper.digest"
        )
        ->envname("OBCANAL_ZOOKEEPER_DIGEST");
    command
        ->add_flag(
            "--rebalance",
            cluster->rebalance,
            "asks servers that lead more than their share to hand destinations over, consumed ones "
            "too"
        )
        ->needs(zookeeper);
    command->callback([options, cluster, &chosen] {
        cluster->json = options->json;
        chosen = [options, cluster] {
            return cluster->servers.empty() ? run(*options) : run_cluster_status(*cluster);
        };
    });
    add_change(app, chosen, "start", "start a destination, or serving as a whole");
    add_change(app, chosen, "stop", "stop a destination, or serving as a whole; the process stays");
    add_change(app, chosen, "restart", "stop and start a destination, or serving as a whole");
}

}  // namespace obcanal::cli
