// The login dialogue behind the greeting, for one login: mysql_native_password,
// caching_sha2_password and sha256_password (also with RSA where there is no TLS), MariaDB's
// client_ed25519, and the clear text password under TLS only. Sans-I/O: packets in, answers out.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace obcanal::mysql {

class Authenticator {
 public:
    // `confidential`: nobody can listen (TLS, or a socket of the machine), so that a password may
    // be sent as it is where the scheme asks for it.
    Authenticator(std::string password, bool confidential)
        : password_(std::move(password)), confidential_(confidential) {}

    // The scheme to name in the login packet: the server's own if we know it, else one that makes
    // the server switch. Then the first answer for it.
    std::string_view choose(std::string_view servers_plugin);
    Result<std::string> first_answer(std::string_view seed);

    // Takes a packet of the server; what to send for it. `done`: the server has let us in.
    struct Step {
        bool done = false;
        std::optional<std::string> answer;
    };
    Result<Step> receive(Bytes payload);

 private:
    enum class Scheme : uint8_t { Native, CachingSha2, Sha256, Ed25519, Clear };

    struct SchemeName {
        Scheme scheme;
        std::string_view name;
    };
    static const SchemeName* find(std::string_view name);

    Result<std::string> answer();
    Result<Step> receive_more(Bytes data);
    Result<Step> switch_scheme(Bytes payload);
    std::string clear_password() const { return password_ + '\0'; }

    std::string password_;
    bool confidential_;
    Scheme scheme_ = Scheme::Native;
    std::string seed_;
    bool key_requested_ = false;
};

// -- the schemes' arithmetic, for tests and servers
std::string native_scramble(std::string_view password, Bytes seed);
std::string sha2_scramble(std::string_view password, Bytes seed);
// The password hidden by the seed and encrypted with the server's public key (PEM).
Result<std::string> rsa_password(std::string_view password, std::string_view seed, Bytes key);

}  // namespace obcanal::mysql
