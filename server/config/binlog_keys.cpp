#include "protocol/base/text.h"
#include "server/config/binlog_config.h"
#include "server/config/key_table.h"

#include <array>

namespace obcanal::config {
namespace {

using Binlog = Key<BinlogConfig>;
using Server = Key<MysqlServer>;

constexpr int64_t kMaxSeconds = 86'400;
constexpr int64_t kMaxSocketBuffer = int64_t{1} << 28;
constexpr std::string_view kTsdb = "the schema history is always kept, in a form of its own";
constexpr std::string_view kTsdbTopic = "schema history";
constexpr std::string_view kRds = "RDS and its binlogs on OSS are not supported";

Error bad(std::string what) { return {Errc::BadConfig, Retry::Never, std::move(what)}; }

// As the reference reads addresses: without a port there is none.
Result<void> parse_address(MysqlServer& to, std::string_view text) {
    to.address.reset();
    if (text.empty()) return {};
    to.address = parse_endpoint(text);
    if (!to.address) return bad("'" + printable(text) + "' is not host:port");
    return {};
}

struct SslModeName {
    std::string_view name;
    SslMode mode;
};

constexpr std::array kSslModes = std::to_array<SslModeName>({
    {"DISABLED", SslMode::Disabled},
    {"PREFERRED", SslMode::Preferred},
    {"REQUIRED", SslMode::Required},
    {"VERIFY_CA", SslMode::VerifyCa},
    {"VERIFY_IDENTITY", SslMode::VerifyIdentity},
});

Result<void> parse_ssl_mode(MysqlServer& to, std::string_view text) {
    std::string names;
    for (const SslModeName& known : kSslModes) {
        if (known.name == text) {
            to.ssl_mode = known.mode;
            return {};
        }
        names += (names.empty() ? "" : ", ") + std::string(known.name);
    }
    return bad("'" + printable(text) + "' is none of " + names);
}

std::vector<std::string> words(std::string_view text) {
    std::vector<std::string> list;
    for (const std::string_view word : split(text, ',')) {
        if (!trim(word).empty()) list.push_back(to_upper(trim(word)));
    }
    return list;
}

Result<void> parse_formats(BinlogConfig& to, std::string_view text) {
    to.binlog_formats = words(text);
    for (const std::string& word : to.binlog_formats) {
        if (word != "ROW" && word != "STATEMENT" && word != "MIXED")
            return bad("'" + printable(word) + "' is none of ROW, STATEMENT, MIXED");
    }
    return {};
}

Result<void> parse_images(BinlogConfig& to, std::string_view text) {
    to.binlog_images = words(text);
    for (const std::string& word : to.binlog_images) {
        if (word != "FULL" && word != "MINIMAL" && word != "NOBLOB")
            return bad("'" + printable(word) + "' is none of FULL, MINIMAL, NOBLOB");
    }
    return {};
}

Result<void> parse_purged(BinlogConfig& to, std::string_view text) {
    if (text != "stop" && text != "latest")
        return bad("'" + printable(text) + "' is neither stop nor latest");
    to.purged_to_latest = text == "latest";
    return {};
}

constexpr std::array kMysqlServerKeys = std::to_array<Server>({
    {".address", Server::Parse{parse_address}, "", "host:port of the server."},
    {".journal.name", &MysqlServer::journal_name, "", "Binlog file to start from."},
    Server(".position", &MysqlServer::position, "0", "Offset in that file.")
        .in(0, int64_t{1} << 40),
    Server(".timestamp", &MysqlServer::timestamp_ms, "0", "Milliseconds since 1970 to start from.")
        .in(0, 9'999'999'999'999),
    {".gtid", &MysqlServer::gtid, "", "GTID set to start behind."},
    {".sslMode",
     Server::Parse{parse_ssl_mode},
     "DISABLED",
     "DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY."},
    Server(".tlsVersions", NoMember{}, "", "TLS versions that may be used.")
        .no_effect("TLS 1.2 and 1.3 are spoken"),
    {".trustCertificateKeyStoreType",
     &MysqlServer::trust_store_type,
     "",
     "Kind of the store of trusted certificates: PEM. For PKCS12 and JKS the error says the "
     "commands that convert them."},
    {".trustCertificateKeyStoreUrl", &MysqlServer::trust_store_url, "", "Its file."},
    Server(
        ".trustCertificateKeyStorePassword", &MysqlServer::trust_store_password, "", "Its password."
    )
        .as_secret(),
    {".clientCertificateKeyStoreType",
     &MysqlServer::client_store_type,
     "",
     "Kind of the store of our certificate: PEM. For PKCS12 and JKS the error says the "
     "commands that convert them."},
    {".clientCertificateKeyStoreUrl", &MysqlServer::client_store_url, "", "Its file."},
    Server(
        ".clientCertificateKeyStorePassword",
        &MysqlServer::client_store_password,
        "",
        "Its password."
    )
        .as_secret(),
});

constexpr std::array kBinlogKeys = std::to_array<Binlog>({
    {"canal.instance.dbUsername", &BinlogConfig::username, "retl", "User of the MySQL server."},
    Binlog("canal.instance.dbPassword", &BinlogConfig::password, "retl", "The user's password.")
        .as_secret(),
    {"canal.instance.enableDruid",
     &BinlogConfig::password_encrypted,
     "false",
     "dbPassword is encrypted with a private RSA key."},
    {"canal.instance.pwdPublicKey",
     &BinlogConfig::password_public_key,
     "",
     "The public key that decrypts dbPassword."},
    {"canal.instance.defaultDatabaseName",
     &BinlogConfig::default_database,
     "",
     "Database to connect to."},
    {"canal.instance.connectionCharset",
     &BinlogConfig::charset,
     "UTF-8",
     "Character set of text columns."},
    Binlog(
        "canal.instance.mysql.slaveId",
        &BinlogConfig::slave_id,
        "0",
        "Our server id at the MySQL server. 0: derived from the destination and our address."
    )
        .in(0, 4'294'967'295),
    {"canal.instance.gtidon", &BinlogConfig::gtid_on, "false", "Positions are GTID sets."},
    {"canal.instance.detecting.enable",
     &BinlogConfig::detecting_enable,
     "false",
     "Runs a statement regularly to see whether the server lives."},
    {"canal.instance.detecting.sql", &BinlogConfig::detecting_sql, "", "That statement."},
    Binlog(
        "canal.instance.detecting.interval.time",
        &BinlogConfig::detecting_interval_s,
        "5",
        "Seconds between two of them."
    )
        .in(1, kMaxSeconds),
    Binlog(
        "canal.instance.detecting.retry.threshold",
        &BinlogConfig::detecting_retry_threshold,
        "3",
        "Failures in a row that are tolerated."
    )
        .in(0, 1'000'000),
    {"canal.instance.detecting.heartbeatHaEnable",
     &BinlogConfig::detecting_switch,
     "false",
     "Then changes between master and standby."},
    Binlog(
        "canal.instance.fallbackIntervalInSeconds",
        &BinlogConfig::fallback_interval_s,
        "60",
        "Seconds to go back in time when the position is of another server."
    )
        .in(0, kMaxSeconds),
    {"canal.auto.reset.latest.pos.mode",
     &BinlogConfig::reset_to_latest_position,
     "false",
     "Starts at the current end when the server has purged the position. Loses data."},
    Binlog(
        "canal.instance.purged.position",
        Binlog::Parse{parse_purged},
        "stop",
        "When the server has purged the position: stop, or go on at the latest. The gap is told in "
        "the log and the status."
    )
        .as_own(),
    Binlog(
        "canal.instance.network.receiveBufferSize",
        &BinlogConfig::receive_buffer_bytes,
        "16384",
        "Receive buffer of the source's socket. Up to 1 MiB the system chooses, whose own buffer "
        "grows as it is needed."
    )
        .in(1, kMaxSocketBuffer),
    Binlog(
        "canal.instance.network.sendBufferSize",
        &BinlogConfig::send_buffer_bytes,
        "16384",
        "Send buffer of the source's socket."
    )
        .in(1, kMaxSocketBuffer),
    Binlog(
        "canal.instance.network.soTimeout",
        &BinlogConfig::read_timeout_s,
        "30",
        "Seconds without a byte after which the connection counts as dead."
    )
        .in(1, kMaxSeconds),
    {"canal.instance.binlog.format",
     Binlog::Parse{parse_formats},
     "",
     "binlog_format values of the server that are accepted. Empty: all."},
    {"canal.instance.binlog.image",
     Binlog::Parse{parse_images},
     "",
     "binlog_row_image values of the server that are accepted. Empty: all."},
    {"canal.instance.filter.table.error",
     &BinlogConfig::filter_table_error,
     "false",
     "Leaves out rows whose table can't be described, instead of stopping."},
    Binlog(
        "canal.instance.filter.druid.ddl",
        NoMember{},
        "true",
        "Reads DDL with the full reader; false: by its first words only."
    )
        .no_effect("DDL is always read with the full reader"),
    Binlog(
        "canal.instance.multi.stream.on",
        NoMember{},
        "false",
        "The source is a PolarDB-X stream of the destination's name."
    )
        .no_effect("PolarDB-X streams are not supported"),
    Binlog("canal.instance.tsdb.enable", NoMember{}, "true", "Keeps the history of table schemas.")
        .no_effect(kTsdb)
        .on(kTsdbTopic),
    Binlog("canal.instance.tsdb.dir", NoMember{}, "", "Directory of that history.")
        .no_effect(kTsdb)
        .on(kTsdbTopic),
    Binlog("canal.instance.tsdb.url", NoMember{}, "", "Database of that history.")
        .as_secret()
        .no_effect(kTsdb)
        .on(kTsdbTopic),
    Binlog("canal.instance.tsdb.dbUsername", NoMember{}, "", "User of that database.")
        .no_effect(kTsdb)
        .on(kTsdbTopic),
    Binlog("canal.instance.tsdb.dbPassword", NoMember{}, "", "Password of that user.")
        .as_secret()
        .no_effect(kTsdb)
        .on(kTsdbTopic),
    Binlog("canal.instance.tsdb.snapshot.interval", NoMember{}, "24", "Hours between snapshots.")
        .no_effect(kTsdb)
        .on(kTsdbTopic),
    Binlog("canal.instance.tsdb.snapshot.expire", NoMember{}, "360", "Hours that snapshots live.")
        .no_effect(kTsdb)
        .on(kTsdbTopic),
    Binlog("canal.instance.tsdb.spring.xml", NoMember{}, "", "Storage of that history.")
        .no_effect(kTsdb)
        .on(kTsdbTopic),
    Binlog("canal.instance.rds.accesskey", NoMember{}, "", "RDS access key.")
        .as_secret()
        .no_effect(kRds),
    Binlog("canal.instance.rds.secretkey", NoMember{}, "", "RDS secret key.")
        .as_secret()
        .no_effect(kRds),
    Binlog("canal.instance.rds.instanceId", NoMember{}, "", "RDS instance.").no_effect(kRds),
    Binlog("canal.aliyun.accesskey", NoMember{}, "", "RDS access key, as instances read it.")
        .as_secret()
        .no_effect(kRds),
    Binlog("canal.aliyun.secretkey", NoMember{}, "", "RDS secret key, as instances read it.")
        .as_secret()
        .no_effect(kRds),
});

}  // namespace

std::span<const Key<BinlogConfig>> binlog_keys() { return kBinlogKeys; }

std::span<const Key<MysqlServer>> mysql_server_keys() { return kMysqlServerKeys; }

}  // namespace obcanal::config
