#include "protocol/base/text.h"
#include "server/config/key_table.h"
#include "server/config/server_config.h"

#include <algorithm>
#include <array>

namespace obcanal::config {
namespace {

using Server = Key<ServerConfig>;
using Tls = Key<TlsConfig>;

constexpr int64_t kMaxPort = 65535;
constexpr int64_t kMaxPeriodMs = 3'600'000;
constexpr std::string_view kNoManager = "canal-admin is not supported";
constexpr std::string_view kManagerTopic = "canal-admin";
constexpr std::string_view kAliyun = "RDS and its binlogs on OSS are not supported";

Error bad(std::string what) { return {Errc::BadConfig, Retry::Never, std::move(what)}; }

Result<void> parse_server_mode(ServerConfig&, std::string_view text) {
    if (equals_ignore_case(text, "tcp")) return {};
    for (const std::string_view known : {"kafka", "rocketMQ", "rabbitMQ", "pulsarMQ"}) {
        if (equals_ignore_case(text, known)) {
            return bad(
                "output to message queues is not supported (" + std::string(known) +
                "); obcanal serves Canal clients: tcp"
            );
        }
    }
    return bad("'" + std::string(text) + "' is no mode; obcanal knows tcp");
}

Result<void> parse_without_netty(ServerConfig&, std::string_view text) {
    if (text.empty() || text == "false") return {};
    return bad("a server without client port is not supported; remove it or set false");
}

Result<void> parse_manager(ServerConfig&, std::string_view text) {
    if (text.empty()) return {};
    return bad(
        "configuration from canal-admin (manager mode) is not supported; write it into "
        "canal.properties and {destination}/instance.properties, and remove this key"
    );
}

// One host:port of the list, the port made explicit.
Result<std::string> zk_server(std::string_view text) {
    const size_t colon = text.rfind(':');
    const std::string_view host = trim(text.substr(0, colon));
    const std::string_view port =
        colon == std::string_view::npos ? std::string_view("2181") : trim(text.substr(colon + 1));
    const auto number = parse_uint(port);
    if (host.empty() || !number || *number == 0 || *number > 65'535)
        return bad("'" + printable(text) + "' is not host:port");
    return std::string(host) + ":" + std::to_string(*number);
}

// As the reference reads it: the chroot of the first cluster, the hosts of all.
Result<void> parse_zk_servers(ServerConfig& to, std::string_view text) {
    if (text.empty()) return {};
    std::string hosts;
    std::string chroot;
    bool first = true;
    for (const std::string_view cluster : split(text, ';')) {
        const size_t slash = cluster.find('/');
        if (first && slash != std::string_view::npos) chroot = trim(cluster.substr(slash));
        first = false;
        for (const std::string_view one : split(cluster.substr(0, slash), ',')) {
            Result<std::string> server = zk_server(one);
            if (!server) return std::move(server).error();
            hosts += (hosts.empty() ? "" : ",") + *server;
        }
    }
    while (chroot.ends_with('/')) chroot.pop_back();
    to.zk_servers = hosts + chroot;
    to.in_cluster = true;
    return {};
}

Result<void> parse_zk_digest(ServerConfig& to, std::string_view text) {
    to.zk_digest = text;
    const size_t colon = text.find(':');
    if (text.empty() || (colon != std::string_view::npos && colon > 0)) return {};
    return bad("is not user:password");
}

Result<void> parse_zk_ack(ServerConfig& to, std::string_view text) {
    to.zk_ack_durable = text == "durable";
    if (to.zk_ack_durable || text == "periodic") return {};
    return bad("'" + std::string(text) + "' is neither durable nor periodic");
}

// Words for which the reference's scanner runs.
Result<void> parse_auto_scan(ServerConfig& to, std::string_view text) {
    for (const std::string_view word : {"true", "on", "yes", "y", "t"}) {
        if (equals_ignore_case(text, word)) {
            to.auto_scan = true;
            return {};
        }
    }
    for (const std::string_view word : {"", "false", "off", "no", "n", "f"}) {
        if (equals_ignore_case(text, word)) return {};
    }
    return bad("'" + std::string(text) + "' is neither true nor false");
}

Result<void> parse_metrics_port(ServerConfig& to, std::string_view text) {
    const std::optional<int64_t> port = parse_int(text);
    if (!port) return bad("'" + printable(text) + "' is not a number");
    if (*port > kMaxPort) return bad(printable(text) + " is more than 65535");
    to.metrics_port = static_cast<uint16_t>(std::max<int64_t>(*port, 0));
    return {};
}

// The reference opens the port when there is a value at all.
Result<void> parse_admin_port(ServerConfig& to, std::string_view text) {
    to.admin_port = 0;
    if (text.empty()) return {};
    const std::optional<uint64_t> port = parse_uint(text);
    if (!port || *port == 0 || *port > kMaxPort)
        return bad("'" + printable(text) + "' is not in 1..65535");
    to.admin_port = static_cast<uint16_t>(*port);
    return {};
}

constexpr std::array kServerKeys = std::to_array<Server>({
    {"canal.ip",
     &ServerConfig::bind_ip,
     "",
     "Address that the client port binds to. Empty: all interfaces."},
    {"canal.register.ip",
     &ServerConfig::register_ip,
     "",
     "Address under which clients reach this server. Empty: canal.ip."},
    Server("canal.port", &ServerConfig::port, "11111", "Port of Canal clients. 0: a free one.")
        .in(0, kMaxPort),
    {"canal.user", &ServerConfig::user, "", "User name that clients must give. Empty: any."},
    Server(
        "canal.passwd",
        &ServerConfig::passwd,
        "",
        "Hex digits of SHA1(SHA1(password)) that clients must give. Empty: none is asked for."
    )
        .as_secret(),
    {"canal.serverMode", Server::Parse{parse_server_mode}, "tcp", "Output of the server: tcp."},
    {"canal.withoutNetty",
     Server::Parse{parse_without_netty},
     "false",
     "Runs without client port; only false is supported."},
    Server(
        "canal.login.failures.per.minute",
        &ServerConfig::login_failures_per_minute,
        "30",
        "Wrong passwords that one address may send within a minute. 0: any number."
    )
        .in(0, 1'000'000)
        .as_own(),
    {"canal.metrics.pull.port",
     Server::Parse{parse_metrics_port},
     "11112",
     "Port of metrics. 0 or less: none."},
    Server(
        "canal.metrics.ip",
        &ServerConfig::metrics_bind_ip,
        "",
        "Address that the metrics port binds to. Empty: all interfaces, as the reference."
    )
        .as_own(),
    {"canal.destinations",
     NoMember{},
     "",
     "Names of the destinations, separated by commas. Must be there, may be empty."},
    {"canal.destinations.expr",
     NoMember{},
     "",
     "name{1-9}: numbered destinations instead of canal.destinations."},
    {"canal.conf.dir", NoMember{}, "../conf", "Directory of {destination}/instance.properties."},
    {"canal.auto.scan",
     Server::Parse{parse_auto_scan},
     "false",
     "Also runs destinations that are not listed but have a directory with instance.properties, "
     "and "
     "follows its changes."},
    Server(
        "canal.auto.scan.interval",
        &ServerConfig::auto_scan_interval_s,
        "5",
        "Seconds between looks at canal.conf.dir."
    )
        .in(1, 86'400),
    Server(
        "canal.zkServers",
        Server::Parse{parse_zk_servers},
        "",
        "ZooKeeper servers of a cluster, host:port,host:port[/chroot]: one of its servers has a "
        "destination, another takes it over at once when that one stops, or when its session ends. "
        "Empty: 127.0.0.1:2181 for default-instance.xml."
    ),
    Server(
        "canal.zookeeper.digest",
        Server::Parse{parse_zk_digest},
        "",
        "user:password for ZooKeeper; what the server creates there is then for this user only."
    )
        .as_secret()
        .as_own(),
    Server(
        "canal.zookeeper.session.timeout",
        &ServerConfig::zk_session_timeout_ms,
        "90000",
        "Milliseconds of a session asked of ZooKeeper, which grants 2 to 20 of its ticks; so long "
        "a lost server's destinations wait for another, and after four fifths of it without "
        "ZooKeeper a server stops serving."
    )
        .in(1'000, 3'600'000)
        .as_own(),
    Server(
        "canal.zookeeper.flush.period",
        &ServerConfig::zk_flush_period_ms,
        "1000",
        "Milliseconds between writes of cursors to ZooKeeper."
    )
        .in(1, kMaxPeriodMs),
    Server(
        "canal.zookeeper.ack",
        Server::Parse{parse_zk_ack},
        "durable",
        "durable: an ack is written to ZooKeeper at once, and the next get of that client is "
        "answered when it is there. periodic: as the reference, with the next period; a server "
        "that is lost takes the acks since with it."
    )
        .as_own(),
    Server(
        "canal.zookeeper.guard",
        &ServerConfig::zk_guard,
        "true",
        "A small process beside the server ends its session with ZooKeeper when the server is "
        "killed, so that others take over at once; false: they wait for the session's timeout."
    )
        .as_own(),
    {"canal.admin.port",
     Server::Parse{parse_admin_port},
     "",
     "Port of the admin protocol, at canal.ip. Empty: none."},
    {"canal.admin.user", &ServerConfig::admin_user, "", "User name of the admin port. Empty: any."},
    Server(
        "canal.admin.passwd",
        &ServerConfig::admin_passwd,
        "",
        "Hex digits of SHA1(SHA1(password)) of the admin port. Empty: it asks for none and answers "
        "on loopback only."
    )
        .as_secret(),
    {"canal.admin.manager",
     Server::Parse{parse_manager},
     "",
     "Address of canal-admin; only empty is supported."},
    Server("canal.admin.register.auto", NoMember{}, "false", "Registers with canal-admin.")
        .no_effect(kNoManager)
        .on(kManagerTopic),
    Server("canal.admin.register.cluster", NoMember{}, "", "Cluster to register with canal-admin.")
        .no_effect(kNoManager)
        .on(kManagerTopic),
    Server("canal.admin.register.name", NoMember{}, "", "Name to register with canal-admin.")
        .no_effect(kNoManager)
        .on(kManagerTopic),
    Server("canal.aliyun.accessKey", NoMember{}, "", "RDS access key.")
        .as_secret()
        .no_effect(kAliyun),
    Server("canal.aliyun.secretKey", NoMember{}, "", "RDS secret key.")
        .as_secret()
        .no_effect(kAliyun),
    Server("canal.aliyun.uid", NoMember{}, "", "Aliyun user id.").no_effect(kAliyun),
    Server("canal.socketChannel", NoMember{}, "nio", "Network library of the MySQL driver.")
        .no_effect("obcanal has one network layer", "netty"),
    Server(
        "canal.conf", NoMember{}, "", "File of the server keys; read from the command line only."
    )
        .no_effect("it is read from the command line only: -Dcanal.conf=FILE"),
    Server("canal.id", NoMember{}, "", "Id of the server; the reference does not use it either.")
        .no_effect("nothing reads it"),
});

constexpr std::array kTlsKeys = std::to_array<Tls>({
    Tls(".cert",
        &TlsConfig::cert_file,
        "",
        "PEM file of the certificate and its chain. Empty: no TLS.")
        .as_path()
        .as_own(),
    Tls(".key", &TlsConfig::key_file, "", "PEM file of the private key.").as_path().as_own(),
    Tls(".client.ca",
        &TlsConfig::client_ca_file,
        "",
        "PEM file of an authority: only clients with a certificate of it are let in.")
        .as_path()
        .as_own(),
});

}  // namespace

std::span<const Key<TlsConfig>> tls_keys() { return kTlsKeys; }

std::span<const Key<ServerConfig>> server_keys() { return kServerKeys; }

}  // namespace obcanal::config
