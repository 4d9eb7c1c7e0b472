#include "server/admin/admin_port.h"

#include "protocol/net/run_on.h"
#include "protocol/net/stream.h"
#include "protocol/net/task_group.h"
#include "server/admin/admin_session.h"

#include <list>
#include <utility>

namespace obcanal::admin {
namespace {

constexpr std::chrono::milliseconds kAcceptPause{100};

Awaitable<void> turn_away(Stream stream) {
    stream.close();
    co_return;
}

}  // namespace

struct AdminPort::State {
    State(
        Listener bound,
        Executor own,
        const config::ServerConfig& config,
        access::Authenticator auth,
        LogFiles logs,
        ServerControl& server,
        StatusReport& report
    )
        : listener(std::move(bound)),
          strand(own),
          context{
              server,
              report,
              std::move(auth),
              access::LoginLimiter(config.login_failures_per_minute),
              std::move(logs)
          },
          accepting(own),
          sessions(own) {}

    Awaitable<void> accept_connections();
    Awaitable<void> serve(std::shared_ptr<AdminSession> session);

    LogGate gate{std::chrono::seconds(10)};
    Listener listener;
    Executor strand;
    AdminContext context;
    TaskGroup accepting;  // and turning away
    TaskGroup sessions;
    std::list<std::weak_ptr<AdminSession>> open;
    bool closing = false;
};

AdminPort::AdminPort(std::unique_ptr<State> state) : state_(std::move(state)) {}

AdminPort::~AdminPort() = default;

Result<std::unique_ptr<AdminPort>> AdminPort::open(
    const config::ServerConfig& config,
    LogFiles logs,
    ServerControl& server,
    StatusReport& report,
    Runtime& front
) {
    Result<access::Authenticator> auth =
        access::Authenticator::make(config.admin_user, config.admin_passwd);
    if (!auth) return std::move(auth).error();
    std::optional<TlsServerOptions> tls;
    if (config.admin_tls.enabled()) {
        tls = TlsServerOptions{
            config.admin_tls.cert_file, config.admin_tls.key_file, config.admin_tls.client_ca_file
        };
    }
    const Executor strand = front.make_strand();
    Result<Listener> bound = Listener::bind(strand, config.admin_bind_ip, config.admin_port, tls);
    if (!bound) return std::move(bound).error();
    auto state = std::make_unique<State>(
        std::move(bound).value(),
        strand,
        config,
        std::move(auth).value(),
        std::move(logs),
        server,
        report
    );
    return std::unique_ptr<AdminPort>(new AdminPort(std::move(state)));
}

uint16_t AdminPort::port() const { return state_->listener.port(); }

size_t AdminPort::connections() const { return state_->sessions.running(); }

Executor AdminPort::strand() const { return state_->strand; }

Awaitable<void> AdminPort::State::serve(std::shared_ptr<AdminSession> session) {
    open.emplace_back(session);
    const auto entry = std::prev(open.end());
    const Executor session_strand = session->executor();
    co_await run_on(session_strand, session->run());
    open.erase(entry);
}

void AdminPort::start() { state_->accepting.spawn(state_->strand, state_->accept_connections()); }

Awaitable<void> AdminPort::State::accept_connections() {
    while (!closing) {
        Result<Stream> accepted = co_await listener.accept();
        if (closing) break;
        if (accepted && sessions.running() < kMaxConnections) {
            auto session = std::make_shared<AdminSession>(std::move(accepted).value(), context);
            sessions.spawn(strand, serve(std::move(session)));
            continue;
        }
        if (const int64_t held = gate.pass(); held >= 0) {
            const std::string cause = accepted ? "too many connections" : accepted.error().detail;
            context.log.warn("a connection was refused", {{"cause", cause}, {"held_back", held}});
        }
        if (accepted) {
            const Executor where = accepted->executor();
            accepting.spawn(where, turn_away(std::move(accepted).value()));
            continue;
        }
        asio::steady_timer pause(strand, kAcceptPause);
        co_await pause.async_wait(kNoThrow);
    }
}

Awaitable<void> AdminPort::close() {
    State& state = *state_;
    state.closing = true;
    state.listener.close();
    for (const std::weak_ptr<AdminSession>& entry : state.open) {
        if (const std::shared_ptr<AdminSession> session = entry.lock())
            asio::post(session->executor(), [session] { session->abort(); });
    }
    co_await state.sessions.wait_for_all();
    co_await state.accepting.wait_for_all();
}

}  // namespace obcanal::admin
