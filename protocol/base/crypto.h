// Digests and encryption of the login schemes, and the record check. OpenSSL and zlib behind one
// header.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace obcanal {

using Sha1 = std::array<std::byte, 20>;
using Sha256 = std::array<std::byte, 32>;
using Sha512 = std::array<std::byte, 64>;

Sha1 sha1(Bytes bytes);
Sha256 sha256(Bytes bytes);
Sha512 sha512(Bytes bytes);
uint32_t crc32(Bytes bytes);  // zlib's polynomial
void random_bytes(std::byte* to, size_t count);

// Nothing when it is not base64 (RFC 4648, with padding).
std::optional<std::string> from_base64(std::string_view text);

// Takes the same time whatever the first difference.
bool equal_secret(Bytes a, Bytes b);

// "scramble411", the login of Canal's port (and of MySQL's native password).
// stage2 = SHA1(SHA1(password)); token = SHA1(seed + stage2) XOR SHA1(password).
Sha1 scramble411(std::string_view password, Bytes seed);
bool scramble411_matches(Bytes token, Bytes seed, Bytes stage2);

// RSA with OAEP padding (SHA-1) and a public key in PEM.
Result<std::string> rsa_oaep_encrypt(Bytes public_key, Bytes plain);

// What was encrypted with the private half of an RSA key (PKCS #1 v1.5, block type 1).
// `public_key`: SubjectPublicKeyInfo in DER.
Result<std::string> rsa_recover(Bytes public_key, Bytes sealed);

}  // namespace obcanal
