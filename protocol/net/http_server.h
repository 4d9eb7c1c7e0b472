// A small HTTP/1.1 server for pages about the process: metrics, health, status, the adapter's REST.
// Everything a peer can make large or slow is bounded: header, body, time, connections. Each
// connection lives on a strand of its own, and handlers run there.
#pragma once

#include "protocol/base/result.h"
#include "protocol/net/awaitable.h"
#include "protocol/net/runtime.h"
#include "protocol/net/stream.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace obcanal {

struct HttpRequest {
    std::string method;
    std::string path;                                         // decoded
    std::vector<std::pair<std::string, std::string>> query;   // decoded, in order
    std::vector<std::pair<std::string, std::string>> header;  // names in lower case
    std::string body;
    std::string peer;  // "address:port"
    std::string peer_address;
    bool peer_is_loopback = false;

    // Empty when there is none.
    std::string_view header_value(std::string_view lower_case_name) const;
    std::optional<std::string> query_value(std::string_view name) const;
};

struct HttpResponse {
    int status = 200;
    std::string content_type = "text/plain; charset=utf-8";
    std::string body;
    std::vector<std::pair<std::string, std::string>> header;  // further fields
};

using HttpHandler = std::function<Awaitable<HttpResponse>(HttpRequest)>;

// User and password of "Authorization: Basic ...", or nothing.
std::optional<std::pair<std::string, std::string>> basic_credentials(const HttpRequest& request);

class HttpServer {
 public:
    struct Options {
        std::string host;  // empty: all interfaces
        uint16_t port = 0;
        std::optional<TlsServerOptions> tls;
        uint32_t header_bytes = 16 * 1024;
        size_t body_bytes = 64 * 1024;
        std::chrono::milliseconds request_time{10'000};  // for one request to arrive whole
        std::chrono::milliseconds answer_time{30'000};   // to make and to take one answer
        std::chrono::milliseconds idle_time{60'000};     // between two requests
        size_t connections = 256;                        // more are told to come again
    };

    // `runtime` outlives the server.
    static Result<std::unique_ptr<HttpServer>> open(Runtime& runtime, Options options);
    ~HttpServer();

    // Before start(). GET routes answer HEAD too. A path that ends in "/" takes what is below it as
    // well, unless a longer route fits.
    void route(std::string method, std::string path, HttpHandler handler);

    uint16_t port() const;
    Executor strand() const;     // the server's own
    size_t connections() const;  // any thread

    // Accepts from here on until close().
    void start();

    // -- strand()
    // Ends accepting and all connections, after at most `grace` for answers under way.
    Awaitable<void> close(std::chrono::milliseconds grace);

 private:
    struct State;
    explicit HttpServer(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace obcanal
