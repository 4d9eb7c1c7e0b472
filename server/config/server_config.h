// What canal.properties says about the whole server, as plain values. Read once (load.h), never
// looked up again.
#pragma once

#include "server/config/user_config.h"

#include <cstdint>
#include <string>
#include <vector>

namespace obcanal::config {

// Files in PEM; all empty: no TLS.
struct TlsConfig {
    std::string cert_file;
    std::string key_file;
    std::string client_ca_file;  // only clients with a certificate of this CA are let in

    bool enabled() const { return !cert_file.empty(); }
};

struct ServerConfig {
    std::string bind_ip;  // canal.ip; empty: all interfaces
    std::string register_ip;
    uint16_t port = 11111;
    std::string user;
    std::string passwd;  // hex of SHA1(SHA1(password)); empty: no password asked for
    int64_t login_failures_per_minute = 30;  // of one address; 0: no limit
    TlsConfig client_tls;

    uint16_t metrics_port = 11112;  // 0: none
    std::string metrics_bind_ip;    // empty: all interfaces
    TlsConfig metrics_tls;

    uint16_t admin_port = 0;    // 0: none
    std::string admin_bind_ip;  // empty: all interfaces; loopback while there is no password
    std::string admin_user;
    std::string admin_passwd;  // as passwd
    TlsConfig admin_tls;

    std::string zk_servers = "127.0.0.1:2181";  // host:port,host:port[/chroot]
    bool in_cluster = false;                    // canal.zkServers is set
    std::string zk_digest;                      // user:password
    int64_t zk_session_timeout_ms = 90'000;
    int64_t zk_flush_period_ms = 1000;
    bool zk_guard = true;
    bool zk_ack_durable = true;

    std::vector<std::string> destinations;  // listed, not those found by scanning
    std::string conf_dir;                   // of {destination}/instance.properties
    bool auto_scan = false;
    int64_t auto_scan_interval_s = 5;

    std::vector<UserConfig> users;  // of users.yml
};

}  // namespace obcanal::config
