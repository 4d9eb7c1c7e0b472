#include "server/access/authenticator.h"

#include "protocol/base/crypto.h"
#include "protocol/base/text.h"

#include <gtest/gtest.h>

#include <string>

namespace obcanal::access {
namespace {

using Verdict = Authenticator::Verdict;

// SHA1(SHA1("canal")) and SHA1(SHA1("admin")).
constexpr const char* kCanal = "e3619321c1a937c46a0d8bd1dac39f93b27d4458";
constexpr const char* kAdmin = "4ACFE3202A5FF5CF467898FC58AAB1D615029441";

class AuthenticatorTest : public testing::Test {
 protected:
    static Authenticator make(
        std::string user, const char* hash, const std::vector<config::UserConfig>& users = {}
    ) {
        Result<Authenticator> made = Authenticator::make(std::move(user), hash, users);
        EXPECT_TRUE(made.ok());
        return std::move(made).value();
    }

    Verdict login(const Authenticator& at, const char* user, const char* password) const {
        return at.check(user, to_hex(scramble411(password, as_bytes(seed_))), as_bytes(seed_))
            .verdict;
    }

    std::string seed_ = *from_hex("0102030405060708");
};

TEST_F(AuthenticatorTest, TheReferencesTokenIsAccepted) {
    const Authenticator one = make("canal", kCanal);
    const auto answer =
        one.check("canal", "7de44690d8e53782cb61804a2455c284a3bbfb06", as_bytes(seed_));
    ASSERT_EQ(answer.verdict, Verdict::Accepted);
    EXPECT_TRUE(answer.account->may_read("anything"));
    EXPECT_EQ(login(one, "canal", "Canal"), Verdict::Rejected);
    EXPECT_EQ(login(one, "other", "canal"), Verdict::Rejected);
    EXPECT_EQ(one.check("canal", "", as_bytes(seed_)).verdict, Verdict::Rejected);
    EXPECT_EQ(one.check("canal", "zz", as_bytes(seed_)).verdict, Verdict::Malformed);
    EXPECT_EQ(one.check("canal", "7de4", as_bytes(seed_)).verdict, Verdict::Malformed);
    const std::string other = *from_hex("0102030405060709");
    EXPECT_EQ(
        one.check("canal", "7de44690d8e53782cb61804a2455c284a3bbfb06", as_bytes(other)).verdict,
        Verdict::Rejected
    );
    EXPECT_TRUE(one.asks_for_password());
}

TEST_F(AuthenticatorTest, AHashSentAsThePasswordIsNoPassword) {
    const Authenticator one = make("admin", kAdmin);
    EXPECT_EQ(one.check("admin", kAdmin, as_bytes(seed_)).verdict, Verdict::Rejected);
    EXPECT_EQ(one.check_plain("admin", kAdmin).verdict, Verdict::Rejected);
    EXPECT_EQ(one.check_plain("admin", "admin").verdict, Verdict::Accepted);
}

TEST_F(AuthenticatorTest, WithoutAPasswordEverybodyIsLetIn) {
    const Authenticator open = make("", "");
    EXPECT_EQ(open.check("who", "", as_bytes(seed_)).verdict, Verdict::Accepted);
    EXPECT_EQ(open.check("", "no hex", as_bytes(seed_)).verdict, Verdict::Accepted);
    EXPECT_FALSE(open.asks_for_password());
}

TEST_F(AuthenticatorTest, FurtherUsersReadWhatTheyMay) {
    const std::vector<config::UserConfig> users{
        {"reader", kAdmin, {"shop"}}, {"all", kCanal, {"*"}}
    };
    const Authenticator several = make("canal", kCanal, users);
    EXPECT_EQ(login(several, "canal", "canal"), Verdict::Accepted);
    EXPECT_EQ(login(several, "reader", "canal"), Verdict::Rejected);
    EXPECT_EQ(login(several, "nobody", "admin"), Verdict::Rejected);
    const auto reader = several.check_plain("reader", "admin");
    ASSERT_EQ(reader.verdict, Verdict::Accepted);
    EXPECT_TRUE(reader.account->may_read("shop"));
    EXPECT_FALSE(reader.account->may_read("orders"));
    EXPECT_FALSE(reader.account->may_read("sho"));
    const auto all = several.check_plain("all", "canal");
    ASSERT_EQ(all.verdict, Verdict::Accepted);
    EXPECT_TRUE(all.account->may_read("orders"));
}

TEST_F(AuthenticatorTest, FurtherUsersCloseAnOpenPort) {
    const Authenticator closed = make("", "", {{"reader", kAdmin, {"shop"}}});
    EXPECT_EQ(closed.check("", "", as_bytes(seed_)).verdict, Verdict::Rejected);
    EXPECT_EQ(login(closed, "", "admin"), Verdict::Rejected);
    EXPECT_EQ(login(closed, "reader", "admin"), Verdict::Accepted);
    EXPECT_TRUE(closed.asks_for_password());
}

// The placeholder for names that don't exist must never let anybody in.
TEST_F(AuthenticatorTest, NoTokenOpensTheStandIn) {
    const Authenticator one = make("canal", kCanal);
    for (const char* token :
         {"0000000000000000000000000000000000000000", "ffffffffffffffffffffffffffffffffffffffff"})
        EXPECT_EQ(one.check("nobody", token, as_bytes(seed_)).verdict, Verdict::Rejected);
}

TEST_F(AuthenticatorTest, HashesThatAreNoneAreRefused) {
    EXPECT_FALSE(Authenticator::make("canal", "canal").ok());
    EXPECT_FALSE(Authenticator::make("canal", "e361").ok());
    const auto bad = Authenticator::make("", "", {{"reader", "x", {}}});
    ASSERT_FALSE(bad.ok());
    EXPECT_EQ(bad.error().detail.find("the password of reader"), 0U);
}

}  // namespace
}  // namespace obcanal::access
