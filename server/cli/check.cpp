// obcanal check: reads a configuration directory as the server would, says what each destination
// is, and reaches for its source.
#include "protocol/base/durable_file.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/net/asio.h"
#include "protocol/net/task_group.h"
#include "server/cli/arguments.h"
#include "server/cli/foreground.h"
#include "server/cli/output.h"
#include "server/cli/verbs.h"
#include "server/config/load.h"
#include "server/meta/file_meta_store.h"
#include "server/source/preflight.h"

#include <CLI/CLI.hpp>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace obcanal::cli {
namespace {

using source::Preflight;

// So many sources are asked at once.
constexpr size_t kAtOnce = 16;

struct CheckOptions {
    std::string conf_dir;
    std::vector<std::string> destinations;  // empty: all
    std::vector<std::string> defines;
    std::optional<std::chrono::milliseconds> wait = std::chrono::seconds(5);
    bool offline = false;
};

std::string port_text(uint16_t port, const std::string& ip, const config::TlsConfig& tls) {
    if (port == 0) return "none";
    std::string text = (ip.empty() ? std::string("*") : ip) + ":" + std::to_string(port);
    return text + (tls.enabled() ? " with TLS" : "");
}

std::string server_text(const config::ServerConfig& server) {
    std::string text = "clients " + port_text(server.port, server.bind_ip, server.client_tls);
    if (server.passwd.empty() && server.users.empty()) text += " without a password";
    text += ", admin " + port_text(server.admin_port, server.admin_bind_ip, server.admin_tls);
    text +=
        ", metrics " + port_text(server.metrics_port, server.metrics_bind_ip, server.metrics_tls);
    if (server.auto_scan)
        text += ", looks at " + server.conf_dir + " every " +
                std::to_string(server.auto_scan_interval_s) + " s";
    return text;
}

std::string destination_text(const config::InstanceConfig& config) {
    std::string text = source::describe_source(config) + ", tables " + config.filter_regex;
    if (!config.filter_black_regex.empty()) text += " without " + config.filter_black_regex;
    if (config.meta == config::MetaKind::Memory) {
        text += ", cursors in memory";
    } else {
        text += ", cursors in " + config.file_data_dir + "/" + config.destination + "/meta.dat";
    }
    return text + (config.lazy ? ", starts with its first client" : "");
}

std::string lines_of(const Preflight& found) {
    std::string text;
    for (const Preflight::Line& line : found.lines) {
        const bool fact = line.kind == Preflight::Kind::Fact;
        const bool problem = line.kind == Preflight::Kind::Problem;
        text += std::string("  ") + (fact ? "ok       " : problem ? "problem  " : "warning  ");
        text += printable(line.text, 2'000) + "\n";
        if (!line.remedy.empty()) text += "           -> " + line.remedy + "\n";
    }
    return text;
}

// Where the destination would go on, as meta.dat says; a server at work may be ahead of it. A file
// that cannot be read is the server's to complain of.
std::optional<canal::LogPosition> saved_cursor(const config::InstanceConfig& config) {
    if (config.meta != config::MetaKind::File) return std::nullopt;
    const std::string path = config.file_data_dir + "/" + config.destination + "/meta.dat";
    const auto text = read_file(path, meta::FileMetaStore::kMaxFileBytes);
    if (!text || !*text) return std::nullopt;
    const auto document = meta::parse_meta_document(**text, config.destination);
    if (!document) return std::nullopt;
    const canal::LogPosition* earliest = meta::earliest_cursor(document->table);
    if (earliest == nullptr) return std::nullopt;
    return *earliest;
}

// What is asked of all sources, and what they answered. One strand.
struct Questions {
    std::vector<config::InstanceConfig> configs;
    std::vector<Preflight> answers;
    size_t next = 0;
    std::chrono::milliseconds wait{};
};

Awaitable<void> ask(Questions& all) {
    while (all.next < all.configs.size()) {
        const size_t mine = all.next++;
        std::optional<canal::LogPosition> saved = saved_cursor(all.configs[mine]);
        Preflight answer =
            co_await source::preflight(all.configs[mine], std::move(saved), all.wait);
        all.answers[mine] = std::move(answer);
    }
}

Awaitable<int> ask_all(Questions& all, Output& output) {
    const Executor strand = co_await asio::this_coro::executor;
    TaskGroup asking(strand);
    for (size_t i = 0; i < std::min(kAtOnce, all.configs.size()); ++i)
        asking.spawn(strand, ask(all));
    co_await asking.wait_for_all();
    int status = kExitDone;
    std::string text;
    for (size_t i = 0; i < all.configs.size(); ++i) {
        text += all.configs[i].destination + ": " + destination_text(all.configs[i]) + "\n";
        text += lines_of(all.answers[i]);
        if (!all.answers[i].good()) status = kExitFailed;
    }
    const Result<void> written = output.write(text);
    co_return written || written.error().code == Errc::Closed ? status : kExitFailed;
}

// Only those that were named; false when one of them is not configured.
bool choose(const CheckOptions& options, config::LoadedConfig& loaded) {
    if (options.destinations.empty()) return true;
    const auto wanted = [&options](const std::string& name) {
        const auto& names = options.destinations;
        return std::find(names.begin(), names.end(), name) != names.end();
    };
    for (const std::string& name : options.destinations) {
        const auto is_it = [&name](const auto& one) { return one.destination == name; };
        if (std::any_of(loaded.instances.begin(), loaded.instances.end(), is_it)) continue;
        if (std::any_of(loaded.refused.begin(), loaded.refused.end(), is_it)) continue;
        std::cerr << "obcanal check: " << printable(name) << ": no such destination in "
                  << options.conf_dir << '\n';
        return false;
    }
    std::erase_if(loaded.instances, [&](const auto& one) { return !wanted(one.destination); });
    std::erase_if(loaded.refused, [&](const auto& one) { return !wanted(one.destination); });
    std::erase_if(loaded.findings, [&](const Finding& finding) {
        return !finding.scope.empty() && !wanted(finding.scope);
    });
    return true;
}

int check(CheckOptions options) {
    // What goes wrong is in the report already.
    open_log({"", 0, 0, LogLevel::Error});
    if (options.conf_dir.empty()) options.conf_dir = default_conf_dir(config::kServerFile);
    config::LoadedConfig loaded = config::load(options.conf_dir, options.defines);
    if (!choose(options, loaded)) return kExitUsage;
    const bool valid = report(loaded.findings, std::cerr);
    Foreground foreground;
    Output output(STDOUT_FILENO, [&foreground] { return foreground.stopping(); });
    std::string text = options.conf_dir + ": " + server_text(loaded.server) + "\n";
    for (const config::RefusedInstance& one : loaded.refused)
        text += one.destination + ": does not start: " + one.reason + "\n";
    Questions all;
    all.configs = std::move(loaded.instances);
    all.answers.resize(all.configs.size());
    all.wait = *options.wait;
    if (options.offline) {
        for (const config::InstanceConfig& config : all.configs)
            text += config.destination + ": " + destination_text(config) + "\n";
        all.configs.clear();
    }
    if (const Result<void> written = output.write(text); !written) return kExitFailed;
    Awaitable<int> asking = ask_all(all, output);
    const int status =
        foreground.run(std::move(asking), [&foreground] { foreground.quit(kExitFailed); });
    return valid ? status : kExitUsage;
}

}  // namespace

void add_check(CLI::App& app, Run& chosen) {
    CLI::App* command = app.add_subcommand(
        "check",
        "read a configuration as the server would, say what is wrong with it, and reach for the "
        "source of each destination"
    );
    const auto options = std::make_shared<CheckOptions>();
    command->add_option("DESTINATION", options->destinations, "only these; without one, all");
    command
        ->add_option(
            "--conf",
            options->conf_dir,
            "directory of canal.properties and {destination}/instance.properties"
        )
        ->default_str("../conf beside the program, else /etc/obcanal");
    command->add_option("-D", options->defines, "key=value: overrides files and environment")
        ->allow_extra_args(false);
    command->add_flag("--offline", options->offline, "the files only; asks no source");
    add_seconds(
        *command, "--wait", options->wait, "for the first record of a source; 5 if not given"
    );
    command->footer(
        "A source is asked as the instance would, under a client id of its own; nothing is "
        "acknowledged or written.\n"
        "Exit status: 0 all good (there may be warnings), 1 a source has a problem, 2 wrong "
        "arguments or configuration."
    );
    command->callback([options, &chosen] { chosen = [options] { return check(*options); }; });
}

}  // namespace obcanal::cli
