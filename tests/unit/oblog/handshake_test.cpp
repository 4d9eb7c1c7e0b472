#include "protocol/oblog/handshake.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace obcanal::oblog {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(HandshakeConfiguration, WritesPairsInOrderEachWithABlankBehind) {
    HandshakeConfiguration configuration;
    EXPECT_EQ(configuration.text(), "");
    ASSERT_TRUE(configuration.add("tb_white_list", "t.*.*").ok());
    ASSERT_TRUE(configuration.add("cluster_url", "http://host/x?y=z").ok());
    ASSERT_TRUE(configuration.add("cluster_id", "").ok());
    EXPECT_EQ(
        configuration.text(), "tb_white_list=t.*.* cluster_url=http://host/x?y=z cluster_id= "
    );
}

TEST(HandshakeConfiguration, ReadsWhatItWrote) {
    HandshakeConfiguration configuration;
    ASSERT_TRUE(configuration.add("a", "1=2").ok());
    ASSERT_TRUE(configuration.add("b", "").ok());
    const auto read = HandshakeConfiguration::parse(configuration.text());
    EXPECT_EQ(read.find("a"), "1=2");
    EXPECT_EQ(read.find("b"), "");
    EXPECT_EQ(read.find("c"), std::nullopt);
    EXPECT_EQ(read.text(), configuration.text());
}

TEST(HandshakeConfiguration, FollowsTheProxysRules) {
    const auto read = HandshakeConfiguration::parse("user=a user=b loose  y=k=v ");
    EXPECT_EQ(read.find("user"), "b");
    EXPECT_EQ(read.find("y"), "k=v");
    EXPECT_EQ(read.find("loose"), std::nullopt);
    EXPECT_EQ(read.text(), "user=a user=b y=k=v ");
}

TEST(HandshakeConfiguration, NamesAValueThatCannotTravelAndHidesSecrets) {
    HandshakeConfiguration configuration;
    const auto url = configuration.add("cluster_url", "http://a b");
    ASSERT_FALSE(url.ok());
    EXPECT_EQ(url.error().code, Errc::BadConfig);
    EXPECT_EQ(url.error().retry, Retry::Never);
    EXPECT_THAT(url.error().detail, HasSubstr("cluster_url"));
    EXPECT_THAT(url.error().detail, HasSubstr("http://a b"));
    const auto password = configuration.add("sys_password", "my secret");
    ASSERT_FALSE(password.ok());
    EXPECT_THAT(password.error().detail, HasSubstr("sys_password"));
    EXPECT_THAT(password.error().detail, Not(HasSubstr("my secret")));
    EXPECT_FALSE(configuration.add("", "1").ok());
    EXPECT_FALSE(configuration.add("a=b", "1").ok());
    EXPECT_FALSE(configuration.add("a b", "1").ok());
    EXPECT_FALSE(configuration.add("a", "line\nbreak").ok());
    EXPECT_EQ(configuration.text(), "");
}

TEST(HandshakeConfiguration, MasksSecretsForLogs) {
    HandshakeConfiguration configuration;
    ASSERT_TRUE(configuration.add("cluster_user", "u").ok());
    ASSERT_TRUE(configuration.add("cluster_password", password_hash("secret")).ok());
    ASSERT_TRUE(configuration.add("sys_password", "clear").ok());
    EXPECT_EQ(
        configuration.printable_text(), "cluster_user=u cluster_password=*** sys_password=***"
    );
}

TEST(PasswordHash, IsUpperCaseSha1) {
    EXPECT_EQ(password_hash("secret"), "E5E9FA1BA31ECD1AE84F75CAAA474F3A663F05F4");
}

}  // namespace
}  // namespace obcanal::oblog
