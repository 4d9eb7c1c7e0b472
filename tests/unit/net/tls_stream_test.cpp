// TLS on the server's side over loopback: certificates on both ends, peers that say nothing, and a
// wait that notices a client that went away without losing what it reads ahead.
#include "protocol/net/asio.h"
#include "protocol/net/stream.h"
#include "tests/unit/net/certificates.h"

#include <gtest/gtest.h>

#include <string>

namespace obcanal {
namespace {

using namespace std::chrono_literals;

class TlsStreamTest : public testing::Test {
 protected:
    void SetUp() override {
        certificates_.make("server");
        certificates_.make("client");
    }

    TlsServerOptions server_options() const {
        return {certificates_.cert("server"), certificates_.key("server"), ""};
    }

    Listener listen(const TlsServerOptions& options) {
        Result<Listener> bound = Listener::bind(context_.get_executor(), "127.0.0.1", 0, options);
        EXPECT_TRUE(bound.ok());
        return std::move(bound).value();
    }

    ConnectOptions client_options(bool with_certificate) const {
        ConnectOptions options;
        options.tls = TlsClientOptions{certificates_.ca("server"), "", "", false};
        if (with_certificate) {
            options.tls->cert_file = certificates_.cert("client");
            options.tls->key_file = certificates_.key("client");
        }
        return options;
    }

    void run(Awaitable<void> server, Awaitable<void> client) {
        asio::co_spawn(context_, std::move(server), rethrow);
        asio::co_spawn(context_, std::move(client), rethrow);
        context_.run_for(20s);
        EXPECT_TRUE(context_.stopped()) << "still waiting";
    }

    static void rethrow(std::exception_ptr failure) {
        if (failure) std::rethrow_exception(failure);
    }

