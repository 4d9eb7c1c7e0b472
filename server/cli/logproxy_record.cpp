// obcanal logproxy record: a client of an oblogproxy that writes what it sends to a recording.
#include "protocol/base/clock.h"
#include "protocol/base/input_buffer.h"
#include "protocol/base/log.h"
#include "protocol/net/asio.h"
#include "protocol/net/stream.h"
#include "server/cli/arguments.h"
#include "server/cli/foreground.h"
#include "server/cli/stream_recorder.h"
#include "server/cli/verbs.h"
#include "server/config/load.h"
#include "server/config/load_oblog.h"
#include "server/source/oblog_request.h"

#include <CLI/CLI.hpp>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <utility>
#include <variant>

namespace obcanal::cli {
namespace {

using namespace std::chrono_literals;

constexpr size_t kReadBytes = 256 * 1024;
constexpr std::chrono::milliseconds kRetryMin = 500ms;
constexpr std::chrono::milliseconds kRetryMax = 30s;
constexpr std::chrono::milliseconds kStopTimeout = 3s;
constexpr int64_t kNowSlackUs = 5'000'000;

struct RecordOptions {
    std::optional<Endpoint> from;
    std::string instance;
    std::vector<std::string> keys;     // KEY=VALUE of the options below
    std::vector<std::string> defines;  // of -D; they win
    std::string output;
    std::optional<uint64_t> rows;
    std::optional<std::chrono::milliseconds> seconds;
};

class Recorder {
 public:
    Recorder(
        config::OblogConfig config,
        RecordingFile file,
        RecordOptions options,
        Foreground& foreground
    )
        : config_(std::move(config)),
          file_(std::move(file)),
          options_(std::move(options)),
          foreground_(foreground),
          pause_(foreground.executor()),
          recorder_(file_) {}

    Awaitable<int> run() {
        start_ = steady_now();
        start_us_ = source::configured_start_us(config_);
        if (options_.seconds)
            asio::co_spawn(
                foreground_.executor(), end_at(start_ + *options_.seconds), asio::detached
            );
        std::chrono::milliseconds retry = kRetryMin;
        int status = kExitDone;
        while (!ended_) {
            const uint64_t rows = recorder_.totals().rows;
            const Error error = co_await session();
            const Result<void> kept = keep();
            if (!kept) error_ = kept.error();
            if (ended_ && !error_) break;
            if (error_ || !connected_once_ || error.retry == Retry::Never) {
                std::cerr << "obcanal logproxy record: " << (error_ ? *error_ : error).detail
                          << '\n';
                status = kExitFailed;
                break;
            }
            if (recorder_.totals().rows > rows) retry = kRetryMin;
            log_.warn(
                "stream broke, trying again", {{"cause", error.detail}, {"in_ms", retry.count()}}
            );
            co_await pause_.wait_until(steady_now() + retry);
            retry = std::min(2 * retry, kRetryMax);
        }
        const Result<void> synced = file_.sync();
        if (!synced) std::cerr << "obcanal logproxy record: " << synced.error().detail << '\n';
        report();
        // What never began leaves nothing that would be in the way of the next attempt.
        if (status != kExitDone && file_.size() == 0) file_.discard();
        co_return synced ? status : kExitFailed;
    }

    void stop() {
        ended_ = true;
        pause_.end();
        if (stream_) stream_->close();
        asio::co_spawn(foreground_.executor(), quit_later(), asio::detached);
    }

 private:
    // A connection attempt can't be ended early; between two connections the file is complete.
    Awaitable<void> quit_later() {
        asio::steady_timer timer(foreground_.executor(), kStopTimeout);
        co_await timer.async_wait(kNoThrow);
        foreground_.quit(kExitDone);
    }

    Awaitable<void> end_at(SteadyTime when) {
        asio::steady_timer timer(foreground_.executor(), when);
        co_await timer.async_wait(kNoThrow);
        stop();
    }

