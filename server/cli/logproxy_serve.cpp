// obcanal logproxy serve: an oblogproxy that replays recordings.
#include "protocol/base/log.h"
#include "protocol/net/asio.h"
#include "protocol/net/task_group.h"
#include "server/cli/arguments.h"
#include "server/cli/foreground.h"
#include "server/cli/replay_session.h"
#include "server/cli/verbs.h"

#include <CLI/CLI.hpp>

#include <iostream>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace obcanal::cli {
namespace {

struct ServeOptions {
    std::vector<std::string> input;
    Endpoint listen{"127.0.0.1", 2983};
    double rate = 0;
    ReplayExtent extent;
    std::string compression = "lz4";
    std::optional<uint16_t> version;
    int64_t heartbeat_ms = 1000;
    size_t packet_records = 200;
    size_t cache_mb = 1024;

    std::vector<size_t> cut_at;  // of the first, second, ... connection
    StreamFaults faults;
    std::string error_before;
    std::string error_after;
    bool status = false;
};

class LogProxy {
 public:
    LogProxy(
        Listener listener,
        ReplayService service,
        ReplayLog& log,
        const ServeOptions& options,
        Executor strand
    )
        : listener_(std::move(listener)),
          service_(std::move(service)),
          log_(log),
          options_(options),
          strand_(std::move(strand)),
          sessions_(strand_),
          next_look_(strand_) {}

    Awaitable<int> run() {
        service_.logger.info(
            "ready", {{"port", listener_.port()}, {"records", service_.log.records_per_lap()}}
        );
        if (log_.follows()) sessions_.spawn(strand_, follow());
        while (!stopping_) {
            Result<Stream> stream = co_await listener_.accept();
            if (stopping_) break;
            if (stream) {
                start(std::move(stream).value());
                continue;
            }
            service_.logger.warn("can't accept", {{"cause", stream.error().detail}});
            asio::steady_timer pause(strand_, kAcceptPause);
            co_await pause.async_wait(kNoThrow);
        }
        co_await sessions_.wait_for_all();
        co_return kExitDone;
    }

    void stop() {
        stopping_ = true;
        listener_.close();
        next_look_.end();
        for_each_session([](ReplaySession& session) { session.close(); });
    }

 private:
    static constexpr std::chrono::milliseconds kAcceptPause{100};
    // Looked at, not notified of: so that the file may lie on any file system.
    static constexpr std::chrono::milliseconds kLookPeriod{20};

    template <class Use>
    void for_each_session(Use use) {
        for (const std::weak_ptr<ReplaySession>& entry : open_) {
            if (const std::shared_ptr<ReplaySession> session = entry.lock()) use(*session);
        }
    }

    Awaitable<void> follow() {
        while (!stopping_) {
            const Result<bool> grown = log_.grow();
            if (!grown) {
                service_.logger.error(
                    "the recording is no longer followed", {{"cause", grown.error().detail}}
                );
                co_return;
            }
            if (*grown) for_each_session([](ReplaySession& session) { session.log_grew(); });
            co_await next_look_.wait_until(steady_now() + kLookPeriod);
        }
    }

    void start(Stream stream) {
        StreamFaults faults = options_.faults;
        if (accepted_ < options_.cut_at.size()) faults.cut_at = options_.cut_at[accepted_];
        ++accepted_;
        const Executor where = stream.executor();
        auto session = std::make_shared<ReplaySession>(std::move(stream), faults, service_);
        std::erase_if(open_, [](const auto& entry) { return entry.expired(); });
        open_.push_back(session);
        sessions_.spawn(where, session->run());
    }

