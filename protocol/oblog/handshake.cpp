#include "protocol/oblog/handshake.h"

#include "protocol/base/crypto.h"
#include "protocol/base/text.h"

#include <algorithm>

namespace obcanal::oblog {
namespace {

bool is_secret(std::string_view key) {
    return key.find("password") != std::string_view::npos ||
           key.find("secret") != std::string_view::npos;
}

}  // namespace

HandshakeConfiguration HandshakeConfiguration::parse(std::string_view text) {
    HandshakeConfiguration configuration;
    for (const std::string_view piece : split(text, ' ')) {
        const size_t equals = piece.find('=');
        if (equals == std::string_view::npos) continue;
        configuration.items_.emplace_back(piece.substr(0, equals), piece.substr(equals + 1));
    }
    return configuration;
}

Result<void> HandshakeConfiguration::add(std::string_view key, std::string_view value) {
    constexpr std::string_view kBlanks = " \t\r\n";
    const bool good = !key.empty() && key.find('=') == std::string_view::npos &&
                      key.find_first_of(kBlanks) == std::string_view::npos &&
                      value.find_first_of(kBlanks) == std::string_view::npos;
    if (!good) {
        const std::string what = is_secret(key) ? "the value" : "\"" + printable(value) + "\"";
        return Error{
            Errc::BadConfig,
            Retry::Never,
            printable(key) + ": " + what +
                " can't be sent to a log proxy: its protocol has no blanks"
        };
    }
    items_.emplace_back(key, value);
    return {};
}

std::optional<std::string_view> HandshakeConfiguration::find(std::string_view key) const {
    const auto found = std::find_if(items_.rbegin(), items_.rend(), [key](const auto& item) {
        return item.first == key;
    });
    return found == items_.rend() ? std::nullopt : std::optional<std::string_view>(found->second);
}

std::string HandshakeConfiguration::text() const {
    std::string out;
    for (const auto& [key, value] : items_) out.append(key).append("=").append(value).append(" ");
    return out;
}

std::string HandshakeConfiguration::printable_text() const {
    std::string out;
    for (const auto& [key, value] : items_) {
        if (!out.empty()) out += ' ';
        out.append(key).append("=").append(is_secret(key) && !value.empty() ? "***" : value);
    }
    return printable(out, 4000);
}

std::string password_hash(std::string_view password) {
    return to_upper(to_hex(sha1(as_bytes(password))));
}

}  // namespace obcanal::oblog
