#include "server/config/instance_rules.h"

#include "protocol/base/crypto.h"
#include "protocol/base/text.h"
#include "server/config/spring_file.h"
#include "server/filter/column_filter.h"
#include "server/filter/table_filter.h"

#include <unistd.h>

#include <algorithm>

namespace obcanal::config {
namespace {

constexpr std::string_view kSource = "canal.instance.source";
constexpr std::string_view kSpringXml = "canal.instance.global.spring.xml";
constexpr std::string_view kLogProxy = "canal.instance.oceanbase.logproxy.address";
constexpr std::string_view kMaster = "canal.instance.master";
constexpr std::string_view kStandby = "canal.instance.standby";
constexpr size_t kMaxName = 200;

// "+08:00"
bool is_zone_offset(std::string_view zone) {
    if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':') return false;
    const auto hours = parse_uint(zone.substr(1, 2));
    const auto minutes = parse_uint(zone.substr(4, 2));
    return hours && minutes && *hours <= 14 && *minutes < 60;
}

bool has_blank(std::string_view text) {
    return text.find_first_of(" \t\r\n\f\v") != std::string_view::npos;
}

void check_readable(KeyReader& reader, std::string_view key, const std::string& file) {
    if (!file.empty() && ::access(file.c_str(), R_OK) != 0)
        reader.error(key, file + ": can't be read");
}

void check_start(KeyReader& reader, const OblogConfig& oblog) {
    if (oblog.start_timestamp_s > 0 && oblog.start_timestamp_us > 0) {
        reader.warning(
            "canal.instance.oceanbase.startTimestamp",
            "no effect: canal.instance.oceanbase.startTimestampUs wins"
        );
    }
}

void check_tls(KeyReader& reader, const OblogConfig& oblog) {
    constexpr std::string_view kCa = "canal.instance.oceanbase.logproxy.serverCert";
    constexpr std::string_view kCert = "canal.instance.oceanbase.logproxy.clientCert";
    constexpr std::string_view kKey = "canal.instance.oceanbase.logproxy.clientKey";
    if (!oblog.tls) {
        if (!oblog.sys_password.empty()) {
            reader.warning(
                "canal.instance.oceanbase.sysPassword",
                "travels in clear; set canal.instance.oceanbase.logproxy.sslEnabled"
            );
        }
        return;
    }
    if (oblog.ca_file.empty()) reader.error(kCa, "must be set when sslEnabled is true");
    if (oblog.cert_file.empty() != oblog.key_file.empty()) {
        reader.error(
            oblog.cert_file.empty() ? kKey : kCert, "clientCert and clientKey go together"
        );
    }
    check_readable(reader, kCa, oblog.ca_file);
    check_readable(reader, kCert, oblog.cert_file);
    check_readable(reader, kKey, oblog.key_file);
}

void check_oblog(KeyReader& reader, const OblogConfig& oblog) {
    const auto key = [](std::string_view name) {
        return "canal.instance.oceanbase." + std::string(name);
    };
    if (oblog.addresses.empty())
        reader.error(kLogProxy, "must be set: host:port of the log proxy, e.g. 127.0.0.1:2983");
    if (oblog.rs_list.empty() && oblog.cluster_url.empty())
        reader.error(key("rsList"), "must be set, or canal.instance.oceanbase.clusterUrl");

    struct Word {
        std::string_view name;
        const std::string& value;
        bool required;
    };

    const Word words[] = {
        {"username", oblog.username, true},
        {"password", oblog.password, true},
        {"tenant", oblog.tenant, true},
        {"clusterUrl", oblog.cluster_url, false},
        {"rsList", oblog.rs_list, false},
        {"sysUsername", oblog.sys_username, false},
        {"sysPassword", oblog.sys_password, false},
        {"timezone", oblog.timezone, false},
        {"logproxy.clientId", oblog.client_id, false},
    };
    for (const Word& word : words) {
        if (word.required && word.value.empty()) reader.error(key(word.name), "must be set");
        const bool hashed = word.name == "password" && oblog.hash_password;
        if (!hashed && has_blank(word.value))
            reader.error(key(word.name), "the log proxy protocol can't carry blanks");
    }
    if (oblog.sys_username.empty() != oblog.sys_password.empty()) {
        reader.error(
            key(oblog.sys_username.empty() ? "sysPassword" : "sysUsername"),
            "sysUsername and sysPassword go together"
        );
    }
    if (!is_zone_offset(oblog.timezone)) {
        reader.error(
            key("timezone"), "'" + printable(oblog.timezone) + "' is not +HH:MM, e.g. +08:00"
        );
    }
    check_start(reader, oblog);
    check_tls(reader, oblog);
}

// dbPassword as Alibaba Druid's ConfigTools writes it: encrypted with a private RSA key, in base64
// as the public key (X.509, DER) is.
void decrypt_password(KeyReader& reader, BinlogConfig& binlog) {
    constexpr std::string_view kPublicKey = "canal.instance.pwdPublicKey";
    constexpr std::string_view kPassword = "canal.instance.dbPassword";
    if (!binlog.password_encrypted) return;
    if (binlog.password_public_key.empty())
        return reader.error(kPublicKey, "must be set when enableDruid is true");
    const std::optional<std::string> key = from_base64(binlog.password_public_key);
    if (!key) return reader.error(kPublicKey, "is not base64");
    const std::optional<std::string> sealed = from_base64(binlog.password);
    if (!sealed) return reader.error(kPassword, "is not base64, as enableDruid has it");
    Result<std::string> plain = rsa_recover(as_bytes(*key), as_bytes(*sealed));
    if (!plain) return reader.error(kPassword, "can't be decrypted: " + plain.error().detail);
    binlog.password = std::move(plain).value();
}

void check_binlog(KeyReader& reader, const BinlogConfig& binlog) {
    if (!binlog.master.address) {
        reader.error(
            std::string(kMaster) + ".address",
            "must be set: host:port of the MySQL server; or set "
            "canal.instance.oceanbase.logproxy.address to read a log proxy"
        );
    }
    if (binlog.detecting_enable && binlog.detecting_sql.empty())
        reader.error("canal.instance.detecting.sql", "must be set when detecting.enable is true");
}

// The reference does not trim the items of a list, so a blank makes one match nothing.
void check_items(KeyReader& reader, std::string_view key, std::string_view list) {
    for (const std::string_view item : split(list, ',')) {
        if (item == trim(item)) continue;
        reader.warning(
            key,
            "'" + printable(item) +
                "': the blank beside the comma belongs to the expression, so it "
                "matches no table; remove it"
        );
    }
}

// An expression that is none would stop the destination at its start, or at the first row.
void check_filters(KeyReader& reader, const InstanceConfig& config) {
    constexpr std::string_view kFilter = "canal.instance.filter.";
    const auto tables = [&](std::string_view key, std::string_view list) {
        const std::string name = std::string(kFilter) + std::string(key);
        check_items(reader, name, list);
        const Result<filter::TableFilter> good = filter::TableFilter::compile(list, {});
        if (!good) reader.error(name, good.error().detail);
    };
    const auto columns = [&](std::string_view key, std::string_view list) {
        const Result<filter::ColumnFilter> good = filter::ColumnFilter::parse(list, {});
        if (!good) reader.error(std::string(kFilter) + std::string(key), good.error().detail);
    };
    tables("regex", config.filter_regex);
    tables("black.regex", config.filter_black_regex);
    columns("field", config.filter_field);
    columns("black.field", config.filter_black_field);
}

}  // namespace

