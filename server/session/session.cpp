#include "server/session/session.h"

#include "protocol/base/crypto.h"
#include "protocol/base/text.h"
#include "protocol/canal/frame.h"
#include "protocol/net/run_on.h"
#include "server/meta/client_ledger.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace obcanal::session {

using canal::BatchId;
using canal::ClientId;
using canal::PacketType;
using instance::Cancelled;
using instance::GetReply;
using instance::GetRequest;
using instance::Instance;
using Verdict = access::Authenticator::Verdict;

namespace {

constexpr std::chrono::milliseconds kLoginTimeout{10'000};
constexpr std::chrono::milliseconds kIdleTimeout{3'600'000};
constexpr int kLoginAttempts = 10;
constexpr size_t kLoginFrameLimit = 64 * 1024;
constexpr size_t kFrameLimit = size_t{16} << 20;
constexpr size_t kReadBytes = 4096;
// So much is read while a get waits.
constexpr size_t kMostAhead = 64 * 1024;
constexpr size_t kSeedBytes = 8;

constexpr int32_t kFailed = 400;
constexpr int32_t kNoDestination = 401;
constexpr int32_t kNoBatchId = 402;

std::chrono::milliseconds idle_timeout(int64_t asked_ms) {
    return asked_ms > 0 ? std::chrono::milliseconds(asked_ms) : kIdleTimeout;
}

// Canal counts in the ordinals of java.util.concurrent.TimeUnit; what is none means milliseconds.
std::chrono::nanoseconds in_unit(int64_t count, int32_t unit) {
    constexpr std::array<int64_t, 7> kUnitNs{
        1, 1'000, 1'000'000, 1'000'000'000, 60'000'000'000, 3'600'000'000'000, 86'400'000'000'000
    };
    const bool known = unit >= 0 && static_cast<size_t>(unit) < kUnitNs.size();
    const int64_t ns = kUnitNs[known ? static_cast<size_t>(unit) : 2];
    if (count > std::chrono::nanoseconds::max().count() / ns)
        return std::chrono::nanoseconds::max();
    return std::chrono::nanoseconds(count * ns);
}

// -1: at once. Above 0: that long. Anything else, and a field that is not there: until a batch is
// full.
std::optional<std::chrono::nanoseconds> wait_of(const canal::Get& get) {
    const int64_t timeout = get.timeout.value_or(0);
    if (timeout == -1) return std::nullopt;
    if (timeout > 0) return in_unit(timeout, get.unit);
    return std::chrono::nanoseconds::max();
}

// As Java's Short.valueOf reads it.
Result<ClientId> parse_client_id(std::string_view text) {
    const std::string_view digits = text.starts_with('+') ? text.substr(1) : text;
    const std::optional<int64_t> number = parse_int(digits);
    if (!number) {
        return Error{
            Errc::BadPacket, Retry::Never, "For input string: \"" + printable(text) + "\""
        };
    }
    if (*number < INT16_MIN || *number > INT16_MAX) {
        return Error{
            Errc::BadPacket,
            Retry::Never,
            "Value out of range. Value:\"" + printable(text) + "\" Radix:10"
        };
    }
    return ClientId{static_cast<int16_t>(*number)};
}

}  // namespace

// Of a get() that waits. Strand of the session, but for `cancelled`.
struct Session::Watch {
    Cancelled cancelled = std::make_shared<std::atomic<bool>>(false);
    std::shared_ptr<Instance> instance;
    bool over = false;     // the get has its answer
    bool reading = false;  // input_ is in use
};

// The same answer for a destination that does not exist: who may not read it need not know.
Result<void> Session::check_right(const std::string& destination) const {
    if (account_->may_read(destination)) return {};
    return Error{
        Errc::Auth,
        Retry::Never,
        "destination:" + printable(destination) + " is not open to user:" + printable(user_)
    };
}

Result<Session::Target> Session::find_target(
    const std::string& destination, std::string_view client_id
) {
    Result<ClientId> client = parse_client_id(client_id);
    if (!client) return std::move(client).error();
    if (Result<void> allowed = check_right(destination); !allowed)
        return std::move(allowed).error();
    std::shared_ptr<Instance> instance = context_.instances.find(destination);
    if (!instance) {
        const std::string text = "destination:" + printable(destination) + " should start first";
        return Error{Errc::NotFound, Retry::Never, text};
    }
    request_.about = instance;
    return Target{*client, std::move(instance)};
}

Session::Session(Stream stream, SessionContext& context)
    : stream_(std::move(stream)),
      context_(context),
      deadline_(stream_),
      read_timeout_(kIdleTimeout),
      write_timeout_(kIdleTimeout),
      last_read_(steady_now()),
      last_write_(last_read_) {
    random_bytes(reinterpret_cast<std::byte*>(&id_), sizeof id_);
}

void Session::finish() {
    finishing_ = true;
    if (waiting_ && unacked_ == 0) stream_.close();
}

std::string Session::channel_text() const {
    std::array<std::byte, 4> id{};
    for (size_t i = 0; i < id.size(); ++i) id[i] = std::byte(id_ >> (24 - 8 * i));
    return "[id: 0x" + to_hex(id) + ", /" + stream_.peer() + " => /" + stream_.local() + "]";
}

Awaitable<void> Session::run() {
    const std::shared_ptr<Session> self = shared_from_this();
    const Result<void> result = co_await serve();
    stream_.close();
    if (result || result.error().code == Errc::Closed) co_return;
    LogGate& gate = result.error().code == Errc::Timeout ? context_.silent : context_.bad_input;
    const int64_t held = gate.pass();
    if (held < 0) co_return;
    context_.log.warn(
        "connection ended",
        {{"peer", stream_.peer()}, {"cause", result.error().detail}, {"held_back", held}}
    );
}

Awaitable<Result<void>> Session::serve() {
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

// Closes the connection after `read_timeout_` without a request or `write_timeout_` without a
// reply.
void Session::keep_alive() {
    const SteadyTime end = std::min(last_read_ + read_timeout_, last_write_ + write_timeout_);
    const auto left = std::chrono::duration_cast<Milliseconds>(end - steady_now());
    deadline_.arm(std::max(left, Milliseconds(1)));
}

Awaitable<Result<Bytes>> Session::next_frame(size_t limit) {
    input_.consume(std::exchange(consumed_, 0));
    if (input_.pending().empty()) input_.shrink();
    for (;;) {
        Result<std::optional<canal::Frame>> frame = canal::read_frame(input_.pending(), limit);
        if (!frame) co_return std::move(frame).error();
        if (*frame) {
            consumed_ = (*frame)->size;
            stale_ = stale_bytes_ > 0;
            stale_bytes_ -= std::min(stale_bytes_, consumed_);
            last_read_ = steady_now();
            co_return (*frame)->body;
        }
        waiting_ = true;
        if (finishing_ && unacked_ == 0)
            co_return Error{Errc::Closed, Retry::Never, "server stops"};
        Result<size_t> count = co_await stream_.read_some(input_.room(kReadBytes));
        waiting_ = false;
        if (!count) co_return std::move(count).error();
        input_.received(*count);
        stream_.quick_ack();
    }
}

Awaitable<Result<void>> Session::send(Bytes frame) {
    Result<void> sent = co_await stream_.write(frame);
    last_write_ = steady_now();
    request_.replied += frame.size();
    co_return sent;
}

Awaitable<Result<void>> Session::send_error(int32_t code, std::string text) {
    request_.error = code;
    const std::string frame = canal::encode_ack_error(code, text);
    co_return co_await send(as_bytes(frame));
}

// The text of the reference's exception handler: clients print it, people search for it.
Awaitable<Result<void>> Session::send_failure(Error failure) {
    std::string text = "something goes wrong with channel: " + channel_text() + ", exception: ";
    const bool number = failure.code == Errc::BadPacket;
    text += number ? "java.lang.NumberFormatException" : meta::canal_exception(failure.code);
    text += ": " + failure.detail + "\n";
    co_return co_await send_error(kFailed, std::move(text));
}

// Whoever guesses passwords is slowed down, however many connections the guesses come on.
Awaitable<Result<void>> Session::wait_for_turn() {
    const std::optional<Milliseconds> wait =
        context_.limiter.reserve(stream_.peer_address(), steady_now());
    if (!wait) {
        co_return Error{
            Errc::Auth, Retry::Never, "too many failed logins from this address, try again later"
        };
    }
    if (wait->count() == 0) co_return Result<void>{};
    asio::steady_timer pause(executor(), *wait);
    co_await pause.async_wait(kNoThrow);
    co_return Result<void>{};
}

Awaitable<Result<void>> Session::authenticate() {
    std::array<std::byte, kSeedBytes> seed;
    random_bytes(seed.data(), seed.size());
    const std::string handshake = canal::encode_handshake(seed);
    if (Result<void> sent = co_await send(as_bytes(handshake)); !sent) co_return sent;

    for (int attempt = 0; attempt < kLoginAttempts; ++attempt) {
        Result<Bytes> frame = co_await next_frame(kLoginFrameLimit);
        if (!frame) co_return std::move(frame).error();
        Result<canal::Packet> packet = canal::parse_packet(*frame);
        if (!packet) co_return std::move(packet).error();
        // Whatever the packet's type says: in this state every body is read as a login.
        Result<canal::ClientAuth> login = canal::parse_client_auth(packet->body);
        if (!login) co_return std::move(login).error();
        Result<void> turn = co_await wait_for_turn();
        if (!turn) {
            context_.audit.login_refused(stream_.peer(), login->username, turn.error().detail);
            Result<void> told = co_await send_error(kFailed, turn.error().detail);
            if (!told) co_return told;
            co_return turn;
        }
        access::Authenticator::Answer answer =
            context_.auth.check(login->username, login->password, seed);
        if (answer.verdict == Verdict::Malformed) {
            co_return Error{Errc::Auth, Retry::Never, "the password is not 40 hex digits"};
        }
        if (answer.verdict == Verdict::Accepted) {
            context_.limiter.accepted(stream_.peer_address(), steady_now());
            context_.audit.login(stream_.peer(), login->username, stream_.encrypted());
            account_ = std::move(answer.account);
            user_ = login->username;
            read_timeout_ = idle_timeout(login->net_read_timeout);
            write_timeout_ = idle_timeout(login->net_write_timeout);
            if (!login->destination.empty() && !login->client_id.empty()) {
                Result<void> subscribed =
                    co_await subscribe(login->destination, login->client_id, login->filter);
                if (!subscribed) co_return subscribed;
            }
            const std::string ack = canal::encode_ack_ok();
            Result<void> sent = co_await send(as_bytes(ack));
            co_return sent;
        }
        context_.audit.login_refused(stream_.peer(), login->username, "wrong user or password");
        Result<void> told = co_await send_error(kFailed, "auth failed for user:" + login->username);
        if (!told) co_return told;
    }
    co_return Error{Errc::Auth, Retry::Never, "too many failed logins"};
}

Awaitable<Result<void>> Session::answer_requests() {
    for (;;) {
        keep_alive();
        Result<Bytes> frame = co_await next_frame(kFrameLimit);
        if (!frame) co_return std::move(frame).error();
        Result<canal::Packet> packet = canal::parse_packet(*frame);
        if (!packet) co_return std::move(packet).error();
        request_ = {};
        const SteadyTime start = steady_now();
        Result<void> answered = co_await dispatch(*packet);
        if (!answered) co_return answered;
        count_request(packet->type, steady_now() - start);
    }
}

void Session::count_request(PacketType type, SteadyTime::duration took) {
    if (!request_.about) return;
    instance::ClientCounters& counters = request_.about->client_counters();
    counters.add_bytes(std::max(request_.replied, canal::kFrameHeaderBytes));
    counters.add_latency(took);
    if (request_.error != 0) {
        counters.add_error(request_.error);
    } else if (request_.empty) {
        counters.add_empty_batch();
    } else {
        counters.add_packet(type);
    }
    request_.about.reset();
}

Awaitable<Result<void>> Session::dispatch(const canal::Packet& packet) {
    if (gone_ && packet.type != PacketType::ClientAck) co_return Result<void>{};
    switch (packet.type) {
        case PacketType::Subscription: co_return co_await on_subscribe(packet.body);
        case PacketType::Unsubscription: co_return co_await on_unsubscribe(packet.body);
        case PacketType::Get: co_return co_await on_get(packet.body);
        case PacketType::ClientAck: co_return co_await on_ack(packet.body);
        case PacketType::ClientRollback: co_return co_await on_rollback(packet.body);
        default: break;
    }
    co_return co_await send_error(
        kFailed,
        "packet type: " + std::string(canal::packet_type_name(packet.type)) + " is NOT supported!"
    );
}

Awaitable<Result<void>> Session::subscribe(
    std::string destination, std::string client_id, std::string filter
) {
    Result<ClientId> client = parse_client_id(client_id);
    if (!client) co_return std::move(client).error();
    Result<void> allowed = check_right(destination);
    context_.audit.command(
        stream_.peer(),
        user_,
        "subscribe",
        destination + ", client " + std::to_string(client->value),
        allowed ? "" : "refused"
    );
    if (!allowed) co_return allowed;
    std::shared_ptr<Instance> instance = context_.instances.find(destination);
    if (!instance) {
        const Executor control = context_.instances.control();
        Result<std::shared_ptr<Instance>> started =
            co_await run_on(control, context_.instances.find_or_start(std::move(destination)));
        if (!started) co_return std::move(started).error();
        instance = *started;
    }
    request_.about = instance;
    const Executor strand = instance->strand();
    Result<void> done = co_await run_on(strand, instance->subscribe(*client, std::move(filter)));
    co_return done;
}

Awaitable<Result<void>> Session::on_subscribe(Bytes body) {
    Result<canal::Sub> sub = canal::parse_sub(body);
    if (!sub) co_return co_await send_failure(std::move(sub).error());
    if (sub->destination.empty() || sub->client_id.empty()) {
        co_return co_await send_error(
            kNoDestination, "destination or clientId is null. Sub: " + canal::text_format(*sub)
        );
    }
    Result<void> done = co_await subscribe(sub->destination, sub->client_id, sub->filter);
    if (!done) co_return co_await send_failure(std::move(done).error());
    const std::string ack = canal::encode_ack_ok();
    Result<void> sent = co_await send(as_bytes(ack));
    co_return sent;
}

Awaitable<Result<void>> Session::on_unsubscribe(Bytes body) {
    Result<canal::Unsub> unsub = canal::parse_unsub(body);
    if (!unsub) co_return co_await send_failure(std::move(unsub).error());
    if (unsub->destination.empty() || unsub->client_id.empty()) {
        co_return co_await send_error(
            kNoDestination, "destination or clientId is null. Unsub: " + canal::text_format(*unsub)
        );
    }
    Result<Target> target = find_target(unsub->destination, unsub->client_id);
    if (!target) co_return co_await send_failure(std::move(target).error());
    const Executor strand = target->instance->strand();
    Result<void> done = co_await run_on(strand, target->instance->unsubscribe(target->client));
    if (!done) co_return co_await send_failure(std::move(done).error());
    const std::string ack = canal::encode_ack_ok();
    Result<void> sent = co_await send(as_bytes(ack));
    co_return sent;
}

// A get that waits must notice that its client is gone, also behind requests that were sent ahead.
Awaitable<void> Session::watch_for_end(std::shared_ptr<Watch> watch) {
    const std::shared_ptr<Session> self = shared_from_this();
    for (;;) {
        co_await stream_.wait_readable();
        if (watch->over) co_return;
        bool gone = stream_.at_end();
        if (!gone) {
            if (input_.pending().size() >= kMostAhead) co_return;
            watch->reading = true;
            Result<size_t> count = co_await stream_.read_some(input_.room(kReadBytes));
            watch->reading = false;
            if (count) input_.received(*count);
            if (watch->over) co_return;
            gone = !count;
        }
        if (!gone) continue;
        watch->cancelled->store(true);
        watch->instance->wake();
        co_return;
    }
}

Awaitable<Result<GetReply>> Session::wait_for_entries(
    std::shared_ptr<Instance> from, GetRequest request
) {
    const auto watch = std::make_shared<Watch>();
    watch->instance = from;
    const bool waits = request.wait.has_value();
    if (waits) asio::co_spawn(executor(), watch_for_end(watch), asio::detached);
    const Executor strand = from->strand();
    Result<GetReply> reply = co_await run_on(strand, from->get(request, watch->cancelled));
    watch->over = true;
    if (waits) stream_.stop_waiting();
    // Cut short, or there already: a read is begun only when there are bytes.
    while (watch->reading) co_await asio::post(executor(), asio::use_awaitable);
    co_return reply;
}

Awaitable<Result<void>> Session::on_get(Bytes body) {
    Result<canal::Get> get = canal::parse_get(body);
    if (!get) co_return co_await send_failure(std::move(get).error());
    if (get->destination.empty() || get->client_id.empty()) {
        co_return co_await send_error(
            kNoDestination, "destination or clientId is null. Get: " + canal::text_format(*get)
        );
    }
    Result<Target> target = find_target(get->destination, get->client_id);
    if (!target) co_return co_await send_failure(std::move(target).error());
    // Only acks are waited for; the client asks again where it goes on.
    if (finishing_) co_return Result<void>{};

    GetRequest request;
    request.client = target->client;
    request.fetch_size = get->fetch_size;
    request.wait = wait_of(*get);
    Result<GetReply> reply = GetReply{};
    if (!stale_) reply = co_await wait_for_entries(target->instance, request);
    if (!reply && reply.error().code == Errc::Closed) {
        // It went away while it waited. Acks that it sent behind the get count all the same.
        gone_ = true;
        request_.about.reset();
        co_return Result<void>{};
    }
    if (!reply) co_return co_await send_failure(std::move(reply).error());
    if (reply->rolled_back) stale_bytes_ = input_.pending().size() - consumed_;
    if (reply->id.value < 0) {
        request_.empty = true;
        const std::string empty = canal::encode_empty_messages();
        co_return co_await send(as_bytes(empty));
    }
    const std::string head =
        canal::encode_messages_head(reply->id.value, static_cast<size_t>(reply->batch.bytes));
    std::vector<Bytes> pieces;
    pieces.reserve(1 + reply->batch.slices.size());
    pieces.push_back(as_bytes(head));
    pieces.insert(pieces.end(), reply->batch.slices.begin(), reply->batch.slices.end());
    Result<void> sent = co_await stream_.write(pieces);
    last_write_ = steady_now();
    request_.replied = head.size() + static_cast<size_t>(reply->batch.bytes);
    ++unacked_;
    co_return sent;
}

Awaitable<Result<void>> Session::on_ack(Bytes body) {
    Result<canal::ClientAck> ack = canal::parse_client_ack(body);
    if (!ack) co_return co_await send_failure(std::move(ack).error());
    if (ack->destination.empty() || ack->client_id.empty()) {
        co_return co_await send_error(
            kNoDestination, "destination or clientId is null. Ack: " + canal::text_format(*ack)
        );
    }
    if (ack->batch_id == 0) {
        co_return co_await send_error(
            kNoBatchId, "batchId should assign value. Ack: " + canal::text_format(*ack)
        );
    }
    if (ack->batch_id == -1) co_return Result<void>{};
    Result<Target> target = find_target(ack->destination, ack->client_id);
    if (!target) co_return co_await send_failure(std::move(target).error());
    const Executor strand = target->instance->strand();
    const BatchId batch{ack->batch_id};
    Result<void> done = co_await run_on(strand, target->instance->ack(target->client, batch));
    unacked_ -= std::min<size_t>(unacked_, 1);
    last_write_ = steady_now();
    if (!done) co_return co_await send_failure(std::move(done).error());
    co_return Result<void>{};
}

Awaitable<Result<void>> Session::on_rollback(Bytes body) {
    Result<canal::ClientRollback> rollback = canal::parse_client_rollback(body);
    if (!rollback) co_return co_await send_failure(std::move(rollback).error());
    if (rollback->destination.empty() || rollback->client_id.empty()) {
        co_return co_await send_error(
            kNoDestination,
            "destination or clientId is null. Rollback: " + canal::text_format(*rollback)
        );
    }
    Result<Target> target = find_target(rollback->destination, rollback->client_id);
    if (!target) {
        // Clients roll back before they subscribe; that must not fail the start of a lazy
        // destination.
        if (context_.instances.knows(rollback->destination)) co_return Result<void>{};
        co_return co_await send_failure(std::move(target).error());
    }
    const Executor strand = target->instance->strand();
    const BatchId batch{rollback->batch_id};
    Result<void> done = co_await run_on(strand, target->instance->rollback(target->client, batch));
    unacked_ = 0;
    last_write_ = steady_now();
    if (!done) co_return co_await send_failure(std::move(done).error());
    co_return Result<void>{};
}

}  // namespace obcanal::session
