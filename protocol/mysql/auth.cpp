#include "protocol/mysql/auth.h"

#include "protocol/base/crypto.h"
#include "protocol/base/ed25519.h"
#include "protocol/base/text.h"
#include "protocol/mysql/packet.h"
#include "protocol/mysql/wire.h"

#include <array>

namespace obcanal::mysql {
namespace {

constexpr size_t kSeedSize = 20;
constexpr size_t kEd25519SeedSize = 32;

Error auth_error(std::string detail) {
    return Error{Errc::Auth, Retry::Never, "login: " + std::move(detail)};
}

// XOR with the seed, repeated as often as needed.
std::string hide(std::string text, std::string_view seed) {
    for (size_t i = 0; i < text.size() && !seed.empty(); ++i)
        text[i] = static_cast<char>(text[i] ^ seed[i % seed.size()]);
    return text;
}

}  // namespace

const Authenticator::SchemeName* Authenticator::find(std::string_view name) {
    static constexpr std::array kSchemes = std::to_array<SchemeName>({
        {Scheme::Native, "mysql_native_password"},
        {Scheme::CachingSha2, "caching_sha2_password"},
        {Scheme::Sha256, "sha256_password"},
        {Scheme::Ed25519, "client_ed25519"},
        {Scheme::Clear, "mysql_clear_password"},
    });
    for (const SchemeName& known : kSchemes) {
        if (known.name == name) return &known;
    }
    return nullptr;
}

std::string_view Authenticator::choose(std::string_view servers_plugin) {
    const SchemeName* known = find(servers_plugin);
    if (known == nullptr) known = find("mysql_native_password");
    scheme_ = known->scheme;
    return known->name;
}

Result<std::string> Authenticator::first_answer(std::string_view seed) {
    seed_ = seed;
    // What takes longer answers or a seed of another length waits for the server's switch.
    if (scheme_ == Scheme::Ed25519 || scheme_ == Scheme::Clear) return std::string();
    return answer();
}

Result<std::string> Authenticator::answer() {
    switch (scheme_) {
        case Scheme::Native:
            if (password_.empty()) return std::string();
            return native_scramble(password_, as_bytes(seed_));
        case Scheme::CachingSha2:
            if (password_.empty()) return std::string();
            return sha2_scramble(password_, as_bytes(seed_));
        case Scheme::Sha256:
            if (password_.empty()) return std::string(1, '\0');
            if (confidential_) return clear_password();
            key_requested_ = true;
            return std::string(1, '\x01');
        case Scheme::Ed25519: {
            if (seed_.size() != kEd25519SeedSize) return auth_error("client_ed25519: bad seed");
            const auto signature = ed25519_sign(as_bytes(password_), as_bytes(seed_));
            return std::string(as_text(signature));
        }
        case Scheme::Clear:
            if (confidential_) return clear_password();
            return auth_error(
                "the server asks for the clear text password (mysql_clear_password), which is sent "
                "under TLS only"
            );
    }
    return auth_error("unknown scheme");
}

Result<Authenticator::Step> Authenticator::receive(Bytes payload) {
    if (payload.empty()) return auth_error("empty packet");
    switch (packet_head(payload)) {
        case kOkHead: return Step{true, std::nullopt};
        case kErrorHead: return server_error(payload, "login");
        case kEofHead: return switch_scheme(payload);
        case kMoreHead: return receive_more(payload.subspan(1));
        default: return auth_error("unexpected packet " + to_hex(payload.first(1)));
    }
}

Result<Authenticator::Step> Authenticator::switch_scheme(Bytes payload) {
    ByteReader in(payload);
    in.skip(1);
    if (in.empty()) return auth_error("the server wants the password format of MySQL 4.0");
    const std::string_view name = read_nul_text(in, payload);
    const std::string_view data = in.text(in.remaining());
    if (!in.ok()) return auth_error("malformed switch of the login scheme");
    const SchemeName* known = find(name);
    if (known == nullptr)
        return auth_error("the account's login scheme is not supported: " + printable(name));
    scheme_ = known->scheme;
    key_requested_ = false;
    seed_ = data.substr(0, scheme_ == Scheme::Ed25519 ? kEd25519SeedSize : kSeedSize);
    auto next = answer();
    if (!next) return next.error();
    return Step{false, std::move(*next)};
}

Result<Authenticator::Step> Authenticator::receive_more(Bytes data) {
    constexpr std::byte kFastOk{3};
    constexpr std::byte kFullAnswer{4};
    constexpr char kKeyRequest = '\x02';
    if (key_requested_) {
        key_requested_ = false;
        auto hidden = rsa_password(password_, seed_, data);
        if (!hidden) return hidden.error();
        return Step{false, std::move(*hidden)};
    }
    if (scheme_ != Scheme::CachingSha2 || data.size() != 1)
        return auth_error("unexpected data for the login scheme");
    if (data[0] == kFastOk) return Step{};
    if (data[0] != kFullAnswer) return auth_error("unexpected answer of caching_sha2_password");
    if (confidential_) return Step{false, clear_password()};
    key_requested_ = true;
    return Step{false, std::string(1, kKeyRequest)};
}

std::string native_scramble(std::string_view password, Bytes seed) {
    return std::string(as_text(scramble411(password, seed)));
}

std::string sha2_scramble(std::string_view password, Bytes seed) {
    Sha256 token = sha256(as_bytes(password));
    std::string mask(as_text(sha256(sha256(as_bytes(password)))));
    mask += as_text(seed);
    const Sha256 hidden = sha256(as_bytes(mask));
    for (size_t i = 0; i < token.size(); ++i) token[i] ^= hidden[i];
    return std::string(as_text(token));
}

Result<std::string> rsa_password(std::string_view password, std::string_view seed, Bytes key) {
    const std::string hidden = hide(std::string(password) + '\0', seed);
    auto encrypted = rsa_oaep_encrypt(key, as_bytes(hidden));
    if (!encrypted) return auth_error(encrypted.error().detail);
    return encrypted;
}

}  // namespace obcanal::mysql
