// What canal.properties says about the whole server, as plain values. Read once (load.h), never
// looked up again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace obcanal::config {

struct ServerConfig {
    std::string bind_ip;  // canal.ip; empty: all interfaces
    std::string register_ip;
    uint16_t port = 11111;
    std::string user;
    std::string passwd;  // hex of SHA1(SHA1(password)); empty: no password asked for

    std::string file_data_dir;  // canal.file.data.dir, resolved
    int64_t file_flush_period_ms = 1000;
};

}  // namespace obcanal::config
