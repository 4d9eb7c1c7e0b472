#include "protocol/net/stream.h"

#include "protocol/net/asio.h"

#include <boost/asio/ssl.hpp>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

namespace obcanal {
namespace {

using Socket = asio::ip::tcp::socket;
using TlsSocket = asio::ssl::stream<Socket&>;

std::string endpoint_text(const asio::ip::tcp::endpoint& endpoint) {
    return Endpoint{endpoint.address().to_string(), endpoint.port()}.text();
}

// On the way to ourselves nothing is congested, and an algorithm that paces what is sent (BBR is
// the default of many systems) sets a timer for each segment, which costs more than the segment.
void send_unpaced(Socket& socket) {
    constexpr std::string_view kUnpaced = "reno";  // every kernel has it, for everybody
    ::setsockopt(
        socket.native_handle(), IPPROTO_TCP, TCP_CONGESTION, kUnpaced.data(), kUnpaced.size()
    );
}

}  // namespace

// The TLS layer of a connection, and what was read ahead of read_some().
struct TlsState {
    TlsState(Socket& socket, std::shared_ptr<asio::ssl::context> with)
        : context(std::move(with)),
          stream(socket, *context),
          ahead_changed(socket.get_executor(), asio::steady_timer::time_point::max()) {}

    Bytes ahead() const { return Bytes(buffer).subspan(ahead_begin, ahead_end - ahead_begin); }

    std::shared_ptr<asio::ssl::context> context;
    TlsSocket stream;
    bool reading_ahead = false;
    boost::system::error_code ahead_failure;
    size_t ahead_begin = 0;
    size_t ahead_end = 0;
    std::array<std::byte, 512> buffer;
    asio::steady_timer ahead_changed;  // never expires: cancelling it wakes who waits
};

struct ConnectionState {
    explicit ConnectionState(Socket connected) : socket(std::move(connected)) { name_ends(); }

    void name_ends() {
        boost::system::error_code ignored;
        const auto remote = socket.remote_endpoint(ignored);
        if (!ignored) {
            peer = endpoint_text(remote);
            peer_address = remote.address();
        }
        const auto here = socket.local_endpoint(ignored);
        if (!ignored) local = endpoint_text(here);
        if (!ignored && remote.address() == here.address()) send_unpaced(socket);
    }

