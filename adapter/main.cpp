// obcanal-adapter: reads the configuration, opens the REST port, starts the pipelines, and stops
// in reverse order. Further verbs work on the dead letters.
#include "adapter/config/load.h"
#include "adapter/core/dead_letter_tool.h"
#include "adapter/core/log_writer.h"
#include "adapter/core/rest.h"
#include "adapter/core/service.h"
#include "adapter/es/es_writer.h"
#include "adapter/rdb/rdb_writer.h"
#include "protocol/base/log.h"
#include "protocol/base/program_arguments.h"
#include "protocol/base/service_manager.h"
#include "protocol/net/asio.h"
#include "protocol/net/log_hangup.h"
#include "protocol/net/run_on.h"
#include "protocol/net/runtime.h"

#include <CLI/CLI.hpp>
#include <unistd.h>

#include <chrono>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace obcanal::adapter {
namespace {

constexpr std::chrono::milliseconds kRestGrace{500};
// What has not ended by then holds nothing that is not durable: it was not acknowledged.
constexpr std::chrono::milliseconds kStopGrace{4'000};

// The one place where a kind of target is added.
const core::WriterTable& writers() {
    static const core::WriterTable table{
        {"es", es::make_es_writer},
        {"es6", es::make_es_writer},
        {"es7", es::make_es_writer},
        {"es8", es::make_es_writer},
        {"logger", core::make_log_writer},
        {"rdb", rdb::make_rdb_writer},
    };
    return table;
}

class Adapter {
 public:
    Adapter(
        config::LoadedAdapter loaded, std::vector<std::string> defines, const std::string& log_file
    )
        : config_(loaded.config),
          service_(std::move(loaded), std::move(defines), writers(), work_) {
        if (!log_file.empty()) hangup_.emplace(signals_.executor());
    }

    int run() {
        front_.start();
        work_.start();
        asio::co_spawn(front_.make_strand(), main(), [this](std::exception_ptr failure) {
            if (failure) std::rethrow_exception(failure);
            signals_.stop();
        });
        signals_.run();
        front_.join();
        work_.join();
        flush_log();
        return exit_code_;
    }

 private:
    Awaitable<void> main() {
        const Executor control = service_.strand();
        const Result<void> started = co_await run_on(control, start());
        Result<std::unique_ptr<core::Rest>> rest = started ? open_rest() : started.error();
        if (!rest) {
            log_.error("can't start", {{"cause", rest.error().detail}});
            exit_code_ = kExitFailed;
        } else {
            (*rest)->start();
            log_.info(
                "ready",
                {{"rest_port", (*rest)->port()},
                 {"destinations", service_.generation()->pipelines.size()},
                 {"pid", ::getpid()}}
            );
            notify_service_manager("READY=1");
            const Executor signals = signals_.executor();
            const int signal = co_await run_on(signals, stop_signal_.wait());
            log_.info("stopping", {{"signal", signal}});
            notify_service_manager("STOPPING=1");
        }
        asio::co_spawn(signals_.executor(), end_late(), asio::detached);
        co_await run_on(control, service_.stop());
        if (rest) co_await run_on((*rest)->strand(), (*rest)->close(kRestGrace));
        log_.info("stopped");
    }

    Awaitable<Result<void>> start() { co_return service_.start(); }

    Result<std::unique_ptr<core::Rest>> open_rest() {
        return core::Rest::open(config_, service_, front_);
    }

    // A target that does not let go must not hold up the end.
    Awaitable<void> end_late() {
        asio::steady_timer timer(signals_.executor(), kStopGrace);
        const auto [code] = co_await timer.async_wait(kNoThrow);
        if (code) co_return;
        log_.warn("a target does not end in time; what it has in hand was not acknowledged");
        flush_log();
        ::_exit(exit_code_);
    }

    Logger log_{"adapter"};
    const config::AdapterConfig config_;
    Runtime front_{1};
    Runtime work_{2};
    Runtime signals_{1};
    StopSignal stop_signal_{signals_.executor()};
    std::optional<LogHangup> hangup_;
    core::Service service_;
    int exit_code_ = 0;
};

struct Arguments : ProgramArguments {
    core::DeadLetterRequest letters;
    bool on_letters = false;
};

void add_verb(
    CLI::App& letters,
    const char* name,
    const char* what,
    core::DeadLetterRequest::Verb verb,
    Arguments& to
) {
    CLI::App* const command = letters.add_subcommand(name, what);
    command->add_option("--destination", to.letters.destination, "whose letters");
    if (verb == core::DeadLetterRequest::Verb::List) {
        command->add_flag("--json", to.letters.json, "every field, one JSON object a line");
    } else {
        command->add_option("ID", to.letters.ids, "numbers of letters");
        command->add_flag("--all", to.letters.all, "all of them, instead of numbers");
    }
    command->callback([&to, verb] {
        to.letters.verb = verb;
        to.on_letters = true;
    });
}

int run(int argc, char** argv) {
    CLI::App app{"obcanal-adapter: applies the changes that a Canal server sends to other stores"};
    Arguments arguments;
    add_program_arguments(
        app, "obcanal-adapter", "application.yml and the mapping files", arguments
    );
    app.fallthrough();
    CLI::App* const letters =
        app.add_subcommand("dead-letters", "changes that a target refused and that were parked");
    letters->require_subcommand(1);
    using Verb = core::DeadLetterRequest::Verb;
    add_verb(*letters, "list", "print them", Verb::List, arguments);
    add_verb(*letters, "retry", "have them written again", Verb::Retry, arguments);
    add_verb(*letters, "drop", "forget them", Verb::Drop, arguments);
    try {
        app.parse(argc, argv);
        if (arguments.on_letters && arguments.letters.verb != Verb::List &&
            arguments.letters.ids.empty() != arguments.letters.all)
            throw CLI::RequiredError("either ID or --all");
    } catch (const CLI::ParseError& error) {
        const int status = app.exit(error);
        return status == 0 ? 0 : kExitUsage;
    }
    if (arguments.conf_dir.empty()) arguments.conf_dir = default_conf_dir(config::kAdapterFile);

    config::LoadedAdapter loaded =
        config::load(arguments.conf_dir, arguments.defines, config::process_environment());
    core::check_writers(loaded, writers());
    if (arguments.on_letters) {
        if (!loaded.valid()) {
            report(loaded.findings, std::cerr);
            return kExitUsage;
        }
        const Result<void> done =
            core::run_dead_letters(loaded.config, arguments.letters, std::cout);
        if (!done) std::cerr << "obcanal-adapter: " << done.error().detail << '\n';
        return done ? 0 : kExitFailed;
    }
    const bool valid = report(loaded.findings, std::cerr);
    if (arguments.print_config) print_config(loaded.values, std::cout);
    if (arguments.check && valid) std::cout << arguments.conf_dir << ": no errors\n";
    if (arguments.check || arguments.print_config || !valid) return valid ? 0 : kExitUsage;

    if (!open_log({arguments.log_file})) {
        std::cerr << arguments.log_file << ": can't be opened for writing\n";
        return kExitUsage;
    }
    raise_descriptor_limit();
    return Adapter(std::move(loaded), std::move(arguments.defines), arguments.log_file).run();
}

}  // namespace
}  // namespace obcanal::adapter

int main(int argc, char** argv) { return obcanal::adapter::run(argc, argv); }
