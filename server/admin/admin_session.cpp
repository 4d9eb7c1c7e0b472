#include "server/admin/admin_session.h"

#include "protocol/base/crypto.h"
#include "protocol/base/text.h"
#include "protocol/canal/frame.h"
#include "protocol/net/run_on.h"

#include <algorithm>
#include <array>
#include <utility>

namespace obcanal::admin {

namespace pk = canal::admin;

namespace {

constexpr std::chrono::milliseconds kLoginTimeout{10'000};
constexpr std::chrono::milliseconds kIdleTimeout{3'600'000};
constexpr size_t kFrameLimit = 64 * 1024;
constexpr size_t kSeedBytes = 8;
constexpr int32_t kDefaultLines = 100;

constexpr int32_t kRefused = 300;
constexpr int32_t kUnknownAction = 301;
constexpr int32_t kFailed = 400;

std::string digit(bool done) { return done ? "1" : "0"; }

}  // namespace

AdminSession::AdminSession(Stream stream, AdminContext& context)
    : stream_(std::move(stream)),
      context_(context),
      deadline_(stream_),
      idle_timeout_(kIdleTimeout) {}

Awaitable<void> AdminSession::run() {
    const std::shared_ptr<AdminSession> self = shared_from_this();
    const Result<void> result = co_await serve();
    deadline_.disarm();
    stream_.close();
    if (result || result.error().code == Errc::Closed) co_return;
    const int64_t held = context_.ended.pass();
    if (held < 0) co_return;
    context_.log.warn(
        "connection ended",
        {{"peer", stream_.peer()}, {"cause", result.error().detail}, {"held_back", held}}
    );
}

Awaitable<Result<void>> AdminSession::serve() {
    deadline_.arm(kLoginTimeout);
    Result<void> in = co_await stream_.handshake();
    if (in) in = co_await authenticate();
    if (!in && deadline_.expired())
        co_return Error{Errc::Timeout, Retry::Never, "no login within 10 s"};
    if (!in) co_return in;
    Result<void> done = co_await answer_requests();
    if (!done && deadline_.expired())
        co_return Error{Errc::Timeout, Retry::Never, "idle for too long"};
    co_return done;
}

Awaitable<Result<Bytes>> AdminSession::next_frame(size_t limit) {
    input_.consume(std::exchange(consumed_, 0));
    for (;;) {
        Result<std::optional<canal::Frame>> frame = canal::read_frame(input_.pending(), limit);
        if (!frame) co_return std::move(frame).error();
        if (*frame) {
            consumed_ = (*frame)->size;
            co_return (*frame)->body;
        }
        constexpr size_t kReadBytes = 1024;
        Result<size_t> count = co_await stream_.read_some(input_.room(kReadBytes));
        if (!count) co_return std::move(count).error();
        input_.received(*count);
        stream_.quick_ack();
    }
}

Awaitable<Result<void>> AdminSession::send(Reply reply) {
    const std::string frame = pk::encode_ack(reply.code, reply.message);
    Result<void> sent = co_await stream_.write(as_bytes(frame));
    co_return sent;
}

Awaitable<Result<void>> AdminSession::authenticate() {
    std::array<std::byte, kSeedBytes> seed;
    random_bytes(seed.data(), seed.size());
    const std::string handshake = pk::encode_handshake(seed);
    Result<void> greeted = co_await stream_.write(as_bytes(handshake));
    if (!greeted) co_return greeted;

    Result<Bytes> frame = co_await next_frame(kFrameLimit);
    if (!frame) co_return std::move(frame).error();
    Result<pk::Packet> packet = pk::parse_packet(*frame);
    if (!packet) co_return std::move(packet).error();
    // Whatever the packet's type says: in this state every body is read as a login.
    Result<pk::ClientAuth> login = pk::parse_client_auth(packet->body);
    if (!login) co_return std::move(login).error();

    const std::string address = stream_.peer_address();
    const auto wait = context_.limiter.reserve(address, steady_now());
    if (wait && wait->count() > 0) {
        asio::steady_timer pause(executor(), *wait);
        co_await pause.async_wait(kNoThrow);
    }
    Reply refusal(kRefused, "auth failed for user:" + login->username);
    access::Authenticator::Answer answer;
    if (wait) answer = context_.auth.check(login->username, login->password, seed);
    if (answer.verdict == access::Authenticator::Verdict::Accepted && answer.account->everything) {
        context_.limiter.accepted(address, steady_now());
        context_.audit.login(stream_.peer(), login->username, stream_.encrypted());
        user_ = login->username;
        const int64_t shorter = std::min(
            login->net_read_timeout > 0 ? login->net_read_timeout : INT32_MAX,
            login->net_write_timeout > 0 ? login->net_write_timeout : INT32_MAX
        );
        idle_timeout_ = std::min(kIdleTimeout, std::chrono::milliseconds(shorter));
        Reply welcome;
        Result<void> welcomed = co_await send(std::move(welcome));
        co_return welcomed;
    }
    if (!wait) refusal.message = "too many failed logins from this address, try again later";
    context_.audit.login_refused(
        stream_.peer(), login->username, wait ? "wrong user or password" : "too many failures"
    );
    Result<void> told = co_await send(std::move(refusal));
    if (!told) co_return told;
    co_return Error{Errc::Closed, Retry::Never, "login refused"};
}

Awaitable<Result<void>> AdminSession::answer_requests() {
    for (;;) {
        deadline_.arm(idle_timeout_);
        Result<Bytes> frame = co_await next_frame(kFrameLimit);
        if (!frame) co_return std::move(frame).error();
        Result<pk::Packet> packet = pk::parse_packet(*frame);
        if (!packet) co_return std::move(packet).error();
        // A stop of the server may take its time.
        deadline_.arm(kIdleTimeout);
        Reply reply = co_await dispatch(*packet);
        deadline_.arm(idle_timeout_);
        Result<void> sent = co_await send(std::move(reply));
        if (!sent) co_return sent;
    }
}

AdminSession::Reply AdminSession::failure(const Error& error) const {
    std::string text = "something goes wrong with channel: [/" + stream_.peer() + " => /";
    text += stream_.local() + "], exception: " + error.detail + "\n";
    return Reply(kFailed, std::move(text));
}

Awaitable<AdminSession::Reply> AdminSession::dispatch(pk::Packet packet) {
    if (packet.type == pk::PacketType::Server) {
        Result<pk::ServerAdmin> request = pk::parse_server_admin(packet.body);
        if (!request) co_return failure(request.error());
        co_return co_await on_server(*request);
    }
    if (packet.type == pk::PacketType::Instance) {
        Result<pk::InstanceAdmin> request = pk::parse_instance_admin(packet.body);
        if (!request) co_return failure(request.error());
        co_return co_await on_instance(*request);
    }
    if (packet.type == pk::PacketType::Log) {
        Result<pk::LogAdmin> request = pk::parse_log_admin(packet.body);
        if (!request) co_return failure(request.error());
        co_return co_await on_log(*request);
    }
    const std::string name(pk::packet_type_name(packet.type));
    co_return Reply(kRefused, "packet type: " + name + " is NOT supported!");
}

Awaitable<bool> AdminSession::change_server(std::string action) {
    ServerControl& server = context_.server;
    const Executor strand = server.strand();
    bool stopped = false;
    if (action != "start") stopped = co_await run_on(strand, server.stop());
    if (action == "stop") co_return stopped;
    Result<bool> started = co_await run_on(strand, server.start());
    if (!started) context_.log.error("server not started", {{"cause", started.error().detail}});
    co_return started.ok() && *started;
}

Awaitable<AdminSession::Reply> AdminSession::on_server(pk::ServerAdmin request) {
    const std::shared_ptr<instance::InstanceSet> instances = context_.server.instances();
    const std::string& action = request.action;
    if (action == "check") co_return Reply(0, digit(instances != nullptr));
    if (action == "list") {
        std::string names;
        if (instances) {
            for (const std::string& name : instances->names()) {
                if (instances->find(name)) names += (names.empty() ? "" : ",") + name;
            }
        }
        co_return Reply(0, std::move(names));
    }
    if (action == "status") {
        std::string json = co_await context_.report.json();
        co_return Reply(0, std::move(json));
    }
    if (action != "start" && action != "stop" && action != "restart")
        co_return Reply(kUnknownAction, "ServerAdmin action: " + action + "  is unknown");
    const bool done = co_await change_server(action);
    context_.audit.command(
        stream_.peer(), user_, "server " + action, "", done ? "done" : "not done"
    );
    co_return Reply(0, digit(done));
}

Awaitable<bool> AdminSession::change_instance(std::string destination, std::string action) {
    const std::shared_ptr<instance::InstanceSet> instances = context_.server.instances();
    if (!instances) co_return false;
    const Executor control = instances->control();
    Result<void> done;
    if (action == "start") {
        done = co_await run_on(control, instances->start_one(destination));
    } else if (action == "restart") {
        done = co_await run_on(control, instances->restart_one(destination));
    } else {
        // Alone, there is nobody to leave the destination to: release is stop.
        done = co_await run_on(control, instances->stop_one(destination));
    }
    if (!done) {
        context_.log.warn(
            "destination not changed",
            {{"destination", destination}, {"action", action}, {"cause", done.error().detail}}
        );
    }
    co_return done.ok();
}

Awaitable<AdminSession::Reply> AdminSession::on_instance(pk::InstanceAdmin request) {
    const std::string& action = request.action;
    if (action == "check") {
        const std::shared_ptr<instance::InstanceSet> instances = context_.server.instances();
        const bool runs = instances && instances->find(request.destination);
        co_return Reply(0, digit(runs));
    }
    const std::array<std::string_view, 4> known{"start", "stop", "restart", "release"};
    if (std::find(known.begin(), known.end(), action) == known.end())
        co_return Reply(kUnknownAction, "InstanceAdmin action: " + action + " is unknown");
    const bool done = co_await change_instance(request.destination, action);
    context_.audit.command(
        stream_.peer(), user_, "instance " + action, request.destination, done ? "done" : "not done"
    );
    co_return Reply(0, digit(done));
}

Awaitable<AdminSession::Reply> AdminSession::on_log(pk::LogAdmin request) {
    const bool server = request.type == "server";
    if (!server && request.type != "instance")
        co_return Reply(kUnknownAction, "LogAdmin type: " + request.type + " is unknown");
    const bool list = equals_ignore_case(request.action, "list");
    const int32_t lines = std::max(request.count.value_or(kDefaultLines), 0);
    const LogFiles& logs = context_.logs;
    Result<std::string> text = std::string();
    const auto look = [&] {
        if (server) {
            text = list ? logs.list_server() : logs.tail_server(lines);
        } else {
            text = list ? logs.list_destination(request.destination)
                        : logs.tail_destination(request.destination, request.file, lines);
        }
    };
    const std::function<void()> work = look;
    co_await context_.lane.run(work);
    context_.audit.command(
        stream_.peer(), user_, list ? "log list" : "log read", request.destination, request.file
    );
    if (!text) co_return failure(text.error());
    co_return Reply(0, std::move(text).value());
}

}  // namespace obcanal::admin
