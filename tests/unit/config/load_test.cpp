// load(): canal.properties and instance.properties as a whole, values and findings.
#include "server/config/load.h"

#include "conf_dir.h"
#include "environment.h"

#include <gmock/gmock.h>

#include <map>

namespace obcanal::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;
using testing::StartsWith;

class LoadTest : public ConfDirTest {};

TEST_F(LoadTest, Defaults) {
    const LoadedConfig config = loaded();
    EXPECT_EQ(findings(config), "");
    EXPECT_EQ(config.server.admin_port, 0);
    EXPECT_EQ(config.server.port, 11111);
    EXPECT_EQ(config.server.user, "");
    EXPECT_EQ(config.server.passwd, "");
    EXPECT_FALSE(config.server.auto_scan);
    EXPECT_EQ(config.server.auto_scan_interval_s, 5);
    EXPECT_EQ(config.server.conf_dir, dir());
    EXPECT_THAT(config.server.destinations, ElementsAre("shop"));
    ASSERT_EQ(config.instances.size(), 1U);
    const InstanceConfig& instance = config.instances[0];
    // The members' initial values are what the tables say.
    const InstanceConfig initial;
    EXPECT_EQ(instance.destination, "shop");
    EXPECT_FALSE(instance.lazy);
    EXPECT_EQ(instance.source, SourceKind::Oblogproxy);
    EXPECT_EQ(instance.meta, MetaKind::File);
    EXPECT_EQ(instance.file_data_dir, dir());
    EXPECT_EQ(instance.file_flush_period_ms, initial.file_flush_period_ms);
    EXPECT_EQ(instance.filter_regex, initial.filter_regex);
    EXPECT_EQ(instance.filter_black_regex, "");
    EXPECT_EQ(instance.transaction_size, initial.transaction_size);
    EXPECT_EQ(instance.memory_buffer_size, initial.memory_buffer_size);
    EXPECT_EQ(instance.memory_buffer_memunit, initial.memory_buffer_memunit);
    EXPECT_EQ(instance.batch_mode, BatchMode::MemSize);
    EXPECT_FALSE(instance.ddl_isolation);
    EXPECT_EQ(instance.get_linger_ms, 20);
    EXPECT_EQ(instance.get_hold_ms, 2);
    EXPECT_EQ(instance.retry_min_ms, initial.retry_min_ms);
    EXPECT_EQ(instance.retry_max_ms, initial.retry_max_ms);
    EXPECT_EQ(instance.oblog.timezone, "+08:00");
    EXPECT_EQ(instance.oblog.working_mode, "memory");
    EXPECT_TRUE(instance.oblog.hash_password);
    EXPECT_FALSE(instance.oblog.tls);
    EXPECT_EQ(instance.oblog.connect_timeout_ms, initial.oblog.connect_timeout_ms);
    EXPECT_EQ(instance.oblog.read_timeout_ms, initial.oblog.read_timeout_ms);
    EXPECT_EQ(instance.oblog.max_packet_bytes, initial.oblog.max_packet_bytes);
}

TEST_F(LoadTest, ServerValues) {
    server(
        "canal.ip = 127.0.0.1\n"
        "canal.register.ip = 10.0.0.9\n"
        "canal.port = 0\n"
        "canal.user = canal\n"
        "canal.passwd = E3619321C1A937C46A0D8BD1DAC39F93B27D4458\n"
        "canal.auto.scan.interval = 7\n"
    );
    const LoadedConfig config = loaded();
    EXPECT_EQ(findings(config), "");
    EXPECT_EQ(config.server.bind_ip, "127.0.0.1");
    EXPECT_EQ(config.server.register_ip, "10.0.0.9");
    EXPECT_EQ(config.server.port, 0);
    EXPECT_EQ(config.server.user, "canal");
    EXPECT_EQ(config.server.passwd, "E3619321C1A937C46A0D8BD1DAC39F93B27D4458");
    EXPECT_EQ(config.server.auto_scan_interval_s, 7);
}

