// What the keys of a MySQL server mean for a connection.
#include "server/source/binlog_server.h"

#include <gtest/gtest.h>

#include <string>

namespace obcanal::source {
namespace {

config::MysqlServer verifying() {
    config::MysqlServer server;
    server.address = Endpoint{"127.0.0.1", 3306};
    server.ssl_mode = config::SslMode::VerifyCa;
    return server;
}

TEST(MysqlOptions, PemFiles) {
    config::MysqlServer server = verifying();
    server.trust_store_url = "file:///etc/ca.pem";
    server.client_store_type = "pem";
    server.client_store_url = "file:/etc/own.pem";
    const auto options = mysql_options({}, server);
    ASSERT_TRUE(options.ok()) << options.error().detail;
    EXPECT_EQ(options->tls.ca_file, "/etc/ca.pem");
    EXPECT_EQ(options->tls.cert_file, "/etc/own.pem");
    EXPECT_EQ(options->tls.key_file, "/etc/own.pem");
    EXPECT_TRUE(options->tls.verify_chain);
    EXPECT_FALSE(options->tls.verify_host);
}

TEST(MysqlOptions, JavaStoresAreNamedWithTheRemedy) {
    const auto refused = [](config::MysqlServer server) {
        const auto options = mysql_options({}, server);
        EXPECT_FALSE(options.ok());
        if (options.ok()) return std::string();
        EXPECT_EQ(options.error().code, Errc::BadConfig);
        return options.error().detail;
    };
    config::MysqlServer server = verifying();
    server.trust_store_type = "JKS";
    server.trust_store_url = "file:/etc/trusted";
    EXPECT_EQ(
        refused(server),
        "canal.instance.*.trustCertificateKeyStoreType: stores of the type JKS cannot be read, PEM "
        "files can. Convert it: keytool -importkeystore -srckeystore /etc/trusted -destkeystore "
        "/etc/trusted.p12 -deststoretype PKCS12 && openssl pkcs12 -in /etc/trusted.p12 -nokeys "
        "-out /etc/trusted.p12.pem; then set trustCertificateKeyStoreType = PEM and "
        "trustCertificateKeyStoreUrl = file: and that file"
    );
    // Without a type Java takes JKS; the name tells.
    server.trust_store_type.clear();
    EXPECT_TRUE(mysql_options({}, server).ok());
    server.trust_store_url = "file:/etc/trusted.JKS";
    EXPECT_NE(refused(server).find("type JKS"), std::string::npos);
    server = verifying();
    server.client_store_url = "file:/etc/own.p12";
    const std::string text = refused(server);
    EXPECT_NE(text.find("clientCertificateKeyStoreType: stores of the type PKCS12"), text.npos);
    EXPECT_NE(text.find("Convert it: openssl pkcs12 -in /etc/own.p12 -nodes -out"), text.npos);
}

}  // namespace
}  // namespace obcanal::source