    TestCertificates certificates_;
    asio::io_context context_{1};
};

struct Outcome {
    Result<void> handshake = Error{};
    std::string text;
    Result<size_t> end = Error{};
    bool expired = false;
};

Awaitable<void> read_text(Stream stream, size_t size, std::string& text) {
    std::array<std::byte, 100> buffer;
    while (text.size() < size) {
        Result<size_t> count = co_await stream.read_some(buffer);
        if (!count) co_return;
        text += as_text(Bytes(buffer).first(*count));
    }
}

// Serves one connection: reads `size` bytes, then to the end.
Awaitable<void> serve_one(
    Listener& listener, std::chrono::milliseconds limit, size_t size, Outcome& to
) {
    Result<Stream> accepted = co_await listener.accept();
    EXPECT_TRUE(accepted.ok());
    Stream stream = *accepted;
    Deadline deadline(stream);
    deadline.arm(limit);
    to.handshake = co_await stream.handshake();
    to.expired = deadline.expired();
    if (!to.handshake) co_return;
    co_await read_text(stream, size, to.text);
    std::array<std::byte, 1> byte;
    to.end = co_await stream.read_some(byte);
    deadline.disarm();
}

Awaitable<void> say(uint16_t port, ConnectOptions options, std::string text, Result<void>& to) {
    const Endpoint where{"127.0.0.1", port};
    Result<Stream> connected = co_await connect(where, options);
    if (!connected) {
        to = connected.error();
        co_return;
    }
    Stream stream = *connected;
    to = co_await stream.write(as_bytes(text));
    // TLS 1.3 tells a client only here that its certificate was refused.
    std::array<std::byte, 1> byte;
    Deadline deadline(stream);
    deadline.arm(100ms);
    Result<size_t> answer = co_await stream.read_some(byte);
    if (!answer && !deadline.expired()) to = answer.error();
    stream.close();
}

TEST_F(TlsStreamTest, BytesGoThroughAndTheEndIsSeen) {
    Listener listener = listen(server_options());
    Outcome outcome;
    Result<void> client;
    const std::string text(100'000, 'x');
    run(serve_one(listener, 10s, text.size(), outcome),
        say(listener.port(), client_options(false), text, client));
    EXPECT_TRUE(outcome.handshake.ok());
    EXPECT_TRUE(client.ok());
    EXPECT_EQ(outcome.text, text);
    ASSERT_FALSE(outcome.end.ok());
    EXPECT_EQ(outcome.end.error().code, Errc::Closed);
}

TEST_F(TlsStreamTest, WithAClientCaOnlyItsCertificatesAreLetIn) {
    TlsServerOptions options = server_options();
    options.client_ca_file = certificates_.ca("client");
    Listener listener = listen(options);
    Outcome stranger;
    Result<void> refused;
    run(serve_one(listener, 10s, 5, stranger),
        say(listener.port(), client_options(false), "hello", refused));
    ASSERT_FALSE(stranger.handshake.ok());
    EXPECT_EQ(stranger.handshake.error().code, Errc::Auth);
    EXPECT_FALSE(refused.ok());
    EXPECT_EQ(stranger.text, "");

    context_.restart();
    Outcome known;
    Result<void> let_in;
    run(serve_one(listener, 10s, 5, known),
        say(listener.port(), client_options(true), "hello", let_in));
    EXPECT_TRUE(known.handshake.ok());
    EXPECT_EQ(known.text, "hello");
}

TEST_F(TlsStreamTest, PlainBytesAreNoHandshake) {
    Listener listener = listen(server_options());
    Outcome outcome;
    Result<void> client;
    run(serve_one(listener, 10s, 5, outcome),
        say(listener.port(), ConnectOptions{}, "GET / HTTP/1.1\r\n\r\n", client));
    ASSERT_FALSE(outcome.handshake.ok());
    EXPECT_EQ(outcome.handshake.error().code, Errc::Auth);
    EXPECT_FALSE(outcome.expired);
}

TEST_F(TlsStreamTest, ASilentPeerIsLeftAtTheDeadline) {
    Listener listener = listen(server_options());
    Outcome outcome;
    asio::ip::tcp::socket silent(context_);
    silent.connect({asio::ip::make_address("127.0.0.1"), listener.port()});
    asio::co_spawn(context_, serve_one(listener, 50ms, 5, outcome), rethrow);
    context_.run_for(10s);
    EXPECT_TRUE(outcome.expired);
    EXPECT_FALSE(outcome.handshake.ok());
}

Awaitable<void> wait_for_change(Stream stream, int& woken, bool& gone) {
    co_await stream.wait_readable();
    ++woken;
    gone = stream.at_end();
}

struct Watch {
    int woken = 0;
    bool gone = false;
    std::string text;
    int stopped_woken = 0;
    bool stopped_gone = true;
};

Awaitable<void> pause(std::chrono::milliseconds time) {
    const Executor executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, time);
    co_await timer.async_wait(kNoThrow);
}

// As a session does while a get waits: watches, is stopped, answers, reads the next request, and
// watches again until the client is gone.
Awaitable<void> watch(Listener& listener, Watch& to) {
    Result<Stream> accepted = co_await listener.accept();
    Stream stream = *accepted;
    Result<void> secure = co_await stream.handshake();
    EXPECT_TRUE(secure.ok());
    asio::co_spawn(
        stream.executor(),
        wait_for_change(stream, to.stopped_woken, to.stopped_gone),
        asio::detached
    );
    co_await pause(20ms);
    EXPECT_EQ(to.stopped_woken, 0);
    stream.stop_waiting();
    const std::string answer = "answer";
    Result<void> written = co_await stream.write(as_bytes(answer));
    EXPECT_TRUE(written.ok());
    co_await read_text(stream, 7, to.text);
    co_await wait_for_change(stream, to.woken, to.gone);
}

Awaitable<void> ask_and_go(uint16_t port, ConnectOptions options, std::string& answer) {
    const Endpoint where{"127.0.0.1", port};
    Result<Stream> connected = co_await connect(where, options);
    EXPECT_TRUE(connected.ok());
    Stream stream = *connected;
    co_await read_text(stream, 6, answer);
    const std::string request = "request";
    Result<void> written = co_await stream.write(as_bytes(request));
    EXPECT_TRUE(written.ok());
    co_await pause(20ms);
    stream.close();
}

TEST_F(TlsStreamTest, AWaitSeesTheClientGoAndLosesNothing) {
    Listener listener = listen(server_options());
    Watch seen;
    std::string answer;
    run(watch(listener, seen), ask_and_go(listener.port(), client_options(false), answer));
    EXPECT_EQ(seen.stopped_woken, 1);
    EXPECT_FALSE(seen.stopped_gone);
    EXPECT_EQ(answer, "answer");
    EXPECT_EQ(seen.text, "request");
    EXPECT_EQ(seen.woken, 1);
    EXPECT_TRUE(seen.gone);
}

TEST_F(TlsStreamTest, FilesThatCantBeUsedAreNamed) {
    const auto failure = [this](const TlsServerOptions& options) {
        const auto bound = Listener::bind(context_.get_executor(), "127.0.0.1", 0, options);
        EXPECT_FALSE(bound.ok());
        if (bound.ok()) return std::string();
        EXPECT_EQ(bound.error().code, Errc::BadConfig);
        return bound.error().detail;
    };
    TlsServerOptions options = server_options();
    options.cert_file = "/nowhere.crt";
    EXPECT_NE(failure(options).find("TLS certificate /nowhere.crt: "), std::string::npos);
    options = server_options();
    options.key_file = certificates_.key("client");
    EXPECT_NE(failure(options).find("TLS key " + options.key_file), std::string::npos);
    options = server_options();
    options.client_ca_file = certificates_.key("client");
    EXPECT_NE(failure(options).find("TLS client CA "), std::string::npos);
}

}  // namespace
}  // namespace obcanal
