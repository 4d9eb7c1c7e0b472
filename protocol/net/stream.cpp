#include "protocol/net/stream.h"

#include "protocol/net/asio.h"

#include <boost/asio/ssl.hpp>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <vector>

namespace obcanal {
namespace {

using Socket = asio::ip::tcp::socket;
using TlsSocket = asio::ssl::stream<Socket&>;

std::string endpoint_text(const asio::ip::tcp::endpoint& endpoint) {
    return Endpoint{endpoint.address().to_string(), endpoint.port()}.text();
}

}  // namespace

struct ConnectionState {
    explicit ConnectionState(Socket connected) : socket(std::move(connected)) { name_ends(); }

    void name_ends() {
        boost::system::error_code ignored;
        const auto remote = socket.remote_endpoint(ignored);
        if (!ignored) peer = endpoint_text(remote);
        const auto here = socket.local_endpoint(ignored);
        if (!ignored) local = endpoint_text(here);
    }

    Socket socket;
    std::unique_ptr<asio::ssl::context> tls_context;
    std::unique_ptr<TlsSocket> tls;
    std::string peer = "?";
    std::string local = "?";
};

Awaitable<Result<size_t>> Stream::read_some(std::span<std::byte> into) {
    const std::shared_ptr<ConnectionState> state = state_;
    const asio::mutable_buffer buffer(into.data(), into.size());
    boost::system::error_code code;
    size_t count = 0;
    if (state->tls) {
        std::tie(code, count) = co_await state->tls->async_read_some(buffer, kNoThrow);
    } else {
        std::tie(code, count) = co_await state->socket.async_read_some(buffer, kNoThrow);
    }
    if (code) co_return to_error(code, "read from " + state->peer);
    co_return count;
}

Awaitable<Result<void>> Stream::write(std::span<const Bytes> pieces) {
    const std::shared_ptr<ConnectionState> state = state_;
    boost::system::error_code code;
    size_t count = 0;
    // writev() takes 64 buffers at a time here (Asio's limit), so longer lists go in turns.
    constexpr size_t kBuffers = 64;
    std::array<asio::const_buffer, kBuffers> buffers;
    while (!pieces.empty()) {
        const size_t now = std::min(pieces.size(), kBuffers);
        for (size_t i = 0; i < kBuffers; ++i) {
            buffers[i] = i < now ? asio::const_buffer(pieces[i].data(), pieces[i].size())
                                 : asio::const_buffer();
        }
        pieces = pieces.subspan(now);
        if (state->tls) {
            std::tie(code, count) = co_await asio::async_write(*state->tls, buffers, kNoThrow);
        } else {
            std::tie(code, count) = co_await asio::async_write(state->socket, buffers, kNoThrow);
        }
        if (code) co_return to_error(code, "write to " + state->peer);
    }
    co_return Result<void>{};
}

Awaitable<Result<void>> Stream::write(Bytes piece) {
    const std::array<Bytes, 1> pieces{piece};
    Result<void> result = co_await write(std::span<const Bytes>(pieces));
    co_return result;
}

Awaitable<void> Stream::wait_readable() {
    const std::shared_ptr<ConnectionState> state = state_;
    co_await state->socket.async_wait(Socket::wait_read, kNoThrow);
}

void Stream::stop_waiting() {
    boost::system::error_code ignored;
    state_->socket.cancel(ignored);
}

bool Stream::at_end() const {
    std::byte byte;
    const auto got = ::recv(state_->socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

void Stream::close() {
    boost::system::error_code ignored;
    state_->socket.shutdown(Socket::shutdown_both, ignored);
    state_->socket.close(ignored);
}

bool Stream::is_open() const { return state_->socket.is_open(); }

void Stream::quick_ack() {
    const int on = 1;
    ::setsockopt(state_->socket.native_handle(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

void Stream::set_receive_buffer(int bytes) {
    boost::system::error_code ignored;
    state_->socket.set_option(asio::socket_base::receive_buffer_size(bytes), ignored);
}

const std::string& Stream::peer() const { return state_->peer; }

const std::string& Stream::local() const { return state_->local; }

Executor Stream::executor() const { return state_->socket.get_executor(); }

namespace {

Result<void> prepare_tls(
    ConnectionState& state, const TlsClientOptions& options, const Endpoint& to
) {
    state.tls_context = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_client);
    asio::ssl::context& context = *state.tls_context;
    boost::system::error_code code;
    context.set_options(
        asio::ssl::context::default_workarounds | asio::ssl::context::no_sslv2 |
            asio::ssl::context::no_sslv3 | asio::ssl::context::no_tlsv1 |
            asio::ssl::context::no_tlsv1_1,
        code
    );
    if (options.ca_file.empty()) {
        context.set_default_verify_paths(code);
    } else {
        context.load_verify_file(options.ca_file, code);
    }
    if (code)
        return Error{
            Errc::BadConfig, Retry::Never, "TLS CA " + options.ca_file + ": " + code.message()
        };
    if (!options.cert_file.empty()) {
        context.use_certificate_chain_file(options.cert_file, code);
        if (code)
            return Error{
                Errc::BadConfig,
                Retry::Never,
                "TLS certificate " + options.cert_file + ": " + code.message()
            };
        context.use_private_key_file(options.key_file, asio::ssl::context::pem, code);
        if (code)
            return Error{
                Errc::BadConfig, Retry::Never, "TLS key " + options.key_file + ": " + code.message()
            };
    }
    context.set_verify_mode(asio::ssl::verify_peer, code);
    state.tls = std::make_unique<TlsSocket>(state.socket, context);
    if (options.verify_host) {
        state.tls->set_verify_callback(asio::ssl::host_name_verification(to.host), code);
    }
    return {};
}

}  // namespace

Awaitable<Result<Stream>> connect(Endpoint to, ConnectOptions options) {
    const Executor executor = co_await asio::this_coro::executor;
    asio::ip::tcp::resolver resolver(executor);
    auto state = std::make_shared<ConnectionState>(Socket(executor));
    Stream stream(state);
    state->peer = to.text();
    Deadline deadline(stream);
    deadline.arm(options.timeout);
    const std::string context = "connect to " + to.text();

    auto [resolve_code, addresses] =
        co_await resolver.async_resolve(to.host, std::to_string(to.port), kNoThrow);
    if (resolve_code) co_return to_error(resolve_code, context);
    // One address after the other, because the deadline ends an attempt by closing the socket.
    boost::system::error_code code = asio::error::host_not_found;
    for (const auto& address : addresses) {
        if (deadline.expired()) break;
        boost::system::error_code ignored;
        state->socket.close(ignored);
        std::tie(code) = co_await state->socket.async_connect(address.endpoint(), kNoThrow);
        if (!code) break;
    }
    if (deadline.expired())
        co_return Error{Errc::Timeout, Retry::Backoff, context + ": no answer in time"};
    if (code) co_return to_error(code, context);

    boost::system::error_code ignored;
    state->socket.set_option(asio::ip::tcp::no_delay(true), ignored);
    state->socket.set_option(asio::socket_base::keep_alive(true), ignored);
    state->name_ends();
    if (options.tls) {
        Result<void> prepared = prepare_tls(*state, *options.tls, to);
        if (!prepared) co_return prepared.error();
        std::tie(code) =
            co_await state->tls->async_handshake(asio::ssl::stream_base::client, kNoThrow);
        if (deadline.expired())
            co_return Error{
                Errc::Timeout, Retry::Backoff, context + ": TLS handshake took too long"
            };
        if (code) co_return Error{Errc::Auth, Retry::Backoff, context + ": TLS: " + code.message()};
    }
    deadline.disarm();
    co_return stream;
}

struct Listener::State {
    asio::ip::tcp::acceptor acceptor;
    Executor executor;
};

Listener::Listener(std::unique_ptr<State> state) : state_(std::move(state)) {}

Listener::Listener(Listener&&) noexcept = default;

Listener& Listener::operator=(Listener&&) noexcept = default;

Listener::~Listener() = default;

Result<Listener> Listener::bind(Executor executor, const std::string& host, uint16_t port) {
    boost::system::error_code code;
    asio::ip::address address = asio::ip::address_v6::any();
    if (!host.empty()) {
        asio::ip::tcp::resolver resolver(executor);
        const auto found = resolver.resolve(host, std::to_string(port), code);
        if (code || found.empty()) {
            return Error{
                Errc::BadConfig, Retry::Never, "listen on " + host + ": " + code.message()
            };
        }
        address = found.begin()->endpoint().address();
    }
    auto state = std::make_unique<State>(State{asio::ip::tcp::acceptor(executor), executor});
    asio::ip::tcp::endpoint endpoint(address, port);
    state->acceptor.open(endpoint.protocol(), code);
    if (code && host.empty()) {  // a kernel without IPv6
        endpoint = asio::ip::tcp::endpoint(asio::ip::address_v4::any(), port);
        state->acceptor.open(endpoint.protocol(), code);
    }
    if (!code && endpoint.address().is_v6() && host.empty()) {
        state->acceptor.set_option(asio::ip::v6_only(false), code);
    }
    if (!code) state->acceptor.set_option(asio::socket_base::reuse_address(true), code);
    if (!code) state->acceptor.bind(endpoint, code);
    if (!code) state->acceptor.listen(4096, code);
    if (code) {
        return Error{
            Errc::Io, Retry::Never, "listen on " + endpoint_text(endpoint) + ": " + code.message()
        };
    }
    return Listener(std::move(state));
}

Awaitable<Result<Stream>> Listener::accept() {
    const Executor strand = asio::make_strand(state_->executor);
    auto [code, socket] = co_await state_->acceptor.async_accept(strand, kNoThrow);
    if (code) {
        Error error = to_error(code, "accept");
        error.retry = Retry::Backoff;
        co_return error;
    }
    boost::system::error_code ignored;
    socket.set_option(asio::ip::tcp::no_delay(true), ignored);
    socket.set_option(asio::socket_base::keep_alive(true), ignored);
    Socket any_socket(std::move(socket));
    auto state = std::make_shared<ConnectionState>(std::move(any_socket));
    co_return Stream(std::move(state));
}

void Listener::close() {
    boost::system::error_code ignored;
    state_->acceptor.close(ignored);
}

uint16_t Listener::port() const {
    boost::system::error_code ignored;
    return state_->acceptor.local_endpoint(ignored).port();
}

struct Deadline::State {
    asio::steady_timer timer;
    std::weak_ptr<ConnectionState> connection;
    uint64_t generation = 0;
    bool expired = false;
};

Deadline::Deadline(const Stream& stream)
    : state_(std::make_shared<State>(
          State{asio::steady_timer(stream.state_->socket.get_executor()), stream.state_}
      )) {}

Deadline::~Deadline() { disarm(); }

void Deadline::arm(std::chrono::milliseconds after) {
    const uint64_t generation = ++state_->generation;
    state_->timer.expires_after(after);
    state_->timer.async_wait([state = state_, generation](const boost::system::error_code& code) {
        if (code || state->generation != generation) return;
        state->expired = true;
        if (const auto connection = state->connection.lock()) Stream(connection).close();
    });
}

void Deadline::disarm() {
    ++state_->generation;
    state_->timer.cancel();
}

bool Deadline::expired() const { return state_->expired; }

}  // namespace obcanal
