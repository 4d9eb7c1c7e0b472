// The arguments that obcanal-server and obcanal-adapter have in common, and the exit statuses of
// all programs. One thread.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace obcanal {

inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;

struct ProgramArguments {
    std::string conf_dir;  // empty: default_conf_dir()
    std::string log_file;  // empty: standard error
    bool check = false;
    bool print_config = false;
    std::vector<std::string> defines;  // "key=value", as given
};

// `files`: what the directory of --conf holds. `to` must outlive the parsing.
void add_program_arguments(
    CLI::App& app, const std::string& program, const std::string& files, ProgramArguments& to
);

}  // namespace obcanal
