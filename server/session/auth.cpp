#include "server/session/auth.h"

#include "protocol/base/crypto.h"
#include "protocol/base/text.h"

#include <utility>

namespace obcanal::session {

Result<ClientAuthenticator> ClientAuthenticator::make(
    std::string user, std::string_view password_hash
) {
    ClientAuthenticator made;
    made.user_ = std::move(user);
    if (password_hash.empty()) return made;
    std::optional<std::string> stage2 = from_hex(password_hash);
    if (!stage2 || stage2->size() != sizeof(Sha1)) {
        return Error{
            Errc::BadConfig,
            Retry::Never,
            "canal.passwd is not the 40 hex digits of SHA1(SHA1(password))"
        };
    }
    made.stage2_ = std::move(*stage2);
    return made;
}

ClientAuthenticator::Verdict ClientAuthenticator::check(
    std::string_view user, std::string_view password, Bytes seed
) const {
    if (!user_.empty() && !equal_secret(as_bytes(user), as_bytes(user_))) return Verdict::Rejected;
    if (stage2_.empty()) return Verdict::Accepted;
    if (password.empty()) return Verdict::Rejected;
    const std::optional<std::string> token = from_hex(password);
    if (!token || token->size() < sizeof(Sha1)) return Verdict::Malformed;
    const Bytes bytes = as_bytes(*token).first(sizeof(Sha1));
    return scramble411_matches(bytes, seed, as_bytes(stage2_)) ? Verdict::Accepted
                                                               : Verdict::Rejected;
}

}  // namespace obcanal::session
