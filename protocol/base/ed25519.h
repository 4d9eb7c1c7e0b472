// Ed25519 signatures with a secret of any length, which is how MariaDB's login uses them: SHA-512
// of the password stands for the expanded key. With a 32-byte secret these are RFC 8032's. Meant
// for logins: it does not hide its timing from others on the same machine.
#pragma once

#include "protocol/base/bytes.h"

#include <array>

namespace obcanal {

using Ed25519Signature = std::array<std::byte, 64>;

Ed25519Signature ed25519_sign(Bytes secret, Bytes message);

}  // namespace obcanal
