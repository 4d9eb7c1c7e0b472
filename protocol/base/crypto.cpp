#include "protocol/base/crypto.h"

#include "protocol/base/assert.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include <memory>

namespace obcanal {
namespace {

unsigned char* raw(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }

const unsigned char* raw(const std::byte* bytes) {
    return reinterpret_cast<const unsigned char*>(bytes);
}

// SHA1(seed + stage2), the mask that hides the password's first stage.
Sha1 mask(Bytes seed, Bytes stage2) {
    std::string joined(as_text(seed));
    joined += as_text(stage2);
    return sha1(as_bytes(joined));
}

struct FreeBio {
    void operator()(BIO* bio) const { BIO_free(bio); }
};

struct FreeKey {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

struct FreeKeyContext {
    void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
};

Error rsa_error(const char* what) {
    return {Errc::Auth, Retry::Never, std::string("RSA: ") + what};
}

}  // namespace

Sha1 sha1(Bytes bytes) {
    Sha1 digest;
    SHA1(raw(bytes.data()), bytes.size(), raw(digest.data()));
    return digest;
}

Sha256 sha256(Bytes bytes) {
    Sha256 digest;
    SHA256(raw(bytes.data()), bytes.size(), raw(digest.data()));
    return digest;
}

Sha512 sha512(Bytes bytes) {
    Sha512 digest;
    SHA512(raw(bytes.data()), bytes.size(), raw(digest.data()));
    return digest;
}

void random_bytes(std::byte* to, size_t count) {
    OBC_ASSERT(RAND_bytes(raw(to), static_cast<int>(count)) == 1);
}

std::optional<std::string> from_base64(std::string_view text) {
    if (text.empty()) return std::string();
    const size_t padding = text.size() - (text.find_last_not_of('=') + 1);
    if (text.size() % 4 != 0 || padding > 2) return std::nullopt;
    constexpr std::string_view kLetters =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (text.substr(0, text.size() - padding).find_first_not_of(kLetters) != text.npos)
        return std::nullopt;
    std::string out(text.size() / 4 * 3, '\0');
    auto* const to = reinterpret_cast<unsigned char*>(out.data());
    const auto* const from = reinterpret_cast<const unsigned char*>(text.data());
    if (EVP_DecodeBlock(to, from, static_cast<int>(text.size())) < 0) return std::nullopt;
    out.resize(out.size() - padding);
    return out;
}

bool equal_secret(Bytes a, Bytes b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

Sha1 scramble411(std::string_view password, Bytes seed) {
    Sha1 token = sha1(as_bytes(password));
    const Sha1 hidden = mask(seed, sha1(token));
    for (size_t i = 0; i < token.size(); ++i) token[i] ^= hidden[i];
    return token;
}

bool scramble411_matches(Bytes token, Bytes seed, Bytes stage2) {
    Sha1 stage1 = mask(seed, stage2);
    if (token.size() != stage1.size()) return false;
    for (size_t i = 0; i < stage1.size(); ++i) stage1[i] ^= token[i];
    return equal_secret(sha1(stage1), stage2);
}

Result<std::string> rsa_oaep_encrypt(Bytes public_key, Bytes plain) {
    const std::unique_ptr<BIO, FreeBio> text(
        BIO_new_mem_buf(public_key.data(), static_cast<int>(public_key.size()))
    );
    const std::unique_ptr<EVP_PKEY, FreeKey> key(
        PEM_read_bio_PUBKEY(text.get(), nullptr, nullptr, nullptr)
    );
    if (key == nullptr || EVP_PKEY_base_id(key.get()) != EVP_PKEY_RSA)
        return rsa_error("not a public key");
    const std::unique_ptr<EVP_PKEY_CTX, FreeKeyContext> context(EVP_PKEY_CTX_new(key.get(), nullptr)
    );
    std::string out(static_cast<size_t>(EVP_PKEY_size(key.get())), '\0');
    size_t size = out.size();
    if (EVP_PKEY_encrypt_init(context.get()) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_OAEP_PADDING) != 1 ||
        EVP_PKEY_encrypt(
            context.get(),
            reinterpret_cast<unsigned char*>(out.data()),
            &size,
            raw(plain.data()),
            plain.size()
        ) != 1)
        return rsa_error("the text is too long for the key");
    out.resize(size);
    return out;
}

Result<std::string> rsa_recover(Bytes public_key, Bytes sealed) {
    const unsigned char* at = raw(public_key.data());
    const std::unique_ptr<EVP_PKEY, FreeKey> key(
        d2i_PUBKEY(nullptr, &at, static_cast<long>(public_key.size()))
    );
    if (key == nullptr || EVP_PKEY_base_id(key.get()) != EVP_PKEY_RSA)
        return rsa_error("not a public key");
    const std::unique_ptr<EVP_PKEY_CTX, FreeKeyContext> context(EVP_PKEY_CTX_new(key.get(), nullptr)
    );
    std::string out(static_cast<size_t>(EVP_PKEY_size(key.get())), '\0');
    size_t size = out.size();
    if (EVP_PKEY_verify_recover_init(context.get()) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING) != 1 ||
        EVP_PKEY_verify_recover(
            context.get(),
            reinterpret_cast<unsigned char*>(out.data()),
            &size,
            raw(sealed.data()),
            sealed.size()
        ) != 1)
        return rsa_error("not encrypted with the private half of this key");
    out.resize(size);
    return out;
}

}  // namespace obcanal
