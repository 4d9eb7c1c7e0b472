#include "protocol/client/mysql_connection.h"

#include "protocol/mysql/auth.h"
#include "protocol/net/asio.h"

#include <utility>

namespace obcanal::client {
namespace {

constexpr size_t kReadBytes = 128 * 1024;

}  // namespace

MysqlConnection::MysqlConnection(MysqlOptions options, Stream stream)
    : options_(std::move(options)),
      stream_(std::move(stream)),
      deadline_(stream_),
      input_(kReadBytes) {}

MysqlConnection::~MysqlConnection() { stream_.close(); }

Awaitable<Result<std::unique_ptr<MysqlConnection>>> MysqlConnection::open(MysqlOptions options) {
    ConnectOptions how;
    how.timeout = options.connect_timeout;
    how.receive_buffer = options.receive_buffer;
    how.opening = options.opening;
    const Endpoint to = options.server;
    Result<Stream> stream = co_await connect(to, how);
    if (!stream) co_return std::move(stream).error();
    std::unique_ptr<MysqlConnection> connection(
        new MysqlConnection(std::move(options), std::move(stream).value())
    );
    Result<void> in = co_await connection->log_in();
    if (!in) co_return std::move(in).error();
    co_return connection;
}

Awaitable<Result<void>> MysqlConnection::write(std::string payload) {
    std::string packet;
    packet.reserve(payload.size() + mysql::kPacketHeader);
    mysql::append_packet(packet, payload, sequence_);
    packets_.expect_sequence(sequence_);
    watch();
    Result<void> sent = co_await stream_.write(as_bytes(packet));
    co_return sent;
}

Awaitable<Result<void>> MysqlConnection::send(std::string payload) {
    sequence_ = 0;
    Result<void> sent = co_await write(std::move(payload));
    co_return sent;
}

Result<std::optional<Bytes>> MysqlConnection::received() {
    Result<std::optional<mysql::Packet>> packet = packets_.next(input_);
    if (!packet) return std::move(packet).error();
    if (!*packet) return std::optional<Bytes>();
    sequence_ = static_cast<uint8_t>((*packet)->sequence + 1);
    return std::optional<Bytes>((*packet)->payload);
}

Awaitable<Result<Bytes>> MysqlConnection::receive() {
    for (;;) {
        Result<std::optional<Bytes>> packet = received();
        if (!packet) co_return std::move(packet).error();
        if (*packet) co_return **packet;
        Result<void> read = co_await read_more();
        if (!read) co_return std::move(read).error();
    }
}

// A timer that is set anew for each read costs more than the read: it is a little late instead.
void MysqlConnection::watch() {
    constexpr int kLate = 16;
    const SteadyTime now = steady_now();
    const auto late = options_.read_timeout / kLate;
    if (armed_ != SteadyTime{} && now - armed_ < late) return;
    armed_ = now;
    deadline_.arm(options_.read_timeout + late);
}

Awaitable<Result<void>> MysqlConnection::read_more() {
    if (input_.pending().empty()) input_.shrink();
    watch();
    Result<size_t> count = co_await stream_.read_some(input_.room(kReadBytes));
    if (deadline_.expired()) {
        co_return Error{
            Errc::Timeout,
            Retry::Backoff,
            "silent for " + std::to_string(options_.read_timeout.count()) + " ms"
        };
    }
    if (!count) {
        Error error = std::move(count).error();
        error.retry = Retry::Backoff;
        co_return error;
    }
    input_.received(*count);
    bytes_ += *count;
    co_return Result<void>{};
}

Awaitable<Result<void>> MysqlConnection::start_tls(const mysql::LoginOptions& login) {
    Result<void> asked = co_await write(mysql::tls_request(greeting_, login));
    if (!asked) co_return asked;
    // What came before the encryption could have been put there by anybody.
    if (!input_.pending().empty())
        co_return Error{Errc::BadPacket, Retry::Backoff, "bytes before the TLS handshake"};
    Result<void> secure = co_await stream_.start_tls(options_.tls, options_.server.host);
    if (!secure && deadline_.expired())
        co_return Error{Errc::Timeout, Retry::Backoff, "the TLS handshake takes too long"};
    co_return secure;
}

Awaitable<Result<void>> MysqlConnection::authenticate(const mysql::LoginOptions& login) {
    mysql::Authenticator dialogue(options_.password, stream_.encrypted());
    const std::string plugin(dialogue.choose(greeting_.plugin));
    Result<std::string> first = dialogue.first_answer(greeting_.seed);
    if (!first) co_return std::move(first).error();
    Result<void> sent = co_await write(mysql::login_packet(greeting_, login, plugin, *first));
    if (!sent) co_return sent;
    for (;;) {
        Result<Bytes> packet = co_await receive();
        if (!packet) co_return std::move(packet).error();
        Result<mysql::Authenticator::Step> step = dialogue.receive(*packet);
        if (!step) co_return std::move(step).error();
        if (step->done) co_return Result<void>{};
        if (!step->answer) continue;
        Result<void> answered = co_await write(*step->answer);
        if (!answered) co_return answered;
    }
}

Awaitable<Result<void>> MysqlConnection::log_in() {
    using Tls = MysqlOptions::Tls;
    Result<Bytes> packet = co_await receive();
    if (!packet) co_return std::move(packet).error().in("greeting");
    Result<mysql::Greeting> greeting = mysql::parse_greeting(*packet);
    if (!greeting) co_return std::move(greeting).error();
    greeting_ = std::move(greeting).value();
    mysql::LoginOptions login;
    login.user = options_.user;
    login.database = options_.database;
    login.tls = options_.tls_wanted != Tls::Off && greeting_.offers_tls();
    if (options_.tls_wanted == Tls::Required && !login.tls)
        co_return Error{Errc::Auth, Retry::Backoff, "TLS is required and the server offers none"};
    if (login.tls) {
        Result<void> secure = co_await start_tls(login);
        if (!secure) co_return secure;
    }
    Result<void> in = co_await authenticate(login);
    if (!in) {
        const std::string who = "user '" + printable(options_.user, 100) + "'";
        co_return std::move(in).error().in(who);
    }
    co_return in;
}

Awaitable<Result<mysql::QueryResult>> MysqlConnection::query(std::string sql) {
    mysql::QueryResult result(printable(sql, 200));
    Result<void> sent = co_await send(mysql::query_command(sql));
    if (!sent) co_return std::move(sent).error();
    for (;;) {
        Result<Bytes> packet = co_await receive();
        if (!packet) co_return std::move(packet).error().in(printable(sql, 200));
        Result<bool> done = result.receive(*packet);
        if (!done) co_return std::move(done).error();
        if (*done) co_return result;
    }
}

void MysqlConnection::close() { stream_.close(); }

std::string quoted(std::string_view text) {
    std::string out = "'";
    for (const char c : text) {
        if (c == '\'' || c == '\\') out += c;
        out += c;
    }
    return out + "'";
}

std::string quoted_name(std::string_view name) {
    std::string out = "`";
    for (const char c : name) {
        if (c == '`') out += c;
        out += c;
    }
    return out + "`";
}

}  // namespace obcanal::client
