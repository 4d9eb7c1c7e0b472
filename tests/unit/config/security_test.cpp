// Passwords, TLS files and secrets in files: what must not start, and what is said.
#include "conf_dir.h"
#include "environment.h"
#include "server/config/load.h"

#include <gmock/gmock.h>

namespace obcanal::config {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr const char* kCanal = "e3619321c1a937c46a0d8bd1dac39f93b27d4458";  // "canal"
constexpr const char* kAdmin = "4acfe3202a5ff5cf467898fc58aab1d615029441";  // "admin"
constexpr const char* kOwn = "0123456789abcdef0123456789abcdef01234567";    // of no known text

class SecurityTest : public ConfDirTest {
 protected:
    // Findings of a server at `ip` with these lines.
    std::string at(const std::string& ip, const std::string& lines) {
        loopback_.emplace("canal.ip", ip);
        server(lines);
        return findings();
    }
};

TEST_F(SecurityTest, DefaultPasswordsAreRefusedOnTheNetwork) {
    const std::string canal = "canal.passwd = " + std::string(kCanal) + "\n";
    const std::string admin = "canal.passwd = " + std::string(kAdmin) + "\n";
    for (const char* ip : {"", "0.0.0.0", "10.0.0.9", "::", "server.example"}) {
        EXPECT_THAT(
            at(ip, "canal.user = canal\n" + canal),
            StartsWith("CONF/canal.properties:4: canal.passwd: is a default password")
        ) << ip;
        EXPECT_THAT(at(ip, admin), HasSubstr("canal.passwd: is a default password")) << ip;
    }
    for (const char* ip : {"127.0.0.1", "127.1.2.3", "::1", "localhost"})
        EXPECT_EQ(at(ip, canal), "") << ip;
    EXPECT_EQ(at("", "canal.passwd = " + std::string(kOwn) + "\n"), "");
    // The message says how to make another.
    EXPECT_THAT(at("", canal), HasSubstr("openssl sha1 -binary | openssl sha1"));
}

TEST_F(SecurityTest, ThePasswordIsNotTheUser) {
    // SHA1(SHA1("shopuser"))
    const std::string hash = "9524c0bb8ed190aa8eb706ad217ebe387889e4ad";
    EXPECT_EQ(at("", "canal.user = other\ncanal.passwd = " + hash + "\n"), "");
    EXPECT_THAT(
        at("", "canal.user = shopuser\ncanal.passwd = " + hash + "\n"),
        HasSubstr("canal.passwd: is a default password")
    );
}

TEST_F(SecurityTest, NoPasswordIsAllowedAndSaid) {
    EXPECT_EQ(at("127.0.0.1", ""), "");
    const std::string said = at("", "");
    EXPECT_THAT(
        said,
        StartsWith("CONF/canal.properties: canal.passwd: warning: is not set: anybody who reaches "
                   "the client port can read every destination")
    );
    EXPECT_EQ(loaded().instances.size(), 1U);
}

TEST_F(SecurityTest, AdminPortWithoutPasswordStaysOnLoopback) {
    const std::string passwd = "canal.passwd = " + std::string(kOwn) + "\n";
    EXPECT_THAT(
        at("",
           passwd + "canal.admin.port = 11110\ncanal.admin.user = admin\ncanal.admin.passwd =\n"),
        StartsWith("CONF/canal.properties:6: canal.admin.passwd: warning: is not set, so the admin "
                   "port answers on 127.0.0.1 only")
    );
    EXPECT_EQ(loaded().server.admin_bind_ip, "127.0.0.1");
    EXPECT_EQ(loaded().server.admin_port, 11110);
    EXPECT_EQ(at("", passwd + "canal.admin.port = 11110\ncanal.admin.passwd = " + kOwn + "\n"), "");
    EXPECT_EQ(loaded().server.admin_bind_ip, "");
    EXPECT_THAT(
        at("", passwd + "canal.admin.port = 11110\ncanal.admin.passwd = " + kAdmin + "\n"),
        StartsWith("CONF/canal.properties:5: canal.admin.passwd: is a default password")
    );
    // Without a port there is nothing to guard.
    EXPECT_EQ(at("", passwd + "canal.admin.passwd = " + kAdmin + "\n"), "");
    EXPECT_EQ(loaded().server.admin_port, 0);
}

TEST_F(SecurityTest, CertificateAndKeyGoTogether) {
    const std::string cert = "canal.tls.cert = ../conf/tls.crt\n";
    const std::string key = "canal.tls.key = ../conf/tls.key\n";
    const std::string ca = "canal.tls.client.ca = ../conf/ca.crt\n";
    EXPECT_EQ(
        at("127.0.0.1", cert + key),
        "CONF/canal.properties:3: canal.tls.cert: CONF/tls.crt: can't be read\n"
        "CONF/canal.properties:4: canal.tls.key: CONF/tls.key: can't be read\n"
    );
    write(dir() + "/tls.crt", "x");
    write(dir() + "/tls.key", "x");
    write(dir() + "/ca.crt", "x");
    EXPECT_EQ(at("127.0.0.1", cert + key), "");
    EXPECT_EQ(loaded().server.client_tls.cert_file, dir() + "/tls.crt");
    EXPECT_TRUE(loaded().server.client_tls.enabled());
    EXPECT_FALSE(loaded().server.admin_tls.enabled());
    EXPECT_THAT(
        at("127.0.0.1", cert), HasSubstr("canal.tls.cert: certificate and key go together")
    );
    EXPECT_THAT(at("127.0.0.1", key), HasSubstr("canal.tls.key: certificate and key go together"));
    EXPECT_THAT(at("127.0.0.1", ca), HasSubstr("canal.tls.client.ca: needs canal.tls.cert"));
    // Who has a certificate of ours is known without a password.
    EXPECT_EQ(at("", cert + key + ca), "");
    EXPECT_EQ(
        at("127.0.0.1",
           "canal.admin.tls.cert = ../conf/tls.crt\ncanal.admin.tls.key = ../conf/tls.key\n"
           "canal.metrics.tls.cert = ../conf/tls.crt\ncanal.metrics.tls.key = ../conf/tls.key\n"),
        ""
    );
    EXPECT_TRUE(loaded().server.admin_tls.enabled());
    EXPECT_TRUE(loaded().server.metrics_tls.enabled());
}

TEST_F(SecurityTest, SecretsFromFiles) {
    write(dir() + "/secrets/passwd", std::string(kOwn) + "\n");
    write(dir() + "/secrets/ob", "  p w\n");
    server("canal.passwd.file = ../conf/secrets/passwd\n");
    write(
        instance_file(),
        "canal.instance.oceanbase.logproxy.address = 127.0.0.1:2983\n"
        "canal.instance.oceanbase.rsList = 127.0.0.1:2882:2881\n"
        "canal.instance.oceanbase.username = user@shop\n"
        "canal.instance.oceanbase.password.file = ${secrets}/ob\n"
        "canal.instance.oceanbase.tenant = shop\n"
        "secrets = " +
            dir() + "/secrets\n"
    );
    const LoadedConfig config = loaded();
    EXPECT_EQ(findings(config), "");
    EXPECT_EQ(config.server.passwd, kOwn);
    ASSERT_EQ(config.instances.size(), 1U);
    EXPECT_EQ(config.instances[0].oblog.password, "p w");
    std::ostringstream printed;
    print_config(config.values, printed);
    EXPECT_THAT(
        printed.str(),
        HasSubstr("canal.instance.oceanbase.password = ******    # " + dir() + "/secrets/ob\n")
    );
    EXPECT_THAT(printed.str(), Not(HasSubstr("p w")));
}

TEST_F(SecurityTest, SecretFilesThatDoNotServe) {
    server("canal.passwd.file = ../conf/none\n");
    EXPECT_EQ(
        findings(),
        "CONF/canal.properties:3: canal.passwd.file: CONF/none: No such file or directory\n"
    );
    write(dir() + "/empty", "\n");
    server("canal.passwd.file = ../conf/empty\n");
    EXPECT_THAT(findings(), HasSubstr("canal.passwd.file: CONF/empty: is empty"));
    write(dir() + "/large", std::string(5000, 'a'));
    server("canal.passwd.file = ../conf/large\n");
    EXPECT_THAT(findings(), HasSubstr("canal.passwd.file: CONF/large: larger than 4096 bytes"));
    write(dir() + "/passwd", kOwn);
    server("canal.passwd.file = ../conf/passwd\ncanal.passwd = " + std::string(kOwn) + "\n");
    EXPECT_THAT(
        findings(),
        HasSubstr("canal.passwd.file: canal.passwd is set too (CONF/canal.properties:4); set one")
    );
    instance("canal.instance.oceanbase.password.file = /none\n");
    server();
    EXPECT_THAT(
        findings(),
        HasSubstr("canal.instance.oceanbase.password.file: "
                  "canal.instance.oceanbase.password is set too")
    );
}

TEST_F(SecurityTest, MetricsPort) {
    EXPECT_EQ(loaded().server.metrics_port, 11112);
    server("canal.metrics.pull.port = -1\n");
    EXPECT_EQ(loaded().server.metrics_port, 0);
    server("canal.metrics.pull.port = 70000\n");
    EXPECT_THAT(findings(), HasSubstr("canal.metrics.pull.port: 70000 is more than 65535"));
    server("canal.metrics.ip = 127.0.0.1\ncanal.login.failures.per.minute = 5\n");
    EXPECT_EQ(loaded().server.metrics_bind_ip, "127.0.0.1");
    EXPECT_EQ(loaded().server.login_failures_per_minute, 5);
}

}  // namespace
}  // namespace obcanal::config
