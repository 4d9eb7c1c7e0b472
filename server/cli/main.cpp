// obcanal: the operator's tool. Each verb has its file; see verbs.h.
#include "server/cli/verbs.h"

#include <CLI/CLI.hpp>

#include <exception>
#include <iostream>

namespace obcanal::cli {
namespace {

int run(int argc, char** argv) {
    CLI::App app{"obcanal: looks into Canal servers, and records and replays OceanBase's log"};
    app.set_version_flag("--version", "obcanal " OBCANAL_VERSION);
    app.require_subcommand(1);
    app.footer("Exit status: 0 done or stopped by a signal, 1 failed, 2 wrong arguments.");
    Run chosen;
    add_tail(app, chosen);
    add_drain(app, chosen);
    add_filter(app, chosen);
    add_check(app, chosen);
    add_status(app, chosen);
    add_logproxy(app, chosen);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const int status = app.exit(error);
        return status == 0 ? kExitDone : kExitUsage;
    }
    return chosen();
}

}  // namespace
}  // namespace obcanal::cli

int main(int argc, char** argv) {
    try {
        return obcanal::cli::run(argc, argv);
    } catch (const std::exception& failure) {  // out of memory, or a library's own
        std::cerr << "obcanal: " << failure.what() << '\n';
        return obcanal::kExitFailed;
    }
}
