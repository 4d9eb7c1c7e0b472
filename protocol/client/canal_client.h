// A client of Canal's TCP port: login, subscription, and requests that may be in flight together.
// Requests are queued by ask(), ack() and rollback(), and leave in one write with the next
// receive() or flush(); answers come in the order of the ask()s. One strand; at most one coroutine
// in receive(), while others may queue and flush. After an error the connection is of no use.
#pragma once

#include "protocol/base/input_buffer.h"
#include "protocol/base/result.h"
#include "protocol/base/text.h"
#include "protocol/canal/ids.h"
#include "protocol/canal/packets.h"
#include "protocol/net/awaitable.h"
#include "protocol/net/stream.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace obcanal::client {

struct CanalClientOptions {
    Endpoint server;
    std::string destination;
    canal::ClientId client_id{1001};
    std::string user;
    std::string password;  // plain; empty: none is sent
    std::chrono::milliseconds connect_timeout{10'000};
    // How long an answer may take beyond the time that a get() lets the server wait.
    std::chrono::milliseconds answer_timeout{30'000};
};

// One get: how much (entries or units of memory, as the server is configured), and how long the
// server may wait for it. No wait: what is there.
struct GetSize {
    int32_t fetch_size = 1000;
    std::optional<std::chrono::milliseconds> wait;
};

class CanalClient {
 public:
    // Connects and logs in, on the executor of the calling coroutine. What the server says is in
    // the error's detail; Errc::Auth when it refuses the login.
    static Awaitable<Result<std::unique_ptr<CanalClient>>> open(CanalClientOptions options);

    // Takes back what an earlier connection of this client id left unacknowledged, then subscribes.
    // An empty filter leaves the server's in force.
    Awaitable<Result<void>> subscribe(std::string filter);
    Awaitable<Result<void>> unsubscribe();

    // -- queued until receive() or flush()
    void ask(GetSize size);
    void ack(canal::BatchId batch);
    // Everything that is not acknowledged.
    void rollback();

    Awaitable<Result<void>> flush();
    // The answer to the oldest ask() that has none yet; batch id -1 when the server had nothing.
    // Views are valid until the next receive(). A server's late "no" to an ack() or rollback()
    // comes here too.
    Awaitable<Result<canal::Messages>> receive();
    // What the last receive() gave stays readable in `memory` instead, whose own content goes.
    void keep_in(InputBuffer& memory);
    // ask() calls without an answer.
    size_t asked() const { return asked_; }

    // Ends what is awaited. Strand.
    void close() { stream_.close(); }
    const std::string& peer() const { return stream_.peer(); }

 private:
    CanalClient(Stream stream, CanalClientOptions options);

    Awaitable<Result<void>> log_in();
    Awaitable<Result<void>> expect_ack(std::string_view request);
    // The next packet; valid until the next call.
    Awaitable<Result<canal::Packet>> next_packet();

    CanalClientOptions options_;
    std::string client_id_;
    Stream stream_;
    Deadline deadline_;
    InputBuffer input_;
    size_t consumed_ = 0;  // bytes of the frame that was handed out last
    std::string queued_;
    std::string leaving_;
    bool writing_ = false;
    Result<void> written_;  // how the last write ended
    size_t asked_ = 0;
    std::chrono::milliseconds longest_wait_{0};
};

}  // namespace obcanal::client