    Socket socket;
    std::unique_ptr<TlsState> tls;
    bool closed = false;  // by us, for good
    size_t low_water = 1;
    asio::ip::address peer_address;
    std::string peer = "?";
    std::string local = "?";
};

Awaitable<Result<void>> Stream::handshake() {
    const std::shared_ptr<ConnectionState> state = state_;
    if (!state->tls) co_return Result<void>{};
    auto [code] =
        co_await state->tls->stream.async_handshake(asio::ssl::stream_base::server, kNoThrow);
    if (!code) co_return Result<void>{};
    const bool gone = to_error(code, "").code == Errc::Closed;
    co_return Error{
        gone ? Errc::Closed : Errc::Auth,
        Retry::Never,
        "TLS handshake with " + state->peer + ": " + code.message()
    };
}

Awaitable<Result<size_t>> Stream::read_some(std::span<std::byte> into) {
    const std::shared_ptr<ConnectionState> state = state_;
    const asio::mutable_buffer buffer(into.data(), into.size());
    boost::system::error_code code;
    size_t count = 0;
    if (TlsState* const tls = state->tls.get()) {
        while (tls->reading_ahead) co_await tls->ahead_changed.async_wait(kNoThrow);
        if (!tls->ahead().empty()) {
            const Bytes ahead = tls->ahead();
            count = std::min(into.size(), ahead.size());
            std::copy_n(ahead.begin(), count, into.begin());
            tls->ahead_begin += count;
            co_return count;
        }
        code = tls->ahead_failure;
        if (!code) std::tie(code, count) = co_await tls->stream.async_read_some(buffer, kNoThrow);
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
            std::tie(code, count) =
                co_await asio::async_write(state->tls->stream, buffers, kNoThrow);
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

namespace {

Awaitable<void> read_ahead(std::shared_ptr<ConnectionState> state) {
    TlsState& tls = *state->tls;
    const asio::mutable_buffer buffer(tls.buffer.data(), tls.buffer.size());
    auto [code, count] = co_await tls.stream.async_read_some(buffer, kNoThrow);
    tls.ahead_failure = code;
    tls.ahead_begin = 0;
    tls.ahead_end = count;
    tls.reading_ahead = false;
    tls.ahead_changed.cancel();
}

}  // namespace

Awaitable<void> Stream::wait_readable() {
    const std::shared_ptr<ConnectionState> state = state_;
    TlsState* const tls = state->tls.get();
    if (tls == nullptr) {
        co_await state->socket.async_wait(Socket::wait_read, kNoThrow);
        co_return;
    }
    if (!tls->ahead().empty() || tls->ahead_failure) co_return;
    if (!tls->reading_ahead) {
        tls->reading_ahead = true;
        asio::co_spawn(executor(), read_ahead(state), asio::detached);
    }
    co_await tls->ahead_changed.async_wait(kNoThrow);
}

void Stream::stop_waiting() {
    // A TLS read that was begun goes on: cut short it could lose a record. read_some() takes it
    // over.
    boost::system::error_code ignored;
    if (state_->tls) {
        state_->tls->ahead_changed.cancel();
    } else {
        state_->socket.cancel(ignored);
    }
}

bool Stream::at_end() const {
    if (const TlsState* const tls = state_->tls.get())
        return tls->ahead().empty() && tls->ahead_failure.failed();
    std::byte byte;
    const auto got = ::recv(state_->socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

void Stream::close() {
    state_->closed = true;
    boost::system::error_code ignored;
    state_->socket.shutdown(Socket::shutdown_both, ignored);
    state_->socket.close(ignored);
}

bool Stream::is_open() const { return state_->socket.is_open(); }

void Stream::quick_ack() {
    const int on = 1;
    ::setsockopt(state_->socket.native_handle(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

void Stream::set_low_water(size_t bytes) {
    if (state_->tls || state_->low_water == bytes) return;
    state_->low_water = bytes;
    boost::system::error_code ignored;
    const auto most = static_cast<size_t>(std::numeric_limits<int>::max());
    const asio::socket_base::receive_low_watermark mark(static_cast<int>(std::min(bytes, most)));
    state_->socket.set_option(mark, ignored);
}

void Stream::set_receive_buffer(int bytes) {
    boost::system::error_code ignored;
    state_->socket.set_option(asio::socket_base::receive_buffer_size(bytes), ignored);
}

const std::string& Stream::peer() const { return state_->peer; }

const std::string& Stream::local() const { return state_->local; }

bool Stream::encrypted() const { return state_->tls != nullptr; }

std::string Stream::peer_address() const {
    const asio::ip::address& address = state_->peer_address;
    if (address.is_v6() && address.to_v6().is_v4_mapped())
        return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
    return address.to_string();
}

bool Stream::peer_is_loopback() const {
    const asio::ip::address& address = state_->peer_address;
    if (address.is_v6() && address.to_v6().is_v4_mapped())
        return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).is_loopback();
    return address.is_loopback();
}

Executor Stream::executor() const { return state_->socket.get_executor(); }

namespace {

using TlsContext = asio::ssl::context;

Error bad_file(std::string_view what, const std::string& file, std::string_view why) {
    std::string text = "TLS " + std::string(what) + " " + file + ": " + std::string(why);
    return {Errc::BadConfig, Retry::Never, std::move(text)};
}

Result<std::shared_ptr<TlsContext>> make_context(TlsContext::method method) {
    auto context = std::make_shared<TlsContext>(method);
    boost::system::error_code code;
    context->set_options(
        TlsContext::default_workarounds | TlsContext::no_sslv2 | TlsContext::no_sslv3 |
            TlsContext::no_tlsv1 | TlsContext::no_tlsv1_1,
        code
    );
    if (code) return Error{Errc::Unsupported, Retry::Never, "TLS 1.2: " + code.message()};
    return context;
}

Result<void> use_certificate(
    TlsContext& context, const std::string& cert_file, const std::string& key_file
) {
    boost::system::error_code code;
    context.use_certificate_chain_file(cert_file, code);
    if (code) return bad_file("certificate", cert_file, code.message());
    context.use_private_key_file(key_file, TlsContext::pem, code);
    if (code) return bad_file("key", key_file, code.message());
    if (SSL_CTX_check_private_key(context.native_handle()) != 1)
        return bad_file("key", key_file, "does not belong to " + cert_file);
    return {};
}

Result<std::shared_ptr<TlsContext>> make_client_context(const TlsClientOptions& options) {
    Result<std::shared_ptr<TlsContext>> context = make_context(TlsContext::tls_client);
    if (!context) return context;
    boost::system::error_code code;
    if (options.ca_file.empty()) {
        (*context)->set_default_verify_paths(code);
    } else {
        (*context)->load_verify_file(options.ca_file, code);
    }
    if (code) return bad_file("CA", options.ca_file, code.message());
    if (!options.cert_file.empty()) {
        Result<void> used = use_certificate(**context, options.cert_file, options.key_file);
        if (!used) return std::move(used).error();
    }
    (*context)->set_verify_mode(
        options.verify_chain ? asio::ssl::verify_peer : asio::ssl::verify_none, code
    );
    if (code) return Error{Errc::Unsupported, Retry::Never, "TLS: " + code.message()};
    return context;
}

Result<std::shared_ptr<TlsContext>> make_server_context(const TlsServerOptions& options) {
    Result<std::shared_ptr<TlsContext>> context = make_context(TlsContext::tls_server);
    if (!context) return context;
    Result<void> used = use_certificate(**context, options.cert_file, options.key_file);
    if (!used) return std::move(used).error();
    SSL_CTX* const native = (*context)->native_handle();
    SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
    // Without a name OpenSSL refuses to resume the sessions of clients that showed a certificate.
    constexpr std::array<unsigned char, 7> kName{'o', 'b', 'c', 'a', 'n', 'a', 'l'};
    SSL_CTX_set_session_id_context(native, kName.data(), kName.size());
    if (options.client_ca_file.empty()) return context;
    boost::system::error_code code;
    (*context)->load_verify_file(options.client_ca_file, code);
    if (code) return bad_file("client CA", options.client_ca_file, code.message());
    SSL_CTX_set_client_CA_list(native, SSL_load_client_CA_file(options.client_ca_file.c_str()));
    (*context)->set_verify_mode(
        asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert, code
    );
    if (code) return Error{Errc::Unsupported, Retry::Never, "TLS: " + code.message()};
    return context;
}

}  // namespace

Awaitable<Result<void>> Stream::start_tls(TlsClientOptions options, std::string host) {
    const std::shared_ptr<ConnectionState> state = state_;
    Result<std::shared_ptr<TlsContext>> context = make_client_context(options);
    if (!context) co_return std::move(context).error();
    state->tls = std::make_unique<TlsState>(state->socket, std::move(context).value());
    boost::system::error_code code;
    if (options.verify_host) {
        state->tls->stream.set_verify_callback(asio::ssl::host_name_verification(host), code);
    }
    std::tie(code) =
        co_await state->tls->stream.async_handshake(asio::ssl::stream_base::client, kNoThrow);
    if (code) co_return Error{Errc::Auth, Retry::Backoff, "TLS: " + code.message()};
    co_return Result<void>{};
}

Awaitable<Result<Stream>> connect(Endpoint to, ConnectOptions options) {
    const Executor executor = co_await asio::this_coro::executor;
    asio::ip::tcp::resolver resolver(executor);
    auto state = std::make_shared<ConnectionState>(Socket(executor));
    Stream stream(state);
    state->peer = to.text();
    if (options.opening) options.opening(stream);
    Deadline deadline(stream);
    deadline.arm(options.timeout);
    const std::string context = "connect to " + to.text();

    auto [resolve_code, addresses] =
        co_await resolver.async_resolve(to.host, std::to_string(to.port), kNoThrow);
    if (resolve_code) co_return to_error(resolve_code, context);
    // One address after the other, because the deadline ends an attempt by closing the socket.
    boost::system::error_code code = asio::error::host_not_found;
    for (const auto& address : addresses) {
        if (state->closed) break;
        boost::system::error_code ignored;
        state->socket.close(ignored);
        if (options.receive_buffer > 0) {  // counts for the window only when it is set before
            state->socket.open(address.endpoint().protocol(), ignored);
            state->socket.set_option(
                asio::socket_base::receive_buffer_size(options.receive_buffer), ignored
            );
        }
        std::tie(code) = co_await state->socket.async_connect(address.endpoint(), kNoThrow);
        if (!code) break;
    }
    if (deadline.expired())
        co_return Error{Errc::Timeout, Retry::Backoff, context + ": no answer in time"};
    if (state->closed) co_return Error{Errc::Closed, Retry::Backoff, context + ": closed"};
    if (code) co_return to_error(code, context);

    boost::system::error_code ignored;
    state->socket.set_option(asio::ip::tcp::no_delay(true), ignored);
    state->socket.set_option(asio::socket_base::keep_alive(true), ignored);
    state->name_ends();
    if (options.tls) {
        Result<void> secure = co_await stream.start_tls(*options.tls, to.host);
        if (deadline.expired())
            co_return Error{
                Errc::Timeout, Retry::Backoff, context + ": TLS handshake took too long"
            };
        if (!secure) co_return std::move(secure).error().in(context);
    }
    deadline.disarm();
    co_return stream;
}

struct Listener::State {
    asio::ip::tcp::acceptor acceptor;
    Executor executor;
    std::shared_ptr<TlsContext> tls;
};

Listener::Listener(std::unique_ptr<State> state) : state_(std::move(state)) {}

Listener::Listener(Listener&&) noexcept = default;

Listener& Listener::operator=(Listener&&) noexcept = default;

Listener::~Listener() = default;

Result<Listener> Listener::bind(
    Executor executor,
    const std::string& host,
    uint16_t port,
    const std::optional<TlsServerOptions>& tls
) {
    std::shared_ptr<TlsContext> context;
    if (tls) {
        Result<std::shared_ptr<TlsContext>> made = make_server_context(*tls);
        if (!made) return std::move(made).error();
        context = std::move(made).value();
    }
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
    auto state = std::make_unique<State>(
        State{asio::ip::tcp::acceptor(executor), executor, std::move(context)}
    );
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
    if (state_->tls) state->tls = std::make_unique<TlsState>(state->socket, state_->tls);
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
