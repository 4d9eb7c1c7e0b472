#include "protocol/client/admin_client.h"

#include "protocol/base/crypto.h"
#include "protocol/canal/frame.h"
#include "protocol/net/asio.h"

#include <utility>

namespace obcanal::client {

namespace pk = canal::admin;

namespace {

constexpr size_t kFrameLimit = size_t{64} << 20;

Error unexpected(pk::PacketType type) {
    return {
        Errc::BadPacket,
        Retry::Never,
        "is no admin port of a Canal server: it sent " + std::string(pk::packet_type_name(type))
    };
}

}  // namespace

AdminClient::AdminClient(Stream stream, AdminClientOptions options)
    : options_(std::move(options)), stream_(std::move(stream)), deadline_(stream_) {}

Awaitable<Result<std::unique_ptr<AdminClient>>> AdminClient::open(AdminClientOptions options) {
    ConnectOptions how;
    how.timeout = options.connect_timeout;
    how.tls = options.tls;
    const Endpoint server = options.server;
    Result<Stream> connected = co_await connect(server, how);
    if (!connected) co_return std::move(connected).error();
    std::unique_ptr<AdminClient> made(
        new AdminClient(std::move(connected).value(), std::move(options))
    );
    Result<void> in = co_await made->log_in();
    if (!in) co_return std::move(in).error().in(server.text());
    co_return made;
}

Awaitable<Result<pk::Packet>> AdminClient::next_packet() {
    input_.consume(std::exchange(consumed_, 0));
    deadline_.arm(options_.answer_timeout);
    for (;;) {
        Result<std::optional<canal::Frame>> frame =
            canal::read_frame(input_.pending(), kFrameLimit);
        if (!frame) co_return std::move(frame).error();
        if (*frame) {
            consumed_ = (*frame)->size;
            deadline_.disarm();
            co_return pk::parse_packet((*frame)->body);
        }
        constexpr size_t kReadBytes = 16 * 1024;
        Result<size_t> count = co_await stream_.read_some(input_.room(kReadBytes));
        if (!count && deadline_.expired())
            co_return Error{Errc::Timeout, Retry::Backoff, "no answer in time"};
        if (!count) co_return std::move(count).error();
        input_.received(*count);
    }
}

Awaitable<Result<void>> AdminClient::log_in() {
    Result<pk::Packet> greeting = co_await next_packet();
    if (!greeting) co_return std::move(greeting).error();
    if (greeting->type != pk::PacketType::Handshake) co_return unexpected(greeting->type);
    Result<pk::Handshake> handshake = pk::parse_handshake(greeting->body);
    if (!handshake) co_return std::move(handshake).error();
    pk::ClientAuth login;
    login.username = options_.user;
    if (!options_.password.empty())
        login.password = to_hex(scramble411(options_.password, as_bytes(handshake->seed)));
    std::string request = pk::encode_auth(login);
    Result<std::string> welcome = co_await call(std::move(request));
    if (welcome) co_return Result<void>{};
    Error refused = std::move(welcome).error();
    if (refused.code == Errc::Refused) refused.code = Errc::Auth;
    co_return refused;
}

Awaitable<Result<std::string>> AdminClient::call(std::string request) {
    Result<void> sent = co_await stream_.write(as_bytes(request));
    if (!sent) co_return std::move(sent).error();
    Result<pk::Packet> packet = co_await next_packet();
    if (!packet) co_return std::move(packet).error();
    if (packet->type != pk::PacketType::Ack) co_return unexpected(packet->type);
    Result<pk::Ack> ack = pk::parse_ack(packet->body);
    if (!ack) co_return std::move(ack).error();
    if (ack->code != 0) {
        std::string text = std::to_string(ack->code) + ": " + std::string(trim(ack->message));
        co_return Error{Errc::Refused, Retry::Never, std::move(text)};
    }
    co_return std::move(ack->message);
}

Awaitable<Result<std::string>> AdminClient::server(std::string action) {
    std::string request = pk::encode_server_admin({std::move(action)});
    Result<std::string> answer = co_await call(std::move(request));
    co_return answer;
}

Awaitable<Result<std::string>> AdminClient::instance(std::string destination, std::string action) {
    std::string request = pk::encode_instance_admin({std::move(destination), std::move(action)});
    Result<std::string> answer = co_await call(std::move(request));
    co_return answer;
}

}  // namespace obcanal::client
