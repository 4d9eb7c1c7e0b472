// HTTP/1.1 requests to one of several hosts that serve the same, over libcurl: kept connections,
// TLS, basic authentication or a header of one's own, bounds on time and on the reply's size. Each
// connection has a thread that blocks for it, so any strand may await; stop() from any thread.
#pragma once

#include "protocol/base/result.h"
#include "protocol/net/awaitable.h"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal {

struct HttpClientOptions {
    std::vector<std::string> hosts;  // "https://host:9200", "http://[::1]:80/below"
    std::string user;                // basic authentication; empty: none
    std::string password;            // of the user
    std::string authorization;       // value of that header, instead of a user
    std::string ca_file;             // PEM or DER; empty: the system's store
    std::chrono::milliseconds connect_timeout{10'000};
    std::chrono::milliseconds timeout{60'000};  // of a request, unless it has its own
    size_t connections = 1;
    size_t response_bytes = size_t{64} << 20;
};

struct HttpCall {
    std::string method = "GET";
    std::string path = "/";  // encoded, with the query
    std::string_view body;   // must stay alive until the reply is there
    std::string content_type = "application/json";
    std::chrono::milliseconds timeout{0};  // 0: the client's
};

struct HttpReply {
    int status = 0;
    std::string body;
};

class HttpClient {
 public:
    // An Error: a host or the CA file is of no use.
    static Result<std::unique_ptr<HttpClient>> open(HttpClientOptions options);
    // No request may be under way.
    ~HttpClient();

    // On a connection that has nothing to do, or behind what the least busy one has to do. A host
    // that can't be reached gives way to the next one; a request that may have arrived is not sent
    // again, and its Error is Io, Closed or Timeout; Auth where a host's certificate is of no CA
    // that is trusted, or of another host. Every status is a reply.
    Awaitable<Result<HttpReply>> request(HttpCall call);

    // Any thread. What is under way ends with Errc::Stopped, and so does all that comes later.
    void stop();

 private:
    struct State;
    explicit HttpClient(std::unique_ptr<State> state);

    std::unique_ptr<State> state_;
};

// All but unreserved characters as %XX: one part of a path or of a query.
std::string url_encoded(std::string_view text);

}  // namespace obcanal
