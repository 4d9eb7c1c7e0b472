// The HTTP server over loopback, asked byte for byte.
#include "protocol/net/http_server.h"

#include "protocol/net/asio.h"

#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <future>
#include <string>

namespace obcanal {
namespace {

using namespace std::chrono_literals;

Awaitable<HttpResponse> echo(HttpRequest request) {
    HttpResponse response;
    response.body = request.method + " " + request.path;
    for (const auto& [name, value] : request.query) response.body += " " + name + "=" + value;
    if (!request.body.empty()) response.body += " body=" + request.body;
    if (const auto who = basic_credentials(request))
        response.body += " user=" + who->first + " password=" + who->second;
    if (request.peer_is_loopback) response.body += " loopback";
    co_return response;
}

Awaitable<HttpResponse> fail(HttpRequest) {
    throw std::runtime_error("a defect");
    co_return HttpResponse{};
}

class HttpServerTest : public testing::Test {
 protected:
    void start(HttpServer::Options options = {}) {
        options.host = "127.0.0.1";
        Result<std::unique_ptr<HttpServer>> opened = HttpServer::open(runtime_, std::move(options));
        ASSERT_TRUE(opened.ok());
        server_ = std::move(opened).value();
        server_->route("GET", "/echo", echo);
        server_->route("GET", "/below/", echo);
        server_->route("POST", "/post", echo);
        server_->route("GET", "/fail", fail);
        runtime_.start();
        server_->start();
    }

    void TearDown() override {
        asio::co_spawn(server_->strand(), server_->close(1s), asio::use_future).get();
    }

    // What comes back until the server closes, or until `answers` responses have come.
    std::string ask(const std::string& request, size_t answers = SIZE_MAX) {
        asio::io_context context;
        asio::ip::tcp::socket socket(context);
        socket.connect({asio::ip::make_address("127.0.0.1"), server_->port()});
        boost::system::error_code code;
        asio::write(socket, asio::buffer(request), code);
        std::string text;
        std::array<char, 4096> buffer;
        while (!code && count(text, "HTTP/1.1 ") < answers) {
            const size_t got = socket.read_some(asio::buffer(buffer), code);
            text.append(buffer.data(), got);
        }
        return text;
    }

    // The server waits a while for the peer of a refused request to stop sending.
    std::string refusal(const std::string& request) { return ask(request, 1); }

