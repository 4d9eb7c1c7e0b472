// Arguments that several verbs share, with checks whose messages say what was expected.
#pragma once

#include "server/cli/consumer.h"

#include <string>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace obcanal::cli {

// HOST:PORT into `to`; a usage error otherwise.
CLI::Option* add_endpoint(
    CLI::App& command, const std::string& name, Endpoint& to, const std::string& description
);

// Seconds, fractions allowed.
CLI::Option* add_seconds(
    CLI::App& command,
    const std::string& name,
    std::optional<std::chrono::milliseconds>& to,
    const std::string& description
);

// What a Canal client needs to be told.
void add_consumer_options(CLI::App& command, ConsumerOptions& options);

}  // namespace obcanal::cli
