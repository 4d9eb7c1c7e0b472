#include "server/config/extra_configs.h"
#include "server/config/key_table.h"
#include "server/config/oblog_config.h"

#include <array>

namespace obcanal::config {
namespace {

using Oblog = Key<OblogConfig>;

Error bad(std::string what) { return {Errc::BadConfig, Retry::Never, std::move(what)}; }

Result<void> parse_addresses(OblogConfig& to, std::string_view text) {
    to.addresses.clear();
    if (text.empty()) return {};
    for (const std::string_view part : split(text, ',')) {
        const std::optional<Endpoint> address = parse_endpoint(part);
        if (!address) return bad("'" + printable(trim(part)) + "' is not host:port");
        to.addresses.push_back(*address);
    }
    return {};
}

Result<void> parse_rs_list(OblogConfig& to, std::string_view text) {
    to.rs_list = text;
    if (text.empty()) return {};
    for (const std::string_view server : split(text, ';')) {
        const std::vector<std::string_view> parts = split(server, ':');
        bool good = parts.size() == 3 && !parts[0].empty();
        for (size_t i = 1; good && i < 3; ++i) {
            const auto port = parse_uint(parts[i]);
            good = port && *port > 0 && *port <= 65535;
        }
        if (!good)
            return bad(
                "'" + printable(server) + "' is not ip:rpcPort:sqlPort (e.g. 10.0.0.1:2882:2881)"
            );
    }
    return {};
}

Result<void> parse_working_mode(OblogConfig& to, std::string_view text) {
    to.working_mode = text;
    if (text == "memory" || text == "storage") return {};
    return bad("'" + printable(text) + "' is neither memory nor storage");
}

Result<void> parse_extra_configs(OblogConfig& to, std::string_view text) {
    Result<ExtraConfigs> user = parse_map_text(text);
    if (!user) return std::move(user).error();
    Result<ExtraConfigs> merged = with_our_defaults(std::move(user).value());
    if (!merged) return std::move(merged).error();
    to.extra_configs = std::move(merged).value();
    return {};
}

constexpr int64_t kMaxTimeoutMs = 3'600'000;

constexpr std::array kOblogKeys = std::to_array<Oblog>({
    {"canal.instance.oceanbase.logproxy.address",
     Oblog::Parse{parse_addresses},
     "",
     "host:port of the log proxy; several, separated by commas, are tried in turn."},
    {"canal.instance.oceanbase.rsList",
     Oblog::Parse{parse_rs_list},
     "",
     "Root servers of the cluster: ip:rpcPort:sqlPort, separated by semicolons. This or clusterUrl."
    },
    {"canal.instance.oceanbase.clusterUrl",
     &OblogConfig::cluster_url,
     "",
     "Configuration URL of the cluster, instead of rsList."},
    {"canal.instance.oceanbase.username",
     &OblogConfig::username,
     "",
     "User that may read the tenant's tables: user@tenant."},
    Oblog(
        "canal.instance.oceanbase.password",
        &OblogConfig::password,
        "",
        "The user's password, in clear."
    )
        .as_secret(),
    Oblog(
        "canal.instance.oceanbase.hashPassword",
        &OblogConfig::hash_password,
        "true",
        "Sends SHA1(password), as log proxies expect; false sends the password as it is."
    )
        .as_own(),
    Oblog(
        "canal.instance.oceanbase.sysUsername",
        &OblogConfig::sys_username,
        "",
        "User of the sys tenant with which the log proxy reads the log; empty: its own."
    )
        .as_own(),
    Oblog(
        "canal.instance.oceanbase.sysPassword",
        &OblogConfig::sys_password,
        "",
        "Password of sysUsername; it travels in clear, so use it with TLS only."
    )
        .as_secret()
        .as_own(),
    {"canal.instance.oceanbase.tenant", &OblogConfig::tenant, "", "Tenant whose tables are read."},
    {"canal.instance.oceanbase.timezone",
     &OblogConfig::timezone,
     "+08:00",
     "Zone in which TIMESTAMP values are written: +HH:MM."},
    {"canal.instance.oceanbase.workingMode",
     Oblog::Parse{parse_working_mode},
     "memory",
     "How the log proxy buffers: memory or storage."},
    Oblog(
        "canal.instance.oceanbase.startTimestamp",
        &OblogConfig::start_timestamp_s,
        "0",
        "Seconds since 1970 to start from when no cursor is stored. 0: now."
    )
        .in(0, 9'999'999'999),
    Oblog(
        "canal.instance.oceanbase.startTimestampUs",
        &OblogConfig::start_timestamp_us,
        "0",
        "Microseconds since 1970 to start from; above 0 it wins over startTimestamp."
    )
        .in(0, 9'999'999'999'999'999)
        .as_own(),
    {"canal.instance.oceanbase.obcdc.extraConfigs",
     Oblog::Parse{parse_extra_configs},
     "",
     "Further settings of libobcdc: {'key': 'value', 'key': 'value'}."},
    {"canal.instance.oceanbase.logproxy.clientId",
     &OblogConfig::client_id,
     "",
     "Name of this client at the log proxy. Empty: made up."},
    {"canal.instance.oceanbase.logproxy.sslEnabled",
     &OblogConfig::tls,
     "false",
     "Speaks TLS to the log proxy; never falls back to plain text."},
    Oblog(
        "canal.instance.oceanbase.logproxy.serverCert",
        &OblogConfig::ca_file,
        "../conf/${canal.instance.destination}/ca.crt",
        "PEM file of the authority that signed the log proxy's certificate."
    )
        .as_path(),
    Oblog(
        "canal.instance.oceanbase.logproxy.clientCert",
        &OblogConfig::cert_file,
        "",
        "PEM file of our certificate. Empty: none."
    )
        .as_path(),
    Oblog(
        "canal.instance.oceanbase.logproxy.clientKey",
        &OblogConfig::key_file,
        "",
        "PEM file of our private key."
    )
        .as_path(),
    Oblog(
        "canal.instance.oceanbase.logproxy.connectTimeout",
        &OblogConfig::connect_timeout_ms,
        "10000",
        "Milliseconds until an attempt to connect is given up."
    )
        .in(1, kMaxTimeoutMs)
        .as_own(),
    Oblog(
        "canal.instance.oceanbase.logproxy.readTimeout",
        &OblogConfig::read_timeout_ms,
        "30000",
        "Milliseconds without a byte after which the connection counts as dead."
    )
        .in(1, kMaxTimeoutMs)
        .as_own(),
    Oblog(
        "canal.instance.oceanbase.logproxy.maxPacketBytes",
        &OblogConfig::max_packet_bytes,
        "1073741824",
        "Largest packet that is taken, before and after decompression."
    )
        .in(int64_t{1} << 20, int64_t{1} << 31)
        .as_own(),
});

}  // namespace

std::span<const Key<OblogConfig>> oblog_keys() { return kOblogKeys; }

}  // namespace obcanal::config
