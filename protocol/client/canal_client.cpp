#include "protocol/client/canal_client.h"

#include "protocol/base/crypto.h"
#include "protocol/canal/frame.h"
#include "protocol/net/asio.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace obcanal::client {

using canal::PacketType;

namespace {

constexpr size_t kReadBytes = 256 * 1024;
// Of a large answer we are woken for so many at a time: each wake-up costs the server, too.
constexpr size_t kWakeBytes = 512 * 1024;
constexpr size_t kKeepBytes = size_t{16} << 20;
constexpr int32_t kProtocolVersion = 1;
constexpr int32_t kIdleTimeoutMs = 3'600'000;  // what the stock clients ask for
constexpr int32_t kMilliseconds = 2;           // ordinal of java.util.concurrent.TimeUnit

Error refused(const canal::Ack& ack) {
    std::string text(trim(ack.error_message));
    if (text.empty()) text = "no reason given";
    return {Errc::Refused, Retry::Never, text + " (error " + std::to_string(ack.error_code) + ")"};
}

Error unexpected(const canal::Packet& packet, std::string_view instead_of) {
    return {
        Errc::BadPacket,
        Retry::Never,
        "packet " + std::string(canal::packet_type_name(packet.type)) + " instead of " +
            std::string(instead_of)
    };
}

// An acknowledgement, or the error that the server put into one.
Result<void> check_ack(const canal::Packet& packet, std::string_view instead_of) {
    if (packet.type != PacketType::Ack) return unexpected(packet, instead_of);
    Result<canal::Ack> ack = canal::parse_ack(packet.body);
    if (!ack) return std::move(ack).error();
    if (ack->error_code > 0) return refused(*ack);
    return {};
}

}  // namespace

CanalClient::CanalClient(Stream stream, CanalClientOptions options)
    : options_(std::move(options)),
      client_id_(std::to_string(options_.client_id.value)),
      stream_(std::move(stream)),
      deadline_(stream_),
      input_(kReadBytes) {}

Awaitable<Result<std::unique_ptr<CanalClient>>> CanalClient::open(CanalClientOptions options) {
    const Endpoint server = options.server;
    ConnectOptions connecting;
    connecting.timeout = options.connect_timeout;
    Result<Stream> stream = co_await connect(server, connecting);
    if (!stream) co_return std::move(stream).error();
    std::unique_ptr<CanalClient> client(
        new CanalClient(std::move(stream).value(), std::move(options))
    );
    Result<void> in = co_await client->log_in();
    if (!in) co_return std::move(in).error().in(server.text());
    co_return client;
}

Awaitable<Result<void>> CanalClient::log_in() {
    Result<canal::Packet> hello = co_await next_packet();
    if (!hello) co_return std::move(hello).error();
    if (hello->type != PacketType::Handshake) co_return unexpected(*hello, "HANDSHAKE");
    if (hello->version != kProtocolVersion)
        co_return Error{Errc::Unsupported, Retry::Never, "a version of Canal's protocol beyond 1"};
    Result<canal::Handshake> handshake = canal::parse_handshake(hello->body);
    if (!handshake) co_return std::move(handshake).error();

    canal::ClientAuth auth;
    auth.username = options_.user;
    if (!options_.password.empty())
        auth.password = to_hex(scramble411(options_.password, as_bytes(handshake->seed)));
    auth.net_read_timeout = kIdleTimeoutMs;
    auth.net_write_timeout = kIdleTimeoutMs;
    queued_ += canal::encode_auth(auth);
    Result<void> in = co_await expect_ack("login");
    if (!in && in.error().code == Errc::Refused)
        co_return Error{Errc::Auth, Retry::Never, in.error().detail};
    co_return in;
}

Awaitable<Result<void>> CanalClient::expect_ack(std::string_view request) {
    Result<void> sent = co_await flush();
    if (!sent) co_return sent;
    Result<canal::Packet> answer = co_await next_packet();
    if (!answer) co_return std::move(answer).error().in(request);
    co_return check_ack(*answer, "ACK");
}

Awaitable<Result<void>> CanalClient::subscribe(std::string filter) {
    rollback();
    queued_ += canal::encode_subscribe({options_.destination, client_id_, std::move(filter)});
    Result<void> done = co_await expect_ack("subscribe");
    co_return done;
}

