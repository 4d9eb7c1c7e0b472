// One connection of the admin port: Canal's admin protocol from handshake to close (Canal admin
// SessionHandler), with the login done right: a wrong password ends the connection. Everything on
// the strand of its stream.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/input_buffer.h"
#include "protocol/base/log.h"
#include "protocol/base/result.h"
#include "protocol/canal/admin_packets.h"
#include "protocol/net/awaitable.h"
#include "protocol/net/runtime.h"
#include "protocol/net/stream.h"
#include "server/access/audit_log.h"
#include "server/access/authenticator.h"
#include "server/access/login_limiter.h"
#include "server/admin/log_files.h"
#include "server/admin/server_control.h"
#include "server/admin/status_report.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace obcanal::admin {

// Shared by all sessions of the port; outlives them.
struct AdminContext {
    ServerControl& server;
    StatusReport& report;
    access::Authenticator auth;
    access::LoginLimiter limiter;
    LogFiles logs;
    access::AuditLog audit{"admin"};
    Logger log{"admin"};
    LogGate ended{std::chrono::seconds(10)};
    BlockingLane lane{};  // for log files
};

class AdminSession : public std::enable_shared_from_this<AdminSession> {
 public:
    AdminSession(Stream stream, AdminContext& context);

    Executor executor() const { return stream_.executor(); }
    // Until the connection ends.
    Awaitable<void> run();
    void abort() { stream_.close(); }

 private:
    // What a request is answered with. No aggregate: g++ 12 destroys one twice in a co_return.
    struct Reply {
        explicit Reply(int32_t c = 0, std::string text = {}) : code(c), message(std::move(text)) {}

        int32_t code;
        std::string message;
    };

    Awaitable<Result<void>> serve();
    Awaitable<Result<void>> authenticate();
    Awaitable<Result<void>> answer_requests();
    Awaitable<Result<Bytes>> next_frame(size_t limit);
    Awaitable<Result<void>> send(Reply reply);

    Awaitable<Reply> dispatch(canal::admin::Packet packet);
    Awaitable<Reply> on_server(canal::admin::ServerAdmin request);
    Awaitable<Reply> on_instance(canal::admin::InstanceAdmin request);
    Awaitable<Reply> on_log(canal::admin::LogAdmin request);
    Awaitable<bool> change_server(std::string action);
    Awaitable<bool> change_instance(std::string destination, std::string action);
    Reply failure(const Error& error) const;

    Stream stream_;
    AdminContext& context_;
    InputBuffer input_;
    Deadline deadline_;
    size_t consumed_ = 0;
    std::chrono::milliseconds idle_timeout_;
    std::string user_;
};

}  // namespace obcanal::admin
