// The MySQL-compatible server that a destination reads binlogs from, and from where on.
#pragma once

#include "protocol/base/text.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace obcanal::config {

enum class SslMode : uint8_t { Disabled, Preferred, Required, VerifyCa, VerifyIdentity };

// canal.instance.master.* or canal.instance.standby.*
struct MysqlServer {
    std::optional<Endpoint> address;
    std::string journal_name;  // start position; all empty: the current end
    int64_t position = 0;
    int64_t timestamp_ms = 0;
    std::string gtid;

    SslMode ssl_mode = SslMode::Disabled;
    std::string trust_store_type;
    std::string trust_store_url;
    std::string trust_store_password;
    std::string client_store_type;
    std::string client_store_url;
    std::string client_store_password;
};

struct BinlogConfig {
    MysqlServer master;
    MysqlServer standby;
    std::string username = "retl";
    std::string password = "retl";
    bool password_encrypted = false;  // enableDruid: with the private half of password_public_key
    std::string password_public_key;
    std::string default_database;
    std::string charset = "UTF-8";
    uint32_t slave_id = 0;  // 0: derived from the destination and our address
    bool gtid_on = false;

    bool detecting_enable = false;
    std::string detecting_sql;
    int64_t detecting_interval_s = 5;
    int64_t detecting_retry_threshold = 3;
    bool detecting_switch = false;
    int64_t fallback_interval_s = 60;
    bool reset_to_latest_position = false;
    bool purged_to_latest = false;  // the same under our own name

    size_t receive_buffer_bytes = 16384;
    size_t send_buffer_bytes = 16384;
    int64_t read_timeout_s = 30;

    std::vector<std::string> binlog_formats;  // accepted by the configuration; empty: all
    std::vector<std::string> binlog_images;

    bool filter_table_error = false;  // leave out rows whose table can't be described
};

}  // namespace obcanal::config
