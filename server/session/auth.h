// Who may use the client port: one user with a scrambled password, as canal.user and canal.passwd
// say it. Immutable, any thread.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"

#include <string>
#include <string_view>

namespace obcanal::session {

class ClientAuthenticator {
 public:
    // `user` empty: any user. `password_hash`: hex of SHA1(SHA1(password)); empty: any password.
    static Result<ClientAuthenticator> make(std::string user, std::string_view password_hash);

    enum class Verdict { Accepted, Rejected, Malformed };

    // `password` as the client sent it: the hex text of the scramble411 token. Malformed: no such
    // text, which the reference answers by closing the connection.
    Verdict check(std::string_view user, std::string_view password, Bytes seed) const;

 private:
    std::string user_;
    std::string stage2_;
};

}  // namespace obcanal::session
