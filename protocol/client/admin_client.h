// A client of Canal's admin port: login, then one command after the other, as canal-admin sends
// them. One strand.
#pragma once

#include "protocol/base/input_buffer.h"
#include "protocol/base/result.h"
#include "protocol/base/text.h"
#include "protocol/canal/admin_packets.h"
#include "protocol/net/awaitable.h"
#include "protocol/net/stream.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace obcanal::client {

struct AdminClientOptions {
    Endpoint server;
    std::string user;
    std::string password;  // plain; empty: none is sent
    std::optional<TlsClientOptions> tls;
    std::chrono::milliseconds connect_timeout{10'000};
    std::chrono::milliseconds answer_timeout{60'000};  // of a command; a stop takes its time
};

class AdminClient {
 public:
    // Connects and logs in, on the executor of the calling coroutine. Errc::Auth when the server
    // refuses the login.
    static Awaitable<Result<std::unique_ptr<AdminClient>>> open(AdminClientOptions options);

    // The answer's text; Errc::Refused with the server's words when it answers with an error.
    Awaitable<Result<std::string>> server(std::string action);
    Awaitable<Result<std::string>> instance(std::string destination, std::string action);

    // Ends what is awaited. Strand.
    void close() { stream_.close(); }

 private:
    AdminClient(Stream stream, AdminClientOptions options);

    Awaitable<Result<void>> log_in();
    // Valid until the next call.
    Awaitable<Result<canal::admin::Packet>> next_packet();
    Awaitable<Result<std::string>> call(std::string request);

    AdminClientOptions options_;
    Stream stream_;
    Deadline deadline_;
    InputBuffer input_;
    size_t consumed_ = 0;
};

}  // namespace obcanal::client
