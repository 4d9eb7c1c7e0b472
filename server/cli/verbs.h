// The verbs of `obcanal`, one file each. add_*() declares a verb's arguments; when it is the one on
// the command line, parsing leaves what to do in `chosen`, whose value is the exit status.
#pragma once

#include "protocol/base/program_arguments.h"

#include <functional>

namespace CLI {
class App;
}

namespace obcanal::cli {

inline constexpr int kExitDone = 0;

using Run = std::function<int()>;

void add_tail(CLI::App& app, Run& chosen);
void add_drain(CLI::App& app, Run& chosen);
void add_filter(CLI::App& app, Run& chosen);
void add_check(CLI::App& app, Run& chosen);
// With start, stop and restart.
void add_status(CLI::App& app, Run& chosen);
void add_logproxy(CLI::App& app, Run& chosen);
void add_logproxy_serve(CLI::App& logproxy, Run& chosen);
void add_logproxy_record(CLI::App& logproxy, Run& chosen);

}  // namespace obcanal::cli
