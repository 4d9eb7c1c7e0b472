#include "server/cli/arguments.h"

#include <CLI/CLI.hpp>

#include <cmath>

namespace obcanal::cli {

CLI::Option* add_endpoint(
    CLI::App& command, const std::string& name, Endpoint& to, const std::string& description
) {
    const auto set = [&to](const std::string& text) {
        const std::optional<Endpoint> endpoint = parse_endpoint(text);
        if (!endpoint) throw CLI::ValidationError("'" + text + "' is not HOST:PORT");
        to = *endpoint;
    };
    return command.add_option_function<std::string>(name, set, description)
        ->type_name("HOST:PORT")
        ->default_str(to.text());
}

CLI::Option* add_seconds(
    CLI::App& command,
    const std::string& name,
    std::optional<std::chrono::milliseconds>& to,
    const std::string& description
) {
    constexpr double kMost = 1e9;
    const auto set = [&to](double seconds) {
        to = std::chrono::milliseconds(std::llround(seconds * 1000));
    };
    return command.add_option_function<double>(name, set, description)
        ->type_name("SECONDS")
        ->check(CLI::Range(0.0, kMost));
}

void add_consumer_options(CLI::App& command, ConsumerOptions& options) {
    add_endpoint(command, "--server", options.client.server, "the Canal server");
    command.add_option("--destination", options.client.destination, "the destination to read")
        ->capture_default_str();
    command
        .add_option(
            "--client-id",
            options.client.client_id.value,
            "the client whose cursor is read from and moved"
        )
        ->capture_default_str();
    command.add_option("--user", options.client.user, "user name, when the server wants one");
    command.add_option("--password", options.client.password, "its password, plain");
    command.add_option(
        "--filter",
        options.filter,
        "tables as a Canal filter expression, e.g. shop\\..*; replaces the destination's"
    );
    command.add_option("--batch", options.batch, "size of one get, as Canal counts it")
        ->capture_default_str()
        ->check(CLI::Range(1, 1'000'000));
    command.add_option("--count", options.rows, "end after so many rows")
        ->type_name("ROWS")
        ->check(CLI::PositiveNumber);
    add_seconds(command, "--idle-exit", options.idle_exit, "end when nothing has come for so long");
    command.add_flag(
        "--no-ack", options.no_ack, "leave the cursor where it is: the rows come again"
    );
    add_seconds(
        command,
        "--wait",
        options.wait,
        "keep trying for so long when the server can't be reached or the connection breaks"
    );
}

}  // namespace obcanal::cli