    // From connecting to what ended it.
    Awaitable<Error> session() {
        const Endpoint proxy = config_.addresses[connections_ % config_.addresses.size()];
        ConnectOptions connecting;
        connecting.timeout = std::chrono::milliseconds(config_.connect_timeout_ms);
        if (config_.tls) {
            connecting.tls =
                TlsClientOptions{config_.ca_file, config_.cert_file, config_.key_file, false};
        }
        Result<Stream> connected = co_await connect(proxy, connecting);
        if (!connected) co_return std::move(connected).error();
        stream_ = std::move(connected).value();
        input_ = InputBuffer(kReadBytes);
        packets_.emplace(oblog::kNewestVersion, config_.max_packet_bytes);
        recorder_.begin_stream();
        Error error = co_await stream();
        stream_->close();
        co_return std::move(error).in("log proxy " + proxy.text());
    }

    Awaitable<Error> stream() {
        Result<oblog::HandshakeRequest> request = make_request();
        if (!request) co_return std::move(request).error();
        const std::string bytes = oblog::encode_handshake_request(*request);
        Result<void> sent = co_await stream_->write(as_bytes(bytes));
        if (!sent) co_return std::move(sent).error();
        while (!ended_) {
            Result<std::optional<oblog::PacketReader::Read>> read =
                packets_->next(input_.pending());
            if (!read) co_return std::move(read).error();
            if (!*read) {
                Result<void> flushed = file_.flush();
                if (!flushed) co_return std::move(flushed).error();
                Result<void> more = co_await read_more();
                if (!more) co_return std::move(more).error();
                continue;
            }
            const Result<void> taken = take((*read)->message);
            if (!taken) co_return taken.error();
            input_.consume((*read)->size);
        }
        co_return Error{Errc::Stopped, Retry::Never, "stopped"};
    }

    Result<oblog::HandshakeRequest> make_request() {
        const int64_t known_us = recorder_.checkpoint_us();
        std::string id = config_.client_id;
        if (id.empty()) id = "obcanal_record_" + std::to_string(::getpid());
        // A proxy may still hold the id of a connection that broke.
        id += "_" + std::to_string(++connections_);
        return source::make_request(
            config_, known_us != 0 ? known_us : start_us_, id, stream_->local()
        );
    }

    Awaitable<Result<void>> read_more() {
        Deadline deadline(*stream_);
        deadline.arm(std::chrono::milliseconds(config_.read_timeout_ms));
        Result<size_t> count = co_await stream_->read_some(input_.room(kReadBytes));
        if (deadline.expired()) {
            const std::string ms = std::to_string(config_.read_timeout_ms);
            co_return Error{Errc::Timeout, Retry::Backoff, "silent for " + ms + " ms"};
        }
        if (!count) co_return std::move(count).error();
        input_.received(*count);
        co_return Result<void>{};
    }

    Result<void> take(const oblog::ServerMessage& message) {
        if (const auto* error = std::get_if<oblog::ErrorResponse>(&message))
            return source::refused(*error);
        if (const auto* response = std::get_if<oblog::HandshakeResponse>(&message)) {
            connected_once_ = true;
            // A stream from now on that breaks before its first checkpoint must not miss anything.
            if (start_us_ == 0) start_us_ = wall_ms() * 1000 - kNowSlackUs;
            log_.info("recording", {{"proxy", stream_->peer()}, {"version", response->version}});
        }
        const auto* packet = std::get_if<oblog::DataPacket>(&message);
        if (packet == nullptr) return {};
        for (oblog::RecordCursor records(*packet); !records.empty() && !ended_;) {
            Result<void> added = recorder_.add(records.next());
            if (!added) return added;
            ended_ = options_.rows && recorder_.totals().rows >= *options_.rows;
        }
        return {};
    }

    // Only whole transactions stay.
    Result<void> keep() {
        if (Result<void> dropped = recorder_.end_stream(); !dropped) return dropped;
        return file_.flush();
    }

    void report() const {
        const StreamRecorder::Totals& totals = recorder_.totals();
        const std::chrono::duration<double> seconds = steady_now() - start_;
        std::cout << "rows=" << totals.rows << " transactions=" << totals.transactions
                  << " records=" << totals.records << " repeated=" << totals.repeated
                  << " bytes=" << file_.size() << " seconds=" << seconds.count() << std::endl;
    }