TEST_F(LoadTest, InstanceValues) {
    instance(
        "canal.instance.filter.regex = shop\\\\.t_.*\n"
        "canal.instance.filter.black.regex = shop\\\\.t_log\n"
        "canal.instance.filter.field = shop.a:id/name\n"
        "canal.instance.filter.black.field = shop.b:blob\n"
        "canal.instance.filter.query.dcl = on\n"
        "canal.instance.filter.query.dml = YES\n"
        "canal.instance.filter.query.ddl = 1\n"
        "canal.instance.filter.rows = True\n"
        "canal.instance.filter.dml.insert = true\n"
        "canal.instance.filter.dml.update = true\n"
        "canal.instance.filter.dml.delete = true\n"
        "canal.instance.filter.transaction.entry = true\n"
        "canal.instance.transaction.size = 64\n"
        "canal.instance.memory.buffer.size = 128\n"
        "canal.instance.memory.buffer.memunit = 2048\n"
        "canal.instance.memory.batch.mode = ITEMSIZE\n"
        "canal.instance.get.ddl.isolation = true\n"
        "canal.instance.get.linger = -1\n"
        "canal.instance.retry.min = 10\n"
        "canal.instance.retry.max = 20\n"
        "canal.file.flush.period = 50\n"
        "canal.file.data.dir = /var/lib/obcanal\n"
    );
    const InstanceConfig config = only_instance();
    EXPECT_EQ(config.filter_regex, "shop\\.t_.*");
    EXPECT_EQ(config.filter_black_regex, "shop\\.t_log");
    EXPECT_EQ(config.filter_field, "shop.a:id/name");
    EXPECT_EQ(config.filter_black_field, "shop.b:blob");
    EXPECT_TRUE(config.filter_query_dcl);
    EXPECT_TRUE(config.filter_query_dml);
    EXPECT_TRUE(config.filter_query_ddl);
    EXPECT_TRUE(config.filter_rows);
    EXPECT_TRUE(config.filter_dml_insert);
    EXPECT_TRUE(config.filter_dml_update);
    EXPECT_TRUE(config.filter_dml_delete);
    EXPECT_TRUE(config.filter_transaction_entry);
    EXPECT_EQ(config.transaction_size, 64U);
    EXPECT_EQ(config.memory_buffer_size, 128U);
    EXPECT_EQ(config.memory_buffer_memunit, 2048U);
    EXPECT_EQ(config.batch_mode, BatchMode::ItemSize);
    EXPECT_TRUE(config.ddl_isolation);
    EXPECT_EQ(config.get_linger_ms, -1);
    EXPECT_EQ(config.retry_min_ms, 10);
    EXPECT_EQ(config.retry_max_ms, 20);
    EXPECT_EQ(config.file_flush_period_ms, 50);
    EXPECT_EQ(config.file_data_dir, "/var/lib/obcanal");
}