void read_source(KeyReader& reader, InstanceConfig& config) {
    const Result<SpringFile> spring = SpringFile::of(reader.setting(kSpringXml).text);
    const bool wants_oblog = spring && spring->oblog;
    const std::string source = reader.setting(kSource).text;
    const bool has_proxy = !reader.layers().instance(kLogProxy, {}).text.empty();
    if (source.empty()) {
        config.source = wants_oblog || has_proxy ? SourceKind::Oblogproxy : SourceKind::Binlog;
        const std::string master = std::string(kMaster) + ".address";
        const Setting address = reader.layers().instance(master, {});
        if (config.source == SourceKind::Oblogproxy && address.from_instance_file &&
            !address.text.empty()) {
            reader.warning(
                kSource,
                "both a log proxy and " + master +
                    " are set; the log proxy is read. Set it to oblogproxy or binlog to say which"
            );
        }
    } else if (source == "binlog" && wants_oblog) {
        reader.error(
            kSource,
            "binlog, but " + reader.setting(kSpringXml).text +
                " is for a log proxy; use the file "
                "of the same name without ob-"
        );
    }

    if (config.source == SourceKind::Oblogproxy) {
        reader.read(oblog_keys(), KeyKind::Instance, config.oblog);
        constexpr std::string_view kWhy = "the source is a log proxy";
        reader.pass_over(binlog_keys(), kWhy);
        reader.pass_over(mysql_server_keys(), kWhy, kMaster);
        reader.pass_over(mysql_server_keys(), kWhy, kStandby);
    } else {
        reader.read(binlog_keys(), KeyKind::Instance, config.binlog);
        decrypt_password(reader, config.binlog);
        reader.read(mysql_server_keys(), KeyKind::Instance, config.binlog.master, kMaster);
        reader.read(mysql_server_keys(), KeyKind::Instance, config.binlog.standby, kStandby);
        reader.pass_over(oblog_keys(), "the source is a MySQL server");
    }
}

void check_instance(KeyReader& reader, const InstanceConfig& config) {
    if (config.transaction_size > config.memory_buffer_size) {
        reader.error(
            "canal.instance.transaction.size",
            std::to_string(config.transaction_size) +
                " is more than canal.instance.memory.buffer.size (" +
                std::to_string(config.memory_buffer_size) + "): such a piece would never fit"
        );
    }
    if (config.retry_min_ms > config.retry_max_ms) {
        reader.error(
            "canal.instance.retry.min",
            std::to_string(config.retry_min_ms) + " is more than canal.instance.retry.max (" +
                std::to_string(config.retry_max_ms) + ")"
        );
    }
    check_filters(reader, config);
    if (config.source == SourceKind::Oblogproxy) {
        check_oblog(reader, config.oblog);
    } else {
        check_binlog(reader, config.binlog);
    }
}

Result<void> check_destination_name(std::string_view name) {
    const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
        return static_cast<unsigned char>(c) > ' ' && c != '/' && c != '\\' && c != '\x7F';
    });
    if (!name.empty() && name.size() <= kMaxName && plain && name[0] != '.') return {};
    return Error{
        Errc::BadConfig,
        Retry::Never,
        "'" + printable(name) +
            "' can't name a destination: no blanks and slashes, no dot in front, at most " +
            std::to_string(kMaxName) + " bytes"
    };
}

}  // namespace obcanal::config
