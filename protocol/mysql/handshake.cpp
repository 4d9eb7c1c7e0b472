#include "protocol/mysql/handshake.h"

#include "protocol/base/text.h"
#include "protocol/mysql/packet.h"
#include "protocol/mysql/wire.h"

#include <algorithm>

namespace obcanal::mysql {
namespace {

constexpr uint32_t kLargestPacket = 1U << 30;
constexpr size_t kFirstSeedPart = 8;
constexpr size_t kSeedSize = 20;

uint32_t wanted_capabilities(const Greeting& greeting, const LoginOptions& options) {
    uint32_t wanted = capability::kLongPassword | capability::kLongFlag | capability::kProtocol41 |
                      capability::kTransactions | capability::kSecureConnection |
                      capability::kPluginAuth;
    if (options.tls) wanted |= capability::kSsl;
    if (!options.database.empty()) wanted |= capability::kConnectWithDatabase;
    return wanted & (greeting.capabilities | capability::kConnectWithDatabase);
}

std::string packet_front(const Greeting& greeting, const LoginOptions& options) {
    std::string out;
    append_le(out, wanted_capabilities(greeting, options), 4);
    append_le(out, kLargestPacket, 4);
    append_le(out, options.collation, 1);
    out.append(23, '\0');
    return out;
}

}  // namespace

Result<Greeting> parse_greeting(Bytes payload) {
    const auto bad = [](const std::string& what) {
        return Error{Errc::BadPacket, Retry::Backoff, "MySQL greeting: " + what};
    };
    if (is_error(payload)) return server_error(payload, "connecting");
    constexpr uint8_t kProtocolVersion = 10;
    ByteReader in(payload);
    const uint8_t protocol = in.u8();
    if (!in.ok() || protocol != kProtocolVersion)
        return bad("protocol " + std::to_string(protocol) + ", not MySQL's 10");
    Greeting greeting;
    greeting.server_version = std::string(read_nul_text(in, payload));
    greeting.mariadb = to_lower(greeting.server_version).find("mariadb") != std::string::npos;
    // MariaDB 10 and later put this in front for the sake of old replicas.
    constexpr std::string_view kDisguise = "5.5.5-";
    if (greeting.mariadb && greeting.server_version.starts_with(kDisguise))
        greeting.server_version.erase(0, kDisguise.size());
    greeting.connection_id = in.u32_le();
    greeting.seed = std::string(in.text(kFirstSeedPart));
    in.skip(1);
    greeting.capabilities = in.u16_le();
    if (!in.ok()) return bad("truncated");
    if (in.empty()) return bad("the server is older than MySQL 4.1");
    greeting.collation = in.u8();
    in.skip(2);  // status
    greeting.capabilities |= uint32_t{in.u16_le()} << 16;
    const uint8_t seed_size = in.u8();
    in.skip(10);
    const size_t rest = std::max<size_t>(13, seed_size > 8 ? seed_size - 8U : 0);
    greeting.seed += in.text(rest);
    if (!in.ok()) return bad("truncated");
    greeting.seed.resize(std::min(greeting.seed.size(), kSeedSize));
    greeting.plugin = "mysql_native_password";
    if ((greeting.capabilities & capability::kPluginAuth) != 0 && !in.empty()) {
        const std::string_view plugin = in.text(in.remaining());
        greeting.plugin = std::string(plugin.substr(0, plugin.find('\0')));
    }
    return greeting;
}

std::string tls_request(const Greeting& greeting, const LoginOptions& options) {
    return packet_front(greeting, options);
}

std::string login_packet(
    const Greeting& greeting,
    const LoginOptions& options,
    std::string_view plugin,
    std::string_view scramble
) {
    std::string out = packet_front(greeting, options);
    out += options.user;
    out += '\0';
    // One byte of length: schemes with longer answers get theirs after a switch.
    append_le(out, scramble.size(), 1);
    out += scramble;
    if (!options.database.empty()) {
        out += options.database;
        out += '\0';
    }
    if ((greeting.capabilities & capability::kPluginAuth) != 0) {
        out += plugin;
        out += '\0';
    }
    return out;
}

}  // namespace obcanal::mysql
