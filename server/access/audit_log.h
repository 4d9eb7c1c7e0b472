// The lines that say who came and what they changed: logins, subscriptions, admin commands. Peers
// can cause them at will, so a second has a bounded number of each kind and the rest is counted.
// Any thread.
#pragma once

#include "protocol/base/clock.h"
#include "protocol/base/log.h"

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace obcanal::access {

class AuditLog {
 public:
    // `port`: "client", "admin" or "metrics".
    explicit AuditLog(std::string port) : port_(std::move(port)) {}

    void login(std::string_view peer, std::string_view user, bool encrypted);
    void login_refused(std::string_view peer, std::string_view user, std::string_view cause);
    // `what`: "subscribe", "server stop", ...; `target`: a destination, or empty.
    void command(
        std::string_view peer,
        std::string_view user,
        std::string_view what,
        std::string_view target,
        std::string_view outcome
    );

    static constexpr int64_t kLinesPerSecond = 100;

 private:
    // Counts the lines of a second.
    class Window {
     public:
        // Lines held back before this one, or -1: hold it back.
        int64_t pass();

     private:
        std::mutex mutex_;
        SteadyTime second_{};
        int64_t lines_ = 0;
        int64_t held_ = 0;
    };

    Logger log_{"audit"};
    std::string port_;
    Window logins_;
    Window refusals_;
    Window commands_;
};

}  // namespace obcanal::access
