// Who may log in, and what for: the one user of canal.properties, and those of users.yml. The login
// is scramble411, as stock clients and canal-admin send it. Immutable, any thread.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"
#include "server/config/user_config.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::access {

// What a logged in user may do.
struct Account {
    std::string name;                       // empty: any name will do
    std::string stage2;                     // SHA1(SHA1(password)); empty: any password will do
    std::vector<std::string> destinations;  // of users.yml
    bool everything = false;

    bool may_read(std::string_view destination) const;
};

class Authenticator {
 public:
    // `user` empty: any user. `password_hash`: hex of SHA1(SHA1(password)); empty: any password.
    // With `users` an empty pair lets nobody else in.
    static Result<Authenticator> make(
        std::string user,
        std::string_view password_hash,
        const std::vector<config::UserConfig>& users = {}
    );

    enum class Verdict { Accepted, Rejected, Malformed };

    struct Answer {
        Verdict verdict = Verdict::Rejected;
        std::shared_ptr<const Account> account;  // when accepted
    };

    // `password` as the client sent it: the hex text of the scramble411 token. Malformed: no such
    // text, which the reference answers by closing the connection. Takes the same time for names
    // that exist and names that don't.
    Answer check(std::string_view user, std::string_view password, Bytes seed) const;
    // The same for a password in clear, as HTTP carries it.
    Answer check_plain(std::string_view user, std::string_view password) const;

    // Whether anybody at all is let in.
    bool asks_for_password() const;

 private:
    std::vector<std::shared_ptr<const Account>> accounts_;
};

}  // namespace obcanal::access
