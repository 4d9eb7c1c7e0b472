#include "server/session/listener.h"

#include "protocol/net/run_on.h"
#include "protocol/net/stream.h"
#include "protocol/net/task_group.h"

#include <list>
#include <utility>

namespace obcanal::session {
namespace {

constexpr std::chrono::milliseconds kAcceptPause{100};
constexpr std::chrono::milliseconds kClosePoll{20};

std::optional<TlsServerOptions> tls_options(const config::TlsConfig& tls) {
    if (!tls.enabled()) return std::nullopt;
    return TlsServerOptions{tls.cert_file, tls.key_file, tls.client_ca_file};
}

}  // namespace

struct ClientPort::State {
    State(
        Listener bound,
        Executor own,
        instance::InstanceSet& instances,
        access::Authenticator auth,
        int64_t login_failures
    )
        : listener(std::move(bound)),
          strand(own),
          context{instances, std::move(auth), access::LoginLimiter(login_failures)},
          accepting(own),
          sessions(own) {}

    Awaitable<void> accept_connections();
    Awaitable<void> serve(std::shared_ptr<Session> session);

    Logger log{"client-port"};
    LogGate accept_gate{std::chrono::seconds(10)};
    Listener listener;
    Executor strand;
    SessionContext context;
    TaskGroup accepting;
    TaskGroup sessions;
    std::list<std::weak_ptr<Session>> open;
    bool closing = false;
};

ClientPort::ClientPort(std::unique_ptr<State> state) : state_(std::move(state)) {}

ClientPort::~ClientPort() = default;

Result<std::unique_ptr<ClientPort>> ClientPort::open(
    const config::ServerConfig& config, instance::InstanceSet& instances, Runtime& front
) {
    Result<access::Authenticator> auth =
        access::Authenticator::make(config.user, config.passwd, config.users);
    if (!auth) return std::move(auth).error();
    const Executor strand = front.make_strand();
    Result<Listener> bound =
        Listener::bind(strand, config.bind_ip, config.port, tls_options(config.client_tls));
    if (!bound) return std::move(bound).error();
    auto state = std::make_unique<State>(
        std::move(bound).value(),
        strand,
        instances,
        std::move(auth).value(),
        config.login_failures_per_minute
    );
    return std::unique_ptr<ClientPort>(new ClientPort(std::move(state)));
}

uint16_t ClientPort::port() const { return state_->listener.port(); }

size_t ClientPort::connections() const { return state_->sessions.running(); }

Executor ClientPort::strand() const { return state_->strand; }

Awaitable<void> ClientPort::State::serve(std::shared_ptr<Session> session) {
    open.emplace_back(session);
    const auto entry = std::prev(open.end());
    const Executor session_strand = session->executor();
    co_await run_on(session_strand, session->run());
    open.erase(entry);
}

void ClientPort::start() { state_->accepting.spawn(state_->strand, state_->accept_connections()); }

Awaitable<void> ClientPort::State::accept_connections() {
    while (!closing) {
        Result<Stream> accepted = co_await listener.accept();
        if (closing) break;
        if (accepted) {
            auto session = std::make_shared<Session>(std::move(accepted).value(), context);
            sessions.spawn(strand, serve(std::move(session)));
            continue;
        }
        const int64_t held = accept_gate.pass();
        if (held >= 0) {
            log.warn("can't accept", {{"cause", accepted.error().detail}, {"held_back", held}});
        }
        asio::steady_timer pause(strand, kAcceptPause);
        co_await pause.async_wait(kNoThrow);
    }
}

Awaitable<void> ClientPort::close(std::chrono::milliseconds grace) {
    State& state = *state_;
    state.closing = true;
    state.listener.close();
    const auto tell_all = [&state](void (Session::*what)()) {
        for (const std::weak_ptr<Session>& entry : state.open) {
            if (const std::shared_ptr<Session> session = entry.lock()) {
                asio::post(session->executor(), [session, what] { (session.get()->*what)(); });
            }
        }
    };
    tell_all(&Session::finish);
    const SteadyTime limit = steady_now() + grace;
    while (state.sessions.running() > 0 && steady_now() < limit) {
        asio::steady_timer pause(state.strand, kClosePoll);
        co_await pause.async_wait(kNoThrow);
    }
    tell_all(&Session::abort);
    co_await state.sessions.wait_for_all();
    co_await state.accepting.wait_for_all();
}

}  // namespace obcanal::session
