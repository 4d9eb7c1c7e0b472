// obcanal logproxy: the verbs that speak oblogproxy's protocol.
#include "server/cli/verbs.h"

#include <CLI/CLI.hpp>

namespace obcanal::cli {

void add_logproxy(CLI::App& app, Run& chosen) {
    CLI::App* command = app.add_subcommand("logproxy", "replay and record OceanBase's log");
    command->require_subcommand(1);
    add_logproxy_serve(*command, chosen);
    add_logproxy_record(*command, chosen);
}

}  // namespace obcanal::cli
