#include "adapter/config/jdbc_url.h"

#include <gtest/gtest.h>

namespace obcanal::adapter::config {
namespace {

TEST(JdbcUrl, MysqlWithParameters) {
    const auto url =
        parse_jdbc_url("jdbc:mysql://127.0.0.1:3307/my%20test?useUnicode=true&useSSL=false");
    ASSERT_TRUE(url.ok()) << url.error().detail;
    EXPECT_EQ(url->family, SqlFamily::Mysql);
    EXPECT_EQ(url->servers.front().text(), "127.0.0.1:3307");
    EXPECT_EQ(url->database, "my test");
    EXPECT_EQ(parameter(*url, "USESSL"), "false");
    EXPECT_EQ(url->text(), "mysql://127.0.0.1:3307/my test");
}

TEST(JdbcUrl, DefaultsAndSeveralServers) {
    const auto url = parse_jdbc_url("jdbc:mariadb:replication://a,[::1]:3308,b:1/");
    ASSERT_TRUE(url.ok()) << url.error().detail;
    ASSERT_EQ(url->servers.size(), 3U);
    EXPECT_EQ(url->servers[0].text(), "a:3306");
    EXPECT_EQ(url->servers[1].text(), "[::1]:3308");
    EXPECT_EQ(url->servers[2].text(), "b:1");
    EXPECT_EQ(url->database, "");
    const auto oceanbase = parse_jdbc_url("jdbc:oceanbase://h:2881/t");
    ASSERT_TRUE(oceanbase.ok());
    EXPECT_EQ(oceanbase->family, SqlFamily::Mysql);
}

TEST(JdbcUrl, Postgres) {
    const auto url = parse_jdbc_url("jdbc:postgresql://pg/db?currentSchema=s");
    ASSERT_TRUE(url.ok());
    EXPECT_EQ(url->family, SqlFamily::Postgres);
    EXPECT_EQ(url->servers.front().text(), "pg:5432");
    const auto local = parse_jdbc_url("jdbc:postgresql:db");
    ASSERT_TRUE(local.ok());
    EXPECT_EQ(local->servers.front().text(), "localhost:5432");
    EXPECT_EQ(local->database, "db");
}

TEST(JdbcUrl, FaultsNameTheUrlWithoutItsParameters) {
    for (const char* text :
         {"mysql://h/d",
          "jdbc:oracle:thin:@h",
          "jdbc:mysql:h",
          "jdbc:mysql://h:0/d?password=x",
          "jdbc:mysql://(host=h)/d"}) {
        const auto url = parse_jdbc_url(text);
        ASSERT_FALSE(url.ok()) << text;
        EXPECT_EQ(url.error().code, Errc::BadConfig);
        EXPECT_EQ(url.error().detail.find("password"), std::string::npos);
    }
}

}  // namespace
}  // namespace obcanal::adapter::config