    static size_t count(const std::string& text, std::string_view what) {
        size_t found = 0;
        for (size_t at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++found;
        return found;
    }

    static std::string get(const std::string& target, const std::string& more = "") {
        return "GET " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + more + "\r\n";
    }

    Runtime runtime_{1};
    std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, RoutesAnswer) {
    start();
    const std::string answer = ask(get("/echo?a=1&b=x%20y+z&name%5B%5D=m&flag"));
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
    EXPECT_NE(answer.find("Content-Length: 45\r\n"), answer.npos) << answer;
    EXPECT_TRUE(answer.ends_with("\r\n\r\nGET /echo a=1 b=x y z name[]=m flag= loopback"))
        << answer;
    EXPECT_TRUE(ask(get("/below/a/b")).ends_with("GET /below/a/b loopback"));
}

TEST_F(HttpServerTest, WhatIsNotThereIsSaid) {
    start();
    EXPECT_TRUE(ask(get("/nothing")).starts_with("HTTP/1.1 404 Not Found\r\n"));
    const std::string refused =
        ask("DELETE /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(refused.starts_with("HTTP/1.1 405 Method Not Allowed\r\n")) << refused;
    EXPECT_NE(refused.find("\r\nAllow: GET, HEAD\r\n"), refused.npos);
    const std::string broken = ask(get("/fail"));
    EXPECT_TRUE(broken.starts_with("HTTP/1.1 500 ")) << broken;
    EXPECT_EQ(broken.find("a defect"), broken.npos);
}

TEST_F(HttpServerTest, HeadHasTheLengthAndNoBody) {
    start();
    const std::string answer = ask("HEAD /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_NE(answer.find("Content-Length: 19\r\n"), answer.npos) << answer;
    EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
}

TEST_F(HttpServerTest, OneConnectionServesManyRequestsAlsoInOneSegment) {
    start();
    const std::string request = "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n";
    const std::string answer = ask(request + request + get("/echo"));
    EXPECT_EQ(count(answer, "HTTP/1.1 200 OK"), 3U) << answer;
    EXPECT_EQ(count(answer, "Connection: keep-alive"), 2U);
}

TEST_F(HttpServerTest, BodiesAreReadAndBounded) {
    HttpServer::Options options;
    options.body_bytes = 10;
    start(options);
    const std::string head = "POST /post HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
    EXPECT_TRUE(ask(head + "Content-Length: 5\r\n\r\nhello").ends_with("body=hello loopback"));
    const std::string chunked =
        ask(head + "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n");
    EXPECT_TRUE(chunked.ends_with("body=hello loopback")) << chunked;
    const std::string large = refusal(head + "Content-Length: 11\r\n\r\nhello world");
    EXPECT_TRUE(large.starts_with("HTTP/1.1 413 ")) << large;
    const std::string many =
        ask(head + "Transfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n6\r\nworld!\r\n0\r\n\r\n");
    EXPECT_TRUE(many.starts_with("HTTP/1.1 413 ")) << many;
}

TEST_F(HttpServerTest, WhatIsNoHttpIsRefused) {
    start();
    EXPECT_TRUE(refusal("hello\r\n\r\n").starts_with("HTTP/1.1 400 "));
    EXPECT_TRUE(
        refusal(std::string("\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", 11) + "\r\n\r\n")
            .starts_with("HTTP/1.1 400 ")
    );
    EXPECT_TRUE(ask(get("/echo%zz")).starts_with("HTTP/1.1 400 "));
    EXPECT_TRUE(ask(get("http://other/echo")).starts_with("HTTP/1.1 400 "));
    const std::string header = "X-Long: " + std::string(20'000, 'x') + "\r\n";
    EXPECT_TRUE(refusal(get("/echo", header)).starts_with("HTTP/1.1 431 "));
    EXPECT_TRUE(refusal("GET /" + std::string(20'000, 'x')).starts_with("HTTP/1.1 431 "));
}

TEST_F(HttpServerTest, ASlowRequestIsCutOff) {
    HttpServer::Options options;
    options.request_time = 50ms;
    start(options);
    EXPECT_EQ(ask("GET /echo HTTP/1.1\r\nHost: "), "");
}

TEST_F(HttpServerTest, ASilentConnectionIsCutOff) {
    HttpServer::Options options;
    options.idle_time = 50ms;
    start(options);
    EXPECT_EQ(ask(""), "");
    const std::string one = ask("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(count(one, "HTTP/1.1 200 OK"), 1U);
}

TEST_F(HttpServerTest, ConnectionsAreBounded) {
    HttpServer::Options options;
    options.connections = 2;
    start(options);
    asio::io_context context;
    std::vector<asio::ip::tcp::socket> held;
    for (int i = 0; i < 2; ++i) {
        held.emplace_back(context);
        held.back().connect({asio::ip::make_address("127.0.0.1"), server_->port()});
        // Answered: so it is counted.
        asio::write(
            held.back(), asio::buffer(std::string("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n"))
        );
        std::array<char, 16> some;
        EXPECT_GT(held.back().read_some(asio::buffer(some)), 0U);
    }
    EXPECT_EQ(ask(get("/echo")), "");
    EXPECT_EQ(server_->connections(), 2U);
}

TEST_F(HttpServerTest, BasicCredentialsAreDecoded) {
    start();
    const auto with = [this](const std::string& value) {
        return ask(get("/echo", "Authorization: " + value + "\r\n"));
    };
    EXPECT_TRUE(with("Basic YWRtaW46YTpi").ends_with(" user=admin password=a:b loopback"));
    EXPECT_TRUE(with("basic YWRtaW46").ends_with(" user=admin password= loopback"));
    for (const char* bad :
         {"Basic YWRtaW4=", "Basic YWR*aW46", "Basic YWRtaW46YTp", "Bearer x", "Basic"})
        EXPECT_EQ(with(bad).find("user="), std::string::npos) << bad;
}

}  // namespace
}  // namespace obcanal