TEST_F(LoadTest, OblogValues) {
    instance(
        "canal.instance.oceanbase.logproxy.address = a:1, [::1]:2\n"
        "canal.instance.oceanbase.rsList = 10.0.0.1:2882:2881;10.0.0.2:2882:2881\n"
        "canal.instance.oceanbase.clusterUrl = http://ob/config\n"
        "canal.instance.oceanbase.hashPassword = false\n"
        "canal.instance.oceanbase.sysUsername = root@sys\n"
        "canal.instance.oceanbase.sysPassword = syssecret\n"
        "canal.instance.oceanbase.timezone = -03:30\n"
        "canal.instance.oceanbase.workingMode = storage\n"
        "canal.instance.oceanbase.startTimestampUs = 1700000000123456\n"
        "canal.instance.oceanbase.logproxy.clientId = me\n"
        "canal.instance.oceanbase.logproxy.connectTimeout = 100\n"
        "canal.instance.oceanbase.logproxy.readTimeout = 200\n"
        "canal.instance.oceanbase.logproxy.maxPacketBytes = 2097152\n"
    );
    const LoadedConfig config = loaded();
    ASSERT_EQ(config.instances.size(), 1U) << findings(config);
    const OblogConfig& oblog = config.instances[0].oblog;
    EXPECT_THAT(oblog.addresses, ElementsAre(Endpoint{"a", 1}, Endpoint{"::1", 2}));
    EXPECT_EQ(oblog.rs_list, "10.0.0.1:2882:2881;10.0.0.2:2882:2881");
    EXPECT_EQ(oblog.cluster_url, "http://ob/config");
    EXPECT_EQ(oblog.username, "user@shop");
    EXPECT_EQ(oblog.password, "secret");
    EXPECT_FALSE(oblog.hash_password);
    EXPECT_EQ(oblog.sys_username, "root@sys");
    EXPECT_EQ(oblog.sys_password, "syssecret");
    EXPECT_EQ(oblog.tenant, "shop");
    EXPECT_EQ(oblog.timezone, "-03:30");
    EXPECT_EQ(oblog.working_mode, "storage");
    EXPECT_EQ(oblog.start_timestamp_us, 1'700'000'000'123'456);
    EXPECT_EQ(oblog.client_id, "me");
    EXPECT_EQ(oblog.connect_timeout_ms, 100);
    EXPECT_EQ(oblog.read_timeout_ms, 200);
    EXPECT_EQ(oblog.max_packet_bytes, 2'097'152U);
}

TEST_F(LoadTest, SecretsAreMaskedEverywhere) {
    server("canal.passwd = e3619321c1a937c46a0d8bd1dac39f93b27d4458\n");
    instance(
        "canal.instance.oceanbase.sysUsername = s\ncanal.instance.oceanbase.sysPassword = "
        "topsecret\n"
    );
    const LoadedConfig config = loaded();
    std::ostringstream out;
    print_config(config.values, out);
    EXPECT_THAT(out.str(), HasSubstr("canal.passwd = ******    # "));
    EXPECT_THAT(out.str(), HasSubstr("canal.instance.oceanbase.password = ******    # "));
    EXPECT_THAT(out.str(), Not(HasSubstr("e3619321")));
    EXPECT_THAT(out.str(), Not(HasSubstr(" secret")));
    EXPECT_THAT(out.str(), Not(HasSubstr("topsecret")));
    EXPECT_THAT(findings(config), Not(HasSubstr("topsecret")));
}

TEST_F(LoadTest, PrintsValuesWithTheirOrigin) {
    server("canal.port = 11211\ncanal.instance.transaction.size = 512\n");
    const Environment set("canal.ip", "127.0.0.1");
    defines_ = {"canal.instance.retry.min=5"};
    std::ostringstream out;
    print_config(loaded().values, out);
    EXPECT_THAT(out.str(), StartsWith("# server\n"));
    EXPECT_THAT(out.str(), HasSubstr("\n# shop\n"));
    EXPECT_THAT(out.str(), HasSubstr("canal.port = 11211    # " + server_file() + ":3\n"));
    EXPECT_THAT(out.str(), HasSubstr("canal.ip = 127.0.0.1    # environment\n"));
    EXPECT_THAT(out.str(), HasSubstr("canal.instance.retry.min = 5    # command line\n"));
    EXPECT_THAT(
        out.str(), HasSubstr("canal.instance.transaction.size = 512    # " + server_file() + ":4\n")
    );
    EXPECT_THAT(
        out.str(),
        HasSubstr("canal.instance.oceanbase.tenant = shop    # " + instance_file() + ":5\n")
    );
    EXPECT_THAT(out.str(), HasSubstr("canal.instance.filter.regex = .*\\..*    # default\n"));
}

TEST_F(LoadTest, EnvironmentConfiguresADestinationWithoutFile) {
    std::filesystem::remove_all(dir() + "/shop");
    const Environment address("canal.instance.oceanbase.logproxy.address", "proxy:2983");
    const Environment servers("canal.instance.oceanbase.rsList", "a:1:2");
    const Environment user("canal.instance.oceanbase.username", "u@t");
    const Environment password("canal.instance.oceanbase.password", "p");
    const Environment tenant("canal.instance.oceanbase.tenant", "t");
    const InstanceConfig config = only_instance();
    EXPECT_THAT(config.oblog.addresses, ElementsAre(Endpoint{"proxy", 2983}));
    EXPECT_EQ(config.oblog.tenant, "t");
}

TEST_F(LoadTest, PathsAreRelativeToTheConfigurationDirectory) {
    server("canal.conf.dir = ../conf\ncanal.file.data.dir = ${canal.conf.dir}\n");
    EXPECT_EQ(only_instance().file_data_dir, dir());
    server("canal.file.data.dir = ../conf/data\n");
    EXPECT_EQ(only_instance().file_data_dir, dir() + "/data");
    server("canal.file.data.dir = ../data/${canal.instance.destination}\n");
    EXPECT_EQ(only_instance().file_data_dir, scratch_.path() + "/data/shop");
    server("canal.file.data.dir = here\n");
    EXPECT_EQ(only_instance().file_data_dir, scratch_.path() + "/bin/here");
    server("canal.file.data.dir = ../configuration\n");
    EXPECT_EQ(only_instance().file_data_dir, scratch_.path() + "/configuration");
}

TEST_F(LoadTest, ConfDirHoldsTheInstances) {
    server("canal.conf.dir = ../instances\n");
    write(scratch_.path() + "/instances/shop/instance.properties", kOblogBasics);
    std::filesystem::remove_all(dir() + "/shop");
    EXPECT_EQ(only_instance().oblog.tenant, "shop");
}

TEST_F(LoadTest, CanalConfReplacesTheServerFileOnly) {
    server("canal.instance.transaction.size = 64\ncanal.port = 1\n");
    write(
        dir() + "/other.properties",
        "canal.serverMode=tcp\ncanal.destinations=shop\ncanal.port=2\n"
        "canal.instance.memory.buffer.size = 2048\n"
    );
    defines_ = {"canal.conf=classpath:other.properties"};
    const LoadedConfig config = loaded();
    EXPECT_EQ(config.server.port, 2);
    ASSERT_EQ(config.instances.size(), 1U) << findings(config);
    EXPECT_EQ(config.instances[0].transaction_size, 64U);
    EXPECT_EQ(config.instances[0].memory_buffer_size, 16384U);
    defines_ = {"canal.conf=" + dir() + "/other.properties"};
    EXPECT_EQ(loaded().server.port, 2);
}

TEST_F(LoadTest, DestinationLists) {
    const std::map<std::string, std::vector<std::string>> cases = {
        {"canal.destinations = a , b,,c\n", {"a", "b", "c"}},
        {"canal.destinations =\n", {}},
        {"canal.destinations.expr = d{9-11}\n", {"d9", "d10", "d11"}},
        {"canal.destinations.expr = d{3-3}\n", {"d3"}},
        {"canal.destinations.expr = \ncanal.destinations = a\n", {"a"}},
    };
    for (const auto& [text, expected] : cases) {
        write(
            server_file(),
            "canal.serverMode = tcp\n" +
                (text.starts_with("canal.destinations.expr = d") ? "canal.destinations = ignored\n"
                                                                 : std::string()) +
                text
        );
        EXPECT_EQ(loaded().server.destinations, expected) << text;
    }
}

TEST_F(LoadTest, ZookeeperServers) {
    const std::map<std::string, std::string> cases = {
        {"", "127.0.0.1:2181"},
        {"zk", "zk:2181"},
        {"a:1, b:2/canal/", "a:1,b:2/canal"},
        {"a:1/x;b:2,c/y", "a:1,b:2,c:2181/x"},
    };
    for (const auto& [text, expected] : cases) {
        write(
            server_file(),
            "canal.serverMode = tcp\ncanal.destinations = shop\ncanal.zkServers = " + text +
                "\ncanal.instance.global.spring.xml = classpath:spring/default-instance.xml\n"
        );
        EXPECT_EQ(loaded().server.zk_servers, expected) << text;
        EXPECT_EQ(loaded().server.in_cluster, !text.empty()) << text;
    }
}

TEST_F(LoadTest, LazyAndSpringFileOfOneDestination) {
    write(
        server_file(),
        "canal.serverMode = tcp\n"
        "canal.destinations = shop,other,third\n"
        "canal.instance.global.mode = spring\n"
        "canal.instance.global.lazy = true\n"
        "canal.instance.global.spring.xml = classpath:spring/memory-instance.xml\n"
        "canal.instance.shop.lazy = false\n"
        "canal.instance.shop.mode = SPRING\n"
        "canal.instance.other.spring.xml = classpath:spring/ob-default-instance.xml\n"
        "canal.instance.third.spring.xml = spring/ob-file-instance.xml\n"
        "canal.instance.third.lazy =\n"
    );
    instance({}, "other");
    instance({}, "third");
    const LoadedConfig config = loaded();
    EXPECT_EQ(findings(config), "");
    ASSERT_EQ(config.instances.size(), 3U);
    EXPECT_FALSE(config.instances[0].lazy);
    EXPECT_EQ(config.instances[0].meta, MetaKind::Memory);
    EXPECT_TRUE(config.instances[1].lazy);
    EXPECT_EQ(config.instances[1].meta, MetaKind::ZooKeeper);
    EXPECT_TRUE(config.instances[2].lazy);
    EXPECT_EQ(config.instances[2].meta, MetaKind::File);
}

// Key and password as Druid's ConfigTools 1.2.17 printed them.
TEST_F(LoadTest, EncryptedPasswordOfTheSource) {
    const std::string key =
        "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAI2aUBDNxpLtOtFNcoo15J0BnLvBxCaaOskVhg98Wf7EzKsx3ye7+PL/"
        "WmJcMdWyyMtzEE4T76FSqz/eRuc6z28CAwEAAQ==";
    const std::string sealed =
        "NCGfpiHQC9rbmetRTJnsq49b4qx2D10jftC2RhyqlnXzNvzVkQq76hEYuaETrq05CwLfAEFuaDbJnLs3P8wWCw==";
    const std::string source =
        "canal.instance.master.address = 127.0.0.1:3306\ncanal.instance.enableDruid = true\n";
    const auto with = [&](const std::string& public_key, const std::string& password) {
        write(
            instance_file(),
            source + "canal.instance.pwdPublicKey = " + public_key +
                "\ncanal.instance.dbPassword = " + password + "\n"
        );
    };
    with(key, sealed);
    EXPECT_EQ(findings(), "");
    EXPECT_EQ(only_instance().binlog.password, "pass word:1");
    with(key, "N" + sealed.substr(1, 40) + "A" + sealed.substr(42));
    EXPECT_THAT(findings(), HasSubstr(":4: canal.instance.dbPassword: can't be decrypted: RSA: "));
    with(key, "secret");
    EXPECT_THAT(findings(), HasSubstr(":4: canal.instance.dbPassword: is not base64"));
    with("c2VjcmV0", sealed);
    EXPECT_THAT(findings(), HasSubstr("can't be decrypted: RSA: not a public key"));
    with("", sealed);
    EXPECT_THAT(findings(), HasSubstr("canal.instance.pwdPublicKey: must be set when"));
}

TEST_F(LoadTest, KindOfSource) {
    const std::string binlog = "canal.instance.master.address = 127.0.0.1:3306\n";
    EXPECT_EQ(only_instance().source, SourceKind::Oblogproxy);
    write(instance_file(), binlog);
    EXPECT_EQ(only_instance().source, SourceKind::Binlog);
    EXPECT_EQ(only_instance().binlog.master.address, (Endpoint{"127.0.0.1", 3306}));
    instance("canal.instance.source = oblogproxy\n");
    EXPECT_EQ(only_instance().source, SourceKind::Oblogproxy);
    write(instance_file(), binlog + "canal.instance.source = binlog\n");
    EXPECT_EQ(only_instance().source, SourceKind::Binlog);
    // OceanBase's Spring files are for a log proxy, with or without an address.
    server("canal.instance.global.spring.xml = classpath:spring/ob-file-instance.xml\n");
    write(instance_file(), "");
    EXPECT_THAT(
        findings(),
        HasSubstr("CONF/shop/instance.properties: "
                  "canal.instance.oceanbase.logproxy.address: must be set")
    );
}

TEST_F(LoadTest, ExtraConfigs) {
    EXPECT_THAT(
        only_instance().oblog.extra_configs,
        ElementsAre(
            Pair("enable_output_by_table_def", "1"),
            Pair("enable_output_trans_order_by_sql_operation", "1"),
            Pair("sort_trans_participants", "1")
        )
    );
    instance(
        "canal.instance.oceanbase.obcdc.extraConfigs = {'sort_trans_participants': '0', "
        "'region':\"it''s\", skip_dirty_data: 1, 'quote':'a''b'}\n"
    );
    EXPECT_THAT(
        only_instance().oblog.extra_configs,
        ElementsAre(
            Pair("enable_output_by_table_def", "1"),
            Pair("enable_output_trans_order_by_sql_operation", "1"),
            Pair("sort_trans_participants", "0"),
            Pair("region", "it''s"),
            Pair("skip_dirty_data", "1"),
            Pair("quote", "a'b")
        )
    );
    for (const char* empty : {"{:}", "{}", "{ }", ""}) {
        instance("canal.instance.oceanbase.obcdc.extraConfigs = " + std::string(empty) + "\n");
        EXPECT_EQ(only_instance().oblog.extra_configs.size(), 3U) << empty;
    }
}

TEST_F(LoadTest, OneDestinationAgain) {
    instance("canal.instance.transaction.size = 32\n");
    LoadedConfig config = load_instance(dir(), defines_, "shop");
    ASSERT_EQ(config.instances.size(), 1U);
    EXPECT_EQ(config.instances[0].transaction_size, 32U);
    EXPECT_THAT(config.refused, IsEmpty());
    instance("canal.instance.transaction.size = 33\n");
    config = load_instance(dir(), defines_, "shop");
    EXPECT_THAT(config.instances, IsEmpty());
    ASSERT_EQ(config.refused.size(), 1U);
    EXPECT_EQ(config.refused[0].destination, "shop");
}

// What the reference ships must load as it is.
class ShippedTest : public ConfDirTest {
 protected:
    static constexpr const char* kShipped = OBCANAL_FIXTURES "/canal-conf";
};

TEST_F(ShippedTest, MySqlSample) {
    const LoadedConfig config = load(kShipped, {});
    EXPECT_TRUE(report(config.findings, std::cout));
    // It scans its directory, which holds the other sample too.
    ASSERT_EQ(config.instances.size(), 2U);
    const InstanceConfig& example = config.instances[0];
    EXPECT_EQ(example.destination, "example");
    EXPECT_EQ(example.source, SourceKind::Binlog);
    EXPECT_EQ(example.meta, MetaKind::File);
    EXPECT_EQ(example.file_data_dir, kShipped);
    EXPECT_EQ(example.filter_regex, ".*\\..*");
    EXPECT_EQ(example.filter_black_regex, "mysql\\.slave_.*");
    EXPECT_EQ(example.binlog.master.address, (Endpoint{"127.0.0.1", 3306}));
    EXPECT_EQ(example.binlog.username, "canal");
    EXPECT_THAT(example.binlog.binlog_formats, ElementsAre("ROW", "STATEMENT", "MIXED"));
    for (const Finding& finding : config.findings)
        EXPECT_THAT(finding.what, Not(HasSubstr("unknown key"))) << finding.key;
}

TEST_F(ShippedTest, OceanBaseSample) {
    const LoadedConfig config = load(kShipped, {"canal.destinations=oceanbase"});
    EXPECT_TRUE(report(config.findings, std::cout));
    ASSERT_EQ(config.instances.size(), 2U);
    const InstanceConfig& sample = config.instances[0];
    EXPECT_EQ(sample.source, SourceKind::Oblogproxy);
    EXPECT_THAT(sample.oblog.addresses, ElementsAre(Endpoint{"127.0.0.1", 2983}));
    EXPECT_EQ(sample.oblog.rs_list, "127.0.0.1:2882:2881");
    EXPECT_EQ(sample.oblog.username, "username@test");
    EXPECT_EQ(sample.oblog.password, "password");
    EXPECT_EQ(sample.oblog.tenant, "test");
    EXPECT_EQ(sample.oblog.ca_file, std::string(kShipped) + "/oceanbase/ca.crt");
    EXPECT_EQ(sample.filter_regex, "schema1.tableName1,schema2.tableName2");
}

}  // namespace
}  // namespace obcanal::config
