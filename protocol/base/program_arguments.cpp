#include "protocol/base/program_arguments.h"

#include <CLI/CLI.hpp>

namespace obcanal {

void add_program_arguments(
    CLI::App& app, const std::string& program, const std::string& files, ProgramArguments& to
) {
    app.add_option("--conf", to.conf_dir, "directory of " + files)
        ->default_str("../conf beside the program, else /etc/obcanal");
    app.add_flag(
        "--check", to.check, "validate the whole configuration, print every finding, exit"
    );
    app.add_flag(
        "--print-config",
        to.print_config,
        "print every value with its origin, secrets masked, and exit"
    );
    app.add_option("-D", to.defines, "key=value: overrides files and environment")
        ->allow_extra_args(false);
    app.add_option("--log-file", to.log_file, "write the log there instead of to standard error");
    app.set_version_flag("--version", program + " " OBCANAL_VERSION);
    app.footer(
        "Exit status: 0 stopped by a signal, 1 failed while running, 2 wrong arguments or "
        "configuration."
    );
}

}  // namespace obcanal
