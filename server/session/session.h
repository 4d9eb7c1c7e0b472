// One client connection: Canal's TCP protocol from handshake to close (Canal wire protocol,
// SessionHandler). Nothing is bound to a connection: it may name many destinations and clients, and
// its end changes no subscription or batch. Everything on the strand of its stream.
#pragma once

#include "protocol/base/clock.h"
#include "protocol/base/input_buffer.h"
#include "protocol/base/log.h"
#include "protocol/base/result.h"
#include "protocol/canal/packets.h"
#include "protocol/net/awaitable.h"
#include "protocol/net/stream.h"
#include "server/access/audit_log.h"
#include "server/access/authenticator.h"
#include "server/access/login_limiter.h"
#include "server/instance/instance_set.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace obcanal::session {

// Shared by all sessions of a port; outlives them.
struct SessionContext {
    instance::InstanceSet& instances;
    access::Authenticator auth;
    access::LoginLimiter limiter;
    access::AuditLog audit{"client"};
    Logger log{"session"};
    // One line per cause and period, however often peers repeat it.
    LogGate bad_input{std::chrono::seconds(10)};
    LogGate silent{std::chrono::seconds(10)};
};

class Session : public std::enable_shared_from_this<Session> {
 public:
    Session(Stream stream, SessionContext& context);

    Executor executor() const { return stream_.executor(); }
    // Until the connection ends.
    Awaitable<void> run();
    // Ends the session when the request in hand is answered, and what it has handed out is
    // acknowledged; at once when there is nothing of that.
    void finish();
    void abort() { stream_.close(); }

 private:
    using Milliseconds = std::chrono::milliseconds;

    // What the metrics want to know of the request in hand.
    struct Request {
        std::shared_ptr<instance::Instance> about;  // none for a destination that is not there
        size_t replied = 0;                         // bytes
        int32_t error = 0;
        bool empty = false;  // a get that brought nothing
    };

    struct Watch;

    // What a request is about.
    struct Target {
        canal::ClientId client;
        std::shared_ptr<instance::Instance> instance;
    };

    Result<Target> find_target(const std::string& destination, std::string_view client_id);
    Result<void> check_right(const std::string& destination) const;
    Awaitable<Result<void>> serve();
    Awaitable<Result<void>> wait_for_turn();
    Awaitable<Result<void>> authenticate();
    Awaitable<Result<void>> answer_requests();
    // The next frame; valid until the next call.
    Awaitable<Result<Bytes>> next_frame(size_t limit);
    Awaitable<Result<void>> send(Bytes frame);
    Awaitable<Result<void>> send_error(int32_t code, std::string text);
    Awaitable<Result<void>> send_failure(Error failure);
    void keep_alive();
    void count_request(canal::PacketType type, SteadyTime::duration took);

    Awaitable<Result<void>> dispatch(const canal::Packet& packet);
    Awaitable<Result<void>> on_subscribe(Bytes body);
    Awaitable<Result<void>> on_unsubscribe(Bytes body);
    Awaitable<Result<void>> on_get(Bytes body);
    Awaitable<Result<void>> on_ack(Bytes body);
    Awaitable<Result<void>> on_rollback(Bytes body);
    Awaitable<void> watch_for_end(std::shared_ptr<Watch> watch);
    Awaitable<Result<instance::GetReply>> wait_for_entries(
        std::shared_ptr<instance::Instance> from, instance::GetRequest request
    );
    Awaitable<Result<void>> subscribe(
        std::string destination, std::string client_id, std::string filter
    );
    std::string channel_text() const;

    Stream stream_;
    SessionContext& context_;
    InputBuffer input_;
    Deadline deadline_;
    uint32_t id_;
    size_t consumed_ = 0;  // bytes of the frame that was handed out last
    // What was received before another connection rolled this one's client back: its gets, sent
    // ahead, are answered with nothing.
    size_t stale_bytes_ = 0;
    bool stale_ = false;                              // the request in hand is of that
    std::shared_ptr<const access::Account> account_;  // since the login
    std::string user_;
    Request request_;
    Milliseconds read_timeout_;
    Milliseconds write_timeout_;
    SteadyTime last_read_;
    SteadyTime last_write_;
    bool waiting_ = false;  // for a request
    bool finishing_ = false;
    bool gone_ = false;   // the client is; what it has sent is read to its end
    size_t unacked_ = 0;  // batches that were handed out here
};

}  // namespace obcanal::session
