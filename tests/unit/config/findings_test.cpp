// Everything that is wrong with a configuration is named with file, line and key.
#include "conf_dir.h"
#include "environment.h"
#include "server/config/load.h"

#include <gmock/gmock.h>

namespace obcanal::config {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

struct Case {
    std::string name;
    std::string lines;
    std::string expected;
};

void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

std::string name_of(const testing::TestParamInfo<Case>& info) { return info.param.name; }

class ServerErrors : public ConfDirTest, public testing::WithParamInterface<Case> {};

TEST_P(ServerErrors, AreLocated) {
    server(GetParam().lines);
    const LoadedConfig config = loaded();
    EXPECT_THAT(findings(config), StartsWith("CONF/canal.properties:3: " + GetParam().expected));
    std::ostringstream ignored;
    EXPECT_FALSE(report(config.findings, ignored));
    EXPECT_EQ(config.findings[0].scope, "");
}

INSTANTIATE_TEST_SUITE_P(
    Key,
    ServerErrors,
    testing::Values(
        Case{"port_text", "canal.port = abc", "canal.port: 'abc' is not a number"},
        Case{"port_range", "canal.port = 65536", "canal.port: 65536 is not in 0..65535"},
        Case{"port_negative", "canal.port = -1", "canal.port: -1 is not in 0..65535"},
        Case{
            "port_huge",
            "canal.port = 99999999999999999999",
            "canal.port: '99999999999999999999' is not a number"
        },
        Case{"port_placeholder", "canal.port = ${p:1}", "canal.port: '${p:1}' is not a number"},
        Case{"passwd_short", "canal.passwd = e361", "canal.passwd: must be the 40 hex digits"},
        Case{"passwd_clear", "canal.passwd = canal", "canal.passwd: must be the 40 hex digits"},
        Case{
            "passwd_star",
            "canal.passwd = *E3619321C1A937C46A0D8BD1DAC39F93B27D4458",
            "canal.passwd: must be the 40 hex digits"
        },
        Case{"user_without_passwd", "canal.user = canal", "canal.user: is set, but canal.passwd"},
        Case{
            "mode_queue",
            "canal.serverMode = KAFKA",
            "canal.serverMode: output to message queues is not supported (kafka)"
        },
        Case{"mode_unknown", "canal.serverMode = udp", "canal.serverMode: 'udp' is no mode"},
        Case{"without_netty", "canal.withoutNetty = true", "canal.withoutNetty: a server without"},
        Case{
            "manager",
            "canal.admin.manager = 127.0.0.1:8089",
            "canal.admin.manager: configuration from canal-admin (manager mode) is not supported"
        },
        Case{
            "zookeeper",
            "canal.zkServers = zk:2181,zk2:x/canal",
            "canal.zkServers: 'zk2:x' is not host:port"
        },
        Case{"scan", "canal.auto.scan = maybe", "canal.auto.scan: 'maybe' is neither"},
        Case{
            "scan_interval",
            "canal.auto.scan.interval = 0",
            "canal.auto.scan.interval: 0 is not in 1..86400"
        },
        Case{"destination_slash", "canal.destinations = a/b", "canal.destinations: 'a/b' can't"},
        Case{"destination_dots", "canal.destinations = ..", "canal.destinations: '..' can't"},
        Case{"destination_blank", "canal.destinations = a b", "canal.destinations: 'a b' can't"},
        Case{
            "expression_text",
            "canal.destinations.expr = abc",
            "canal.destinations.expr: 'abc' is not name{first-last}"
        },
        Case{
            "expression_order",
            "canal.destinations.expr = a{3-1}",
            "canal.destinations.expr: 'a{3-1}' is not name{first-last}"
        },
        Case{
            "expression_huge",
            "canal.destinations.expr = a{0-10000}",
            "canal.destinations.expr: 'a{0-10000}' is not name{first-last}"
        },
        Case{"escape", "canal.ip = \\u12", "canal.ip: \\u needs four hex digits"}
    ),
    name_of
);

TEST_F(ConfDirTest, MissingServerKeysNameTheFile) {
    write(server_file(), "");
    EXPECT_EQ(
        findings(), "CONF/canal.properties: canal.destinations: must be set, if only to nothing\n"
    );
}

TEST_F(ConfDirTest, MissingServerFile) {
    std::filesystem::remove(server_file());
    EXPECT_THAT(findings(), StartsWith("CONF/canal.properties: No such file or directory\n"));
}

TEST_F(ConfDirTest, EmptyEnvironmentVariableHidesTheServerFile) {
    const Environment set("canal.destinations", "");
    EXPECT_TRUE(loaded().server.destinations.empty());
    EXPECT_EQ(findings(), "");
}

class InstanceErrors : public ConfDirTest, public testing::WithParamInterface<Case> {};

TEST_P(InstanceErrors, AreLocatedAndStopThatDestinationOnly) {
    write(server_file(), "canal.serverMode = tcp\ncanal.destinations = shop,other\n");
    instance({}, "other");
    instance(GetParam().lines);
    const LoadedConfig config = loaded();
    EXPECT_EQ(findings(config).find("CONF/shop/instance.properties:6: " + GetParam().expected), 0U)
        << findings(config);
    ASSERT_EQ(config.instances.size(), 1U);
    EXPECT_EQ(config.instances[0].destination, "other");
    ASSERT_EQ(config.refused.size(), 1U);
    EXPECT_EQ(config.refused[0].destination, "shop");
    EXPECT_EQ(config.findings[0].scope, "shop");
}

INSTANTIATE_TEST_SUITE_P(
    Key,
    InstanceErrors,
    testing::Values(
        Case{
            "power_of_two",
            "canal.instance.memory.buffer.size = 16383",
            "canal.instance.memory.buffer.size: 16383 is not a power of two"
        },
        Case{
            "transaction_power",
            "canal.instance.transaction.size = 1000",
            "canal.instance.transaction.size: 1000 is not a power of two"
        },
        Case{
            "transaction_larger",
            "canal.instance.transaction.size = 32768",
            "canal.instance.transaction.size: 32768 is more than "
            "canal.instance.memory.buffer.size (16384)"
        },
        Case{
            "zero",
            "canal.instance.memory.buffer.size = 0",
            "canal.instance.memory.buffer.size: 0 is not in 1..16777216"
        },
        Case{
            "memunit",
            "canal.instance.memory.buffer.memunit = -5",
            "canal.instance.memory.buffer.memunit: -5 is not in 1..1048576"
        },
        Case{
            "batch_mode",
            "canal.instance.memory.batch.mode = memsize",
            "canal.instance.memory.batch.mode: 'memsize' is neither MEMSIZE nor ITEMSIZE"
        },
        Case{
            "bool",
            "canal.instance.filter.rows = ja",
            "canal.instance.filter.rows: 'ja' is neither true nor false"
        },
        Case{
            "bool_of_scan",
            "canal.instance.filter.rows = y",
            "canal.instance.filter.rows: 'y' is neither true nor false"
        },
        Case{
            "empty_by_placeholder",
            "canal.instance.filter.rows = ${none}",
            "canal.instance.filter.rows: '' is neither true nor false"
        },
        Case{
            "linger",
            "canal.instance.get.linger = -2",
            "canal.instance.get.linger: -2 is not in -1..60000"
        },
        Case{
            "hold", "canal.instance.get.hold = 101", "canal.instance.get.hold: 101 is not in 0..100"
        },
        Case{
            "retry",
            "canal.instance.retry.min = 70000",
            "canal.instance.retry.min: 70000 is more than canal.instance.retry.max (60000)"
        },
        Case{
            "source",
            "canal.instance.source = mongo",
            "canal.instance.source: 'mongo' is no source; obcanal knows oblogproxy and binlog"
        },
        Case{
            "circular",
            "canal.instance.filter.regex = ${canal.instance.filter.regex}",
            "canal.instance.filter.regex: ${canal.instance.filter.regex} refers to itself"
        },
        Case{
            "address",
            "canal.instance.oceanbase.logproxy.address = a:1,b",
            "canal.instance.oceanbase.logproxy.address: 'b' is not host:port"
        },
        Case{
            "rs_list",
            "canal.instance.oceanbase.rsList = 10.0.0.1:2882",
            "canal.instance.oceanbase.rsList: '10.0.0.1:2882' is not ip:rpcPort:sqlPort"
        },
        Case{
            "rs_list_port",
            "canal.instance.oceanbase.rsList = 10.0.0.1:2882:70000",
            "canal.instance.oceanbase.rsList: '10.0.0.1:2882:70000' is not ip:rpcPort:sqlPort"
        },
        Case{
            "user_blank",
            "canal.instance.oceanbase.username = a b",
            "canal.instance.oceanbase.username: the log proxy protocol can't carry blanks"
        },
        Case{
            "tenant",
            "canal.instance.oceanbase.tenant = ${none}",
            "canal.instance.oceanbase.tenant: must be set"
        },
        Case{
            "timezone",
            "canal.instance.oceanbase.timezone = Asia/Shanghai",
            "canal.instance.oceanbase.timezone: 'Asia/Shanghai' is not +HH:MM"
        },
        Case{
            "working_mode",
            "canal.instance.oceanbase.workingMode = disk",
            "canal.instance.oceanbase.workingMode: 'disk' is neither memory nor storage"
        },
        Case{
            "start",
            "canal.instance.oceanbase.startTimestamp = -1",
            "canal.instance.oceanbase.startTimestamp: -1 is not in 0..9999999999"
        },
        Case{
            "sys_user_alone",
            "canal.instance.oceanbase.sysUsername = root@sys",
            "canal.instance.oceanbase.sysUsername: sysUsername and sysPassword go together"
        },
        Case{
            "extra_form",
            "canal.instance.oceanbase.obcdc.extraConfigs = a=1",
            "canal.instance.oceanbase.obcdc.extraConfigs: expected '{' at 'a=1'"
        },
        Case{
            "extra_quote",
            "canal.instance.oceanbase.obcdc.extraConfigs = {'a: 1}",
            "canal.instance.oceanbase.obcdc.extraConfigs: the text that starts with a: 1} has no "
            "closing quote"
        },
        Case{
            "extra_end",
            "canal.instance.oceanbase.obcdc.extraConfigs = {'a': '1'",
            "canal.instance.oceanbase.obcdc.extraConfigs: expected ',' or '}' at the end"
        },
        Case{
            "extra_trailing",
            "canal.instance.oceanbase.obcdc.extraConfigs = {'a': '1'} x",
            "canal.instance.oceanbase.obcdc.extraConfigs: expected nothing more at 'x'"
        },
        Case{
            "extra_blank",
            "canal.instance.oceanbase.obcdc.extraConfigs = {'a': 'b c'}",
            "canal.instance.oceanbase.obcdc.extraConfigs: 'a': neither key nor value may hold"
        },
        Case{
            "extra_own",
            "canal.instance.oceanbase.obcdc.extraConfigs = {'timezone': '+01:00'}",
            "canal.instance.oceanbase.obcdc.extraConfigs: 'timezone' is set by "
            "canal.instance.oceanbase.timezone"
        }
    ),
    name_of
);

TEST_F(ConfDirTest, TransportSecurityFailsClosed) {
    instance("canal.instance.oceanbase.logproxy.sslEnabled = true\n");
    EXPECT_EQ(
        findings(),
        "CONF/shop/instance.properties: canal.instance.oceanbase.logproxy.serverCert: "
        "CONF/shop/ca.crt: can't be read\n"
    );
    write(dir() + "/shop/ca.crt", "x");
    EXPECT_EQ(findings(), "");
    instance(
        "canal.instance.oceanbase.logproxy.sslEnabled = true\n"
        "canal.instance.oceanbase.logproxy.clientCert = ../conf/shop/client.crt\n"
    );
    write(dir() + "/shop/client.crt", "x");
    EXPECT_EQ(
        findings(),
        "CONF/shop/instance.properties:7: canal.instance.oceanbase.logproxy.clientCert: clientCert "
        "and clientKey go together\n"
    );
}

TEST_F(ConfDirTest, ClusterNeedsItsStore) {
    server("canal.zkServers = zk\n");
    EXPECT_THAT(findings(), HasSubstr("canal.zkServers is set, and only cursors in ZooKeeper"));
    server(
        "canal.zkServers = zk\n"
        "canal.instance.global.spring.xml = classpath:spring/default-instance.xml\n"
    );
    EXPECT_EQ(findings(), "");
    server("canal.zookeeper.digest = nobody\n");
    EXPECT_THAT(findings(), HasSubstr("canal.zookeeper.digest: is not user:password"));
    server("canal.zookeeper.ack = sometimes\n");
    EXPECT_THAT(
        findings(), HasSubstr("canal.zookeeper.ack: 'sometimes' is neither durable nor periodic")
    );
}

TEST_F(ConfDirTest, SpringFilesThatDescribeOtherThings) {
    server("canal.instance.global.spring.xml = classpath:spring/group-instance.xml\n");
    EXPECT_THAT(
        findings(),
        StartsWith("CONF/canal.properties:3: canal.instance.global.spring.xml: "
                   "group-instance.xml (several sources")
    );
    server("canal.instance.shop.spring.xml = classpath:spring/my-instance.xml\n");
    EXPECT_THAT(findings(), HasSubstr("'classpath:spring/my-instance.xml' is none of"));
    server("canal.instance.global.mode = manager\n");
    EXPECT_THAT(
        findings(), HasSubstr("canal.instance.global.mode: configuration from canal-admin")
    );
    server("canal.instance.global.spring.xml = classpath:spring/ob-file-instance.xml\n");
    instance("canal.instance.source = binlog\ncanal.instance.master.address = h:3306\n");
    EXPECT_THAT(
        findings(),
        HasSubstr("canal.instance.source: binlog, but classpath:spring/"
                  "ob-file-instance.xml is for a log proxy")
    );
}

class Warnings : public ConfDirTest, public testing::WithParamInterface<Case> {};

TEST_P(Warnings, NameWhatHasNoEffect) {
    instance(GetParam().lines);
    const LoadedConfig config = loaded();
    EXPECT_EQ(findings(config), "CONF/shop/instance.properties:6: " + GetParam().expected + "\n");
    EXPECT_EQ(config.instances.size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(
    Key,
    Warnings,
    testing::Values(
        Case{"unknown", "my.key = 1", "my.key: warning: unknown key, no effect"},
        Case{
            "misspelt",
            "canal.instance.filter.regexp = .*",
            "canal.instance.filter.regexp: warning: unknown key, no effect; did you mean "
            "canal.instance.filter.regex?"
        },
        Case{
            "of_the_server",
            "canal.port = 1",
            "canal.port: warning: no effect here: a key of the server belongs in "
            "canal.properties"
        },
        Case{
            "of_one_destination",
            "canal.instance.shop.lazy = true",
            "canal.instance.shop.lazy: warning: no effect here: a key of the server belongs in "
            "canal.properties"
        },
        Case{
            "queue",
            "canal.mq.topic = example\ncanal.mq.partition=0",
            "canal.mq.topic, canal.mq.partition: warning: no effect: output to message queues is "
            "not supported"
        },
        Case{
            "other_source",
            "canal.instance.gtidon = true",
            "canal.instance.gtidon: warning: no effect: the source is a log proxy"
        },
        Case{
            "raw_entry",
            "canal.instance.memory.rawEntry = false",
            "canal.instance.memory.rawEntry: warning: has no effect: entries are always kept "
            "serialised"
        },
        Case{
            "threads",
            "canal.instance.parser.parallelThreadSize = 8",
            "canal.instance.parser.parallelThreadSize: warning: no effect: obcanal parses each "
            "destination on one thread"
        },
        Case{
            "blank_item",
            "canal.instance.filter.regex = a\\\\.b, c\\\\.d",
            "canal.instance.filter.regex: warning: ' c\\.d': the blank beside the comma belongs to "
            "the expression, so it matches no table; remove it"
        },
        Case{
            "both_starts",
            "canal.instance.oceanbase.startTimestamp = 5\n"
            "canal.instance.oceanbase.startTimestampUs = 6",
            "canal.instance.oceanbase.startTimestamp: warning: no effect: "
            "canal.instance.oceanbase.startTimestampUs wins"
        }
    ),
    name_of
);

TEST_F(ConfDirTest, TwoSourcesWithoutAWordWhich) {
    instance("canal.instance.master.address = h:3306\n");
    EXPECT_EQ(
        findings(),
        "CONF/shop/instance.properties: canal.instance.source: warning: both a log proxy and "
        "canal.instance.master.address are set; the log proxy is read. Set it to oblogproxy or "
        "binlog to say which\n"
        "CONF/shop/instance.properties:6: canal.instance.master.address: warning: no effect: the "
        "source is a log proxy\n"
    );
}

TEST_F(ConfDirTest, KeysThatPlaceholdersReferToAreKnown) {
    instance("my.port = 2983\ncanal.instance.oceanbase.logproxy.address = h:${my.port}\n");
    EXPECT_THAT(findings(), Not(HasSubstr("my.port")));
    server("my.tenant = shop\n");
    instance("canal.instance.oceanbase.tenant = ${my.tenant}\n");
    EXPECT_THAT(findings(), Not(HasSubstr("my.tenant")));
}

TEST_F(ConfDirTest, CommandLineAndEnvironmentAreJudgedToo) {
    defines_ = {"canal.prot=1", "=x"};
    const Environment unknown("canal.instance.filter.rexeg", "x");
    const Environment foreign("canal_ignored", "x");
    EXPECT_EQ(
        findings(),
        "command line: =x: no key in front of '='\n"
        "command line: canal.prot: warning: unknown key, no effect; did you mean canal.port?\n"
        "environment: canal.instance.filter.rexeg: warning: unknown key, no effect; did you mean "
        "canal.instance.filter.regex?\n"
    );
}

TEST_F(ConfDirTest, DuplicatesAreRemarked) {
    server("canal.port = 1\ncanal.port = 2\ncanal.destinations = shop,shop\n");
    EXPECT_EQ(
        findings(),
        "CONF/canal.properties:5: canal.destinations: warning: 'shop' is listed twice\n"
        "CONF/canal.properties:4: canal.port: warning: replaces the value of line 3\n"
        "CONF/canal.properties:5: canal.destinations: warning: replaces the value of line 2\n"
    );
}

TEST_F(ConfDirTest, OneFindingForManyDestinations) {
    write(
        server_file(),
        "canal.serverMode = tcp\n"
        "canal.destinations = shop,other\n"
        "canal.instance.memory.rawEntry = false\n"
        "nobody.reads = this\n"
    );
    instance({}, "other");
    EXPECT_EQ(
        findings(),
        "CONF/canal.properties:3: canal.instance.memory.rawEntry: warning: has no effect: entries "
        "are always kept serialised\n"
        "CONF/canal.properties:4: nobody.reads: warning: unknown key, no effect\n"
    );
}

TEST_F(ConfDirTest, ControlCharactersStayOutOfMessages) {
    server("canal.port = 1\\n2\\u001b[31m\n");
    EXPECT_THAT(findings(), HasSubstr("canal.port: '1\\x0a2\\x1b[31m' is not a number"));
}

}  // namespace
}  // namespace obcanal::config
