#include "ha/session_guard.h"

#include "ha/zookeeper_client.h"
#include "protocol/base/log.h"
#include "protocol/base/log_file.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <system_error>

namespace obcanal::ha {
namespace {

constexpr char kGoodbye = 'b';

// Until the server's end of the socket is closed. Nothing: it said goodbye, or had no session.
std::optional<SessionKey> last_session(int socket) {
    std::optional<SessionKey> last;
    for (;;) {
        SessionKey key;
        const ssize_t size = ::recv(socket, &key, sizeof key, 0);
        if (size < 0 && errno == EINTR) continue;
        if (size == 1) return std::nullopt;
        if (size != sizeof key) return last;
        last = key;
    }
}

// Signals go to whole groups: a terminal's, a service manager's. The guard ends with the server.
void leave_the_servers_group() {
    ::setsid();
    for (const int number : {SIGHUP, SIGINT, SIGTERM, SIGQUIT}) std::signal(number, SIG_IGN);
    ::prctl(PR_SET_NAME, "obcanal-guard");
    if (const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC); null >= 0) {
        ::dup2(null, STDIN_FILENO);
        ::dup2(null, STDOUT_FILENO);
        ::close(null);
    }
}

[[noreturn]] void guard(int socket, const ZookeeperPlace& place) {
    leave_the_servers_group();
    if (const std::optional<SessionKey> key = last_session(socket)) {
        reopen_log();
        const Logger log("session-guard");
        // Later than this the ensemble has ended it by itself.
        const auto until = steady_now() + place.session_timeout;
        const Result<void> ended = end_session(place, *key, until);
        if (ended) {
            log.warn("the server was killed; its session with ZooKeeper is ended");
        } else {
            log.warn(
                "the server was killed, and others have to wait until its session expires",
                {{"cause", ended.error().detail}}
            );
        }
        flush_log();
    }
    ::_exit(0);
}

}  // namespace

Result<std::shared_ptr<SessionGuard>> SessionGuard::start(const ZookeeperPlace& place) {
    const auto failed = [](const char* what) {
        const std::error_code cause(errno, std::generic_category());
        return Error{Errc::Io, Retry::Never, std::string(what) + ": " + cause.message()};
    };
    int ends[2];
    // Whole messages; closed in programs that the server may start.
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return failed("socketpair");
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(ends[0]);
        guard(ends[1], place);
    }
    ::close(ends[1]);
    if (child < 0) {
        ::close(ends[0]);
        return failed("fork");
    }
    return std::shared_ptr<SessionGuard>(new SessionGuard(ends[0]));
}

SessionGuard::~SessionGuard() {
    static_cast<void>(::send(socket_, &kGoodbye, 1, MSG_NOSIGNAL | MSG_DONTWAIT));
    ::close(socket_);
}

void SessionGuard::watch(const SessionKey& key) {
    if (::send(socket_, &key, sizeof key, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof key) return;
    const std::error_code cause(errno, std::generic_category());
    Logger("session-guard")
        .warn(
            "does not take the session; if this server is killed, others wait until it expires",
            {{"cause", cause.message()}}
        );
}

}  // namespace obcanal::ha