Awaitable<Result<void>> CanalClient::unsubscribe() {
    queued_ += canal::encode_unsubscribe({options_.destination, client_id_, {}});
    Result<void> done = co_await expect_ack("unsubscribe");
    co_return done;
}

void CanalClient::ask(GetSize size) {
    canal::Get get;
    get.destination = options_.destination;
    get.client_id = client_id_;
    get.fetch_size = size.fetch_size;
    get.timeout = size.wait ? size.wait->count() : -1;
    get.unit = kMilliseconds;
    get.auto_ack = false;
    queued_ += canal::encode_get(get);
    longest_wait_ = std::max(longest_wait_, size.wait.value_or(std::chrono::milliseconds(0)));
    ++asked_;
}

void CanalClient::ack(canal::BatchId batch) {
    queued_ += canal::encode_client_ack({options_.destination, client_id_, batch.value});
}

void CanalClient::rollback() {
    queued_ += canal::encode_rollback({options_.destination, client_id_, 0});
}

Awaitable<Result<void>> CanalClient::flush() {
    // Asio waits for ever with a second write to a socket that has failed: its event is gone.
    if (!written_) co_return written_;
    if (writing_) co_return Result<void>{};  // whoever writes takes this along
    writing_ = true;
    Result<void> sent;
    while (sent && !queued_.empty()) {
        leaving_.clear();
        std::swap(leaving_, queued_);
        sent = co_await stream_.write(as_bytes(leaving_));
    }
    writing_ = false;
    written_ = sent;
    co_return sent;
}

Awaitable<Result<canal::Messages>> CanalClient::receive() {
    OBC_ASSERT(asked_ > 0);
    Result<void> sent = co_await flush();
    if (!sent) co_return std::move(sent).error();
    Result<canal::Packet> packet = co_await next_packet();
    if (!packet) co_return std::move(packet).error();
    --asked_;
    if (packet->type == PacketType::Messages) co_return canal::parse_messages(packet->body);
    Result<void> refusal = check_ack(*packet, "MESSAGES");
    if (!refusal) co_return std::move(refusal).error();
    co_return unexpected(*packet, "MESSAGES");
}

void CanalClient::keep_in(InputBuffer& memory) {
    memory.consume(memory.pending().size());
    if (memory.capacity() > kKeepBytes) memory.shrink();
    const Bytes behind = input_.pending().subspan(std::exchange(consumed_, 0));
    if (!behind.empty()) {
        std::memcpy(memory.room(behind.size()).data(), behind.data(), behind.size());
        memory.received(behind.size());
    }
    std::swap(input_, memory);
}

Awaitable<Result<canal::Packet>> CanalClient::next_packet() {
    input_.consume(std::exchange(consumed_, 0));
    if (input_.capacity() > kKeepBytes) input_.shrink();
    // Several asks may each be waited for in turn.
    deadline_.arm(options_.answer_timeout + longest_wait_);
    for (;;) {
        Result<std::optional<canal::Frame>> frame =
            canal::read_frame(input_.pending(), canal::kMaxFrameBody);
        if (!frame) co_return std::move(frame).error();
        if (*frame) {
            deadline_.disarm();
            consumed_ = (*frame)->size;
            Result<canal::Packet> packet = canal::parse_packet((*frame)->body);
            if (packet && packet->compression > 1) {
                co_return Error{
                    Errc::Unsupported,
                    Retry::Never,
                    "compressed packet (" + std::to_string(packet->compression) + ")"
                };
            }
            co_return packet;
        }
        const size_t missing = canal::missing_bytes(input_.pending());
        stream_.set_low_water(missing < kReadBytes ? 1 : std::min(missing, kWakeBytes));
        if (missing >= kReadBytes) co_await stream_.wait_readable();
        Result<size_t> count = co_await stream_.read_some(input_.room(kReadBytes));
        if (!count && deadline_.expired())
            co_return Error{Errc::Timeout, Retry::Backoff, stream_.peer() + " does not answer"};
        if (!count) co_return std::move(count).error();
        input_.received(*count);
    }
}

}  // namespace obcanal::client