    Listener listener_;
    ReplayService service_;
    ReplayLog& log_;
    const ServeOptions& options_;
    Executor strand_;
    TaskGroup sessions_;
    Pause next_look_;
    std::list<std::weak_ptr<ReplaySession>> open_;
    size_t accepted_ = 0;
    bool stopping_ = false;
};

int serve(const ServeOptions& options) {
    open_log({});
    const Logger logger("logproxy");
    std::vector<std::string> remarks;
    Result<ReplayLog> log = ReplayLog::load(options.input, options.extent, remarks);
    for (const std::string& remark : remarks) logger.warn(remark);
    if (!log) {
        std::cerr << "obcanal logproxy serve: " << log.error().detail << '\n';
        return kExitUsage;
    }
    const bool lz4 = options.compression == "lz4";
    const auto compression = lz4 ? oblog::Compression::Lz4 : oblog::Compression::None;
    ReplayPackets packets(*log, compression);
    ReplayService service(*log, packets);
    service.compression = compression;
    service.version = options.version;
    service.rows_per_second = options.rate;
    service.heartbeat = std::chrono::milliseconds(options.heartbeat_ms);
    service.packet_records = options.packet_records;
    service.error_before = options.error_before;
    service.error_after = options.error_after;
    service.status = options.status;
    log->cut_packets(service.packet_records, service.packet_bytes);

    Foreground foreground;
    Result<Listener> listener =
        Listener::bind(foreground.executor(), options.listen.host, options.listen.port);
    if (!listener) {
        std::cerr << "obcanal logproxy serve: " << listener.error().detail << '\n';
        return kExitFailed;
    }
    // A log of known length that is sent at full speed is encoded before the first client comes.
    const bool finite = log->end() != ReplayLog::kEndless && !log->follows();
    if (options.rate == 0 && finite) packets.prepare(options.cache_mb << 20);
    LogProxy proxy(
        std::move(listener).value(), std::move(service), *log, options, foreground.executor()
    );
    const int status = foreground.run(proxy.run(), [&proxy] { proxy.stop(); });
    flush_log();
    return status;
}

void add_faults(CLI::App& command, ServeOptions& options) {
    const std::string group = "Misbehaviour, for tests of clients";
    command
        .add_option(
            "--cut-at",
            options.cut_at,
            "close the first, second, ... connection after so many bytes; later ones are whole"
        )
        ->type_name("BYTES")
        ->group(group);
    command.add_option("--silent-at", options.faults.silent_at, "send nothing after so many bytes")
        ->type_name("BYTES")
        ->group(group);
    command.add_option("--piece", options.faults.piece, "write so many bytes at a time")
        ->type_name("BYTES")
        ->group(group);
    command.add_option("--error-before", options.error_before, "refuse every handshake")
        ->type_name("TEXT")
        ->group(group);
    command.add_option("--error-after", options.error_after, "accept every handshake, then fail")
        ->type_name("TEXT")
        ->group(group);
    command.add_flag("--status", options.status, "a status packet before each data packet")
        ->group(group);
}

}  // namespace

void add_logproxy_serve(CLI::App& app, Run& chosen) {
    CLI::App* command = app.add_subcommand("serve", "be an oblogproxy that replays recordings");
    const auto options = std::make_shared<ServeOptions>();
    command->add_option("--input", options->input, "recordings, played one after the other")
        ->required()
        ->type_name("FILE")
        ->check(CLI::ExistingFile);
    add_endpoint(*command, "--listen", options->listen, "where clients connect");
    command->add_option("--rate", options->rate, "rows a second; 0: as fast as clients read")
        ->capture_default_str()
        ->check(CLI::NonNegativeNumber);
    CLI::Option* const loop = command->add_flag(
        "--loop", options->extent.loop, "start again at the end, with later times and other ids"
    );
    CLI::Option* const follow = command->add_flag(
        "--follow",
        options->extent.follow,
        "the last recording is being written: send what comes to it, transaction by transaction"
    );
    follow->excludes(loop);
    command
        ->add_option(
            "--stop-after-rows",
            options->extent.rows,
            "end the log with the transaction that reaches so many"
        )
        ->type_name("ROWS")
        ->check(CLI::PositiveNumber)
        ->excludes(follow);
    command->add_option("--compress", options->compression, "compression of data packets")
        ->capture_default_str()
        ->check(CLI::IsMember({"none", "lz4"}));
    command->add_option("--protocol", options->version, "the only version served (default: all)")
        ->check(CLI::Range(0, 2));
    command->add_option("--heartbeat", options->heartbeat_ms, "time between heartbeats")
        ->type_name("MS")
        ->capture_default_str()
        ->check(CLI::Range(1, 3'600'000));
    command->add_option("--packet-records", options->packet_records, "records in a data packet")
        ->capture_default_str()
        ->check(CLI::Range(1, 20'000));
    command
        ->add_option(
            "--cache",
            options->cache_mb,
            "memory for packets encoded beforehand (a log with an end, no --rate, no --follow)"
        )
        ->type_name("MB")
        ->capture_default_str();
    add_faults(*command, *options);
    command->footer(
        "A client gets what was committed at or after the start that it asks for; 0 is the start "
        "of the "
        "recording. After the end of the log heartbeats go on."
    );
    command->callback([options, &chosen] { chosen = [options] { return serve(*options); }; });
}

}  // namespace obcanal::cli
