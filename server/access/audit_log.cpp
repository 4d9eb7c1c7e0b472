#include "server/access/audit_log.h"

#include <chrono>
#include <utility>

namespace obcanal::access {

int64_t AuditLog::Window::pass() {
    const std::lock_guard lock(mutex_);
    const SteadyTime now = steady_now();
    if (now >= second_ + std::chrono::seconds(1)) {
        second_ = now;
        lines_ = 0;
    }
    if (lines_ >= kLinesPerSecond) {
        ++held_;
        return -1;
    }
    ++lines_;
    return std::exchange(held_, 0);
}

void AuditLog::login(std::string_view peer, std::string_view user, bool encrypted) {
    const int64_t held = logins_.pass();
    if (held < 0) return;
    log_.info(
        "login",
        {{"port", port_}, {"peer", peer}, {"user", user}, {"tls", encrypted}, {"held_back", held}}
    );
}

void AuditLog::login_refused(std::string_view peer, std::string_view user, std::string_view cause) {
    const int64_t held = refusals_.pass();
    if (held < 0) return;
    log_.warn(
        "login refused",
        {{"port", port_}, {"peer", peer}, {"user", user}, {"cause", cause}, {"held_back", held}}
    );
}

void AuditLog::command(
    std::string_view peer,
    std::string_view user,
    std::string_view what,
    std::string_view target,
    std::string_view outcome
) {
    const int64_t held = commands_.pass();
    if (held < 0) return;
    log_.info(
        what,
        {{"port", port_},
         {"peer", peer},
         {"user", user},
         {"target", target},
         {"outcome", outcome},
         {"held_back", held}}
    );
}

}  // namespace obcanal::access
