#include "server/access/authenticator.h"

#include "protocol/base/crypto.h"
#include "protocol/base/text.h"

#include <algorithm>
#include <array>
#include <utility>

namespace obcanal::access {
namespace {

Result<std::string> read_hash(std::string_view hash, std::string_view whose) {
    std::optional<std::string> stage2 = from_hex(hash);
    if (stage2 && stage2->size() == sizeof(Sha1)) return *std::move(stage2);
    return Error{
        Errc::BadConfig,
        Retry::Never,
        std::string(whose) + " is not the 40 hex digits of SHA1(SHA1(password))"
    };
}

// Stands in for an account that does not exist, so that its check costs the same.
const Account& nobody() {
    static const Account account{"", std::string(sizeof(Sha1), '\0'), {}, false};
    return account;
}

bool is_named(const Account& account, std::string_view user) {
    return account.name.empty() || equal_secret(as_bytes(user), as_bytes(account.name));
}

bool token_matches(const Account& account, std::string_view token, Bytes seed) {
    const Bytes bytes = as_bytes(token).first(sizeof(Sha1));
    return scramble411_matches(bytes, seed, as_bytes(account.stage2));
}

}  // namespace

bool Account::may_read(std::string_view destination) const {
    return everything ||
           std::find(destinations.begin(), destinations.end(), destination) != destinations.end();
}

Result<Authenticator> Authenticator::make(
    std::string user, std::string_view password_hash, const std::vector<config::UserConfig>& users
) {
    Authenticator made;
    if (!password_hash.empty() || users.empty()) {
        Account main{std::move(user), "", {}, true};
        if (!password_hash.empty()) {
            Result<std::string> stage2 = read_hash(password_hash, "the password");
            if (!stage2) return std::move(stage2).error();
            main.stage2 = std::move(stage2).value();
        }
        made.accounts_.push_back(std::make_shared<const Account>(std::move(main)));
    }
    for (const config::UserConfig& one : users) {
        Result<std::string> stage2 = read_hash(one.password_hash, "the password of " + one.name);
        if (!stage2) return std::move(stage2).error();
        const bool everything = std::find(one.destinations.begin(), one.destinations.end(), "*") !=
                                one.destinations.end();
        Account account{one.name, std::move(stage2).value(), one.destinations, everything};
        made.accounts_.push_back(std::make_shared<const Account>(std::move(account)));
    }
    return made;
}

Authenticator::Answer Authenticator::check(
    std::string_view user, std::string_view password, Bytes seed
) const {
    std::shared_ptr<const Account> named;
    for (const std::shared_ptr<const Account>& account : accounts_) {
        const bool same = is_named(*account, user);
        if (same && !named) named = account;
    }
    if (named && named->stage2.empty()) return {Verdict::Accepted, std::move(named)};
    if (password.empty()) return {};
    const std::optional<std::string> token = from_hex(password);
    if (!token || token->size() < sizeof(Sha1)) return {Verdict::Malformed, nullptr};
    const bool right = token_matches(named ? *named : nobody(), *token, seed);
    if (!named || !right) return {};
    return {Verdict::Accepted, std::move(named)};
}

Authenticator::Answer Authenticator::check_plain(std::string_view user, std::string_view password)
    const {
    std::array<std::byte, 8> seed;
    random_bytes(seed.data(), seed.size());
    const Sha1 token = scramble411(password, seed);
    return check(user, to_hex(token), seed);
}

bool Authenticator::asks_for_password() const {
    return std::none_of(accounts_.begin(), accounts_.end(), [](const auto& account) {
        return account->stage2.empty();
    });
}

}  // namespace obcanal::access
