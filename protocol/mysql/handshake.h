// The beginning of a session: the server's greeting, the request for TLS, the login packet.
// Sans-I/O.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace obcanal::mysql {

namespace capability {
inline constexpr uint32_t kLongPassword = 1U << 0;
inline constexpr uint32_t kLongFlag = 1U << 2;
inline constexpr uint32_t kConnectWithDatabase = 1U << 3;
inline constexpr uint32_t kProtocol41 = 1U << 9;
inline constexpr uint32_t kSsl = 1U << 11;
inline constexpr uint32_t kTransactions = 1U << 13;
inline constexpr uint32_t kSecureConnection = 1U << 15;
inline constexpr uint32_t kPluginAuth = 1U << 19;
}  // namespace capability

struct Greeting {
    std::string server_version;
    uint32_t connection_id = 0;
    std::string seed;  // 20 bytes for scrambling
    uint32_t capabilities = 0;
    uint8_t collation = 0;
    std::string plugin;  // login scheme of the server's choice
    bool mariadb = false;

    bool offers_tls() const { return (capabilities & capability::kSsl) != 0; }
};

// A greeting or the error that stands in its place (host blocked, too many connections).
Result<Greeting> parse_greeting(Bytes payload);

struct LoginOptions {
    std::string user;
    std::string database;    // empty: none
    uint8_t collation = 45;  // utf8mb4_general_ci, known to every server since 5.5
    bool tls = false;
};

// Payload that asks for TLS; the login packet follows inside it.
std::string tls_request(const Greeting& greeting, const LoginOptions& options);
// `scramble`: the first answer of the login scheme `plugin`.
std::string login_packet(
    const Greeting& greeting,
    const LoginOptions& options,
    std::string_view plugin,
    std::string_view scramble
);

}  // namespace obcanal::mysql
