#include "server/source/preflight.h"

#include "protocol/base/clock.h"
#include "protocol/base/crypto.h"
#include "protocol/net/asio.h"
#include "protocol/net/runtime.h"
#include "server/source/binlog_preflight.h"
#include "server/source/registry.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

namespace obcanal::source {
namespace {

// Takes one thing and ends the stream.
class FirstThing : public ChangeSink {
 public:
    Awaitable<Result<void>> emit(std::span<const canal::Change>) override {
        came_ = true;
        co_return Error{Errc::Stopped, Retry::Never, "enough"};
    }

    std::optional<uint64_t> open_rows() const override { return std::nullopt; }
    bool came() const { return came_; }

 private:
    bool came_ = false;
};

// Both on the strand of preflight.
struct Limit {
    Limit(const Executor& strand, std::chrono::milliseconds after) : timer(strand, after) {}

    asio::steady_timer timer;
    Source* source = nullptr;  // while it runs
    bool reached = false;
};

Awaitable<void> stop_at(std::shared_ptr<Limit> limit) {
    const auto [ended] = co_await limit->timer.async_wait(kNoThrow);
    if (ended || limit->source == nullptr) co_return;
    limit->reached = true;
    limit->source->stop();
}

std::string remedy_of(const Error& error, const config::InstanceConfig& config) {
    const bool oblog = config.source == config::SourceKind::Oblogproxy;
    switch (error.code) {
        case Errc::Auth:
            return oblog ? "check canal.instance.oceanbase.username, password and tenant: the log "
                           "proxy logs in to OceanBase with them"
                         : "check canal.instance.dbUsername and dbPassword, and what that user may";
        case Errc::PositionPurged:
            return "the source no longer holds what was asked for: set a later start, or copy the "
                   "tables anew";
        case Errc::Unsupported:
        case Errc::BadConfig: return "";
        default: break;
    }
    return oblog ? "check that the log proxy runs and is reachable from this machine "
                   "(canal.instance.oceanbase.logproxy.address)"
                 : "check that the server runs and is reachable from this machine "
                   "(canal.instance.master.address)";
}

// Above the ids that people choose.
uint32_t passing_replica_id() {
    uint32_t id = 0;
    random_bytes(reinterpret_cast<std::byte*>(&id), sizeof id);
    return id | 0xE0000000U;
}

std::string milliseconds_since(SteadyTime start) {
    const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(steady_now() - start);
    return std::to_string(passed.count()) + " ms";
}

}  // namespace

bool Preflight::good() const {
    return std::none_of(lines.begin(), lines.end(), [](const Line& line) {
        return line.kind == Kind::Problem;
    });
}

std::string describe_source(const config::InstanceConfig& config) {
    if (config.source == config::SourceKind::Oblogproxy) {
        std::string text = "oblogproxy ";
        for (const Endpoint& address : config.oblog.addresses)
            text += (text.ends_with(' ') ? "" : ",") + address.text();
        return text + (config.oblog.tls ? " with TLS" : "") + ", tenant " + config.oblog.tenant;
    }
    const config::MysqlServer& master = config.binlog.master;
    return "binlog of " + (master.address ? master.address->text() : std::string("nobody"));
}

Awaitable<void> stream_briefly(
    const config::InstanceConfig& config, std::chrono::milliseconds limit, Preflight& to
) {
    Result<filter::TableFilter> filter =
        filter::TableFilter::compile(config.filter_regex, config.filter_black_regex);
    if (!filter) {
        to.problem(filter.error().detail, "");
        co_return;
    }
    auto live = std::make_shared<const LiveFilter>(
        std::make_shared<const filter::TableFilter>(std::move(filter).value())
    );
    // The files of a server that may be running are not ours.
    config::InstanceConfig forgetful = config;
    forgetful.meta = config::MetaKind::Memory;
    // A source throws out a replica when another comes with its server id.
    forgetful.binlog.slave_id = passing_replica_id();
    BlockingLane lane;
    Result<std::unique_ptr<Source>> made = make_source(forgetful, std::move(live), lane, nullptr);
    if (!made) {
        to.problem(made.error().detail, remedy_of(made.error(), config));
        co_return;
    }
    const std::unique_ptr<Source> source = std::move(made).value();
    const Executor strand = co_await asio::this_coro::executor;
    const auto ends = std::make_shared<Limit>(strand, limit);
    ends->source = source.get();
    asio::co_spawn(strand, stop_at(ends), asio::detached);
    FirstThing first;
    const SteadyTime start = steady_now();
    const Error error = co_await source->run(std::nullopt, first);
    ends->source = nullptr;
    ends->timer.cancel();
    const bool connected = source->state().connections.load() > 0;
    if (connected) to.fact("connected and logged in as the instance would");
    if (first.came()) {
        to.fact("streams: the first record came after " + milliseconds_since(start));
    } else if (ends->reached && connected) {
        to.warning(
            "nothing came within " + milliseconds_since(start),
            "a quiet source may need longer for its first record: try a longer --wait"
        );
    } else if (ends->reached) {
        to.problem("no answer within " + milliseconds_since(start), remedy_of(error, config));
    } else {
        to.problem(error.detail, remedy_of(error, config));
    }
}

Awaitable<Preflight> preflight(
    config::InstanceConfig config,
    std::optional<canal::LogPosition> saved,
    std::chrono::milliseconds limit
) {
    Preflight found;
    if (config.source == config::SourceKind::Binlog)
        co_await ask_binlog_server(config, saved, limit, found);
    // A log proxy ends one of two clients with the same name; the other may be the server at work.
    if (!config.oblog.client_id.empty()) config.oblog.client_id += "_check";
    co_await stream_briefly(config, limit, found);
    co_return found;
}

}  // namespace obcanal::source
