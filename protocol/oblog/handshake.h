// The configuration string of the handshake: what to stream and from when (oblogproxy CDC protocol,
// "key=value" joined by blanks; there is no escaping, so no value can hold a blank). Pure, any
// thread.
#pragma once

#include "protocol/base/result.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace obcanal::oblog {

class HandshakeConfiguration {
 public:
    // For the server: pieces without "=" are passed over, as oblogproxy does.
    static HandshakeConfiguration parse(std::string_view text);

    // BadConfig when key or value hold a blank, or the key is empty or holds a "=".
    Result<void> add(std::string_view key, std::string_view value);
    // The last value given, as the server takes it for keys that it knows.
    std::optional<std::string_view> find(std::string_view key) const;
    // Keys in the order of add(), each followed by a blank, as the Java client writes it.
    std::string text() const;
    // For logs: secrets masked.
    std::string printable_text() const;

 private:
    std::vector<std::pair<std::string, std::string>> items_;
};

// cluster_password as it goes over the wire: upper-case hex of SHA1(password).
std::string password_hash(std::string_view password);

}  // namespace obcanal::oblog