    Logger log_{"logproxy"};
    config::OblogConfig config_;
    RecordingFile file_;
    RecordOptions options_;
    Foreground& foreground_;
    Pause pause_;
    StreamRecorder recorder_;
    std::optional<Stream> stream_;
    InputBuffer input_;
    std::optional<oblog::PacketReader> packets_;
    std::optional<Error> error_;  // on our side
    SteadyTime start_;
    int64_t start_us_ = 0;
    uint64_t connections_ = 0;
    bool connected_once_ = false;
    bool ended_ = false;
};

int record(RecordOptions options) {
    open_log({});
    if (options.from)
        options.keys.push_back("canal.instance.oceanbase.logproxy.address=" + options.from->text());
    options.keys.insert(options.keys.end(), options.defines.begin(), options.defines.end());
    config::LoadedOblog loaded = config::load_oblog(options.instance, options.keys);
    if (!obcanal::report(loaded.findings, std::cerr)) return kExitUsage;
    Result<RecordingFile> file = RecordingFile::create(options.output);
    if (!file) {
        std::cerr << "obcanal logproxy record: " << file.error().detail << '\n';
        return kExitUsage;
    }
    Foreground foreground;
    Recorder recorder(
        std::move(loaded.config), std::move(file).value(), std::move(options), foreground
    );
    const int status = foreground.run(recorder.run(), [&recorder] { recorder.stop(); });
    flush_log();
    return status;
}

// An option that stands for a key of instance.properties.
void add_key(
    CLI::App& command,
    RecordOptions& options,
    const std::string& name,
    const std::string& key,
    const std::string& description
) {
    const std::string full = "canal.instance.oceanbase." + key;
    command
        .add_option_function<std::string>(
            name,
            [&options, full](const std::string& value) {
                options.keys.push_back(full + "=" + value);
            },
            description
        )
        ->group("Keys of the instance");
}

}  // namespace

void add_logproxy_record(CLI::App& logproxy, Run& chosen) {
    CLI::App* command =
        logproxy.add_subcommand("record", "write what an oblogproxy sends to a recording");
    const auto options = std::make_shared<RecordOptions>();
    command
        ->add_option_function<std::string>(
            "--from",
            [options](const std::string& text) {
                options->from = parse_endpoint(text);
                if (!options->from) throw CLI::ValidationError("'" + text + "' is not HOST:PORT");
            },
            "the log proxy"
        )
        ->type_name("HOST:PORT");
    command
        ->add_option("--instance", options->instance, "an instance.properties with the keys below")
        ->type_name("FILE")
        ->check(CLI::ExistingFile);
    command->add_option("--output", options->output, "the recording, a new file")
        ->type_name("FILE")
        ->required();
    command
        ->add_option("--count", options->rows, "end with the transaction that reaches so many rows")
        ->type_name("ROWS")
        ->check(CLI::PositiveNumber);
    add_seconds(*command, "--seconds", options->seconds, "end after so long");
    add_key(*command, *options, "--rs-list", "rsList", "root servers, ip:rpcPort:sqlPort;...");
    add_key(*command, *options, "--cluster-url", "clusterUrl", "the cluster's configuration URL");
    add_key(*command, *options, "--user", "username", "user@tenant#cluster");
    add_key(*command, *options, "--password", "password", "its password, plain");
    add_key(*command, *options, "--sys-user", "sysUsername", "account of the sys tenant");
    add_key(*command, *options, "--sys-password", "sysPassword", "its password, plain");
    add_key(*command, *options, "--tenant", "tenant", "the tenant whose tables are read");
    add_key(*command, *options, "--timezone", "timezone", "of TIMESTAMP values, e.g. +08:00");
    add_key(*command, *options, "--start", "startTimestamp", "seconds since 1970; 0: now");
    add_key(*command, *options, "--start-us", "startTimestampUs", "microseconds since 1970");
    command->add_option("-D", options->defines, "any other key of instance.properties")
        ->type_name("KEY=VALUE")
        ->allow_extra_args(false)
        ->group("Keys of the instance");
    command->footer(
        "Options win over the file. The recording holds whole transactions only, each once, also "
        "when "
        "the connection breaks. Ctrl-C ends it."
    );
    command->callback([options, &chosen] { chosen = [options] { return record(*options); }; });
}

}  // namespace obcanal::cli
