#include "server/config/users_yml.h"

#include "conf_dir.h"

#include <gmock/gmock.h>

namespace obcanal::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kHash = "0123456789abcdef0123456789abcdef01234567";

class UsersTest : public ConfDirTest {
 protected:
    std::string wrong(const std::string& text) {
        write(dir() + "/users.yml", text);
        return findings();
    }
};

TEST_F(UsersTest, UsersWithTheirDestinations) {
    write(
        dir() + "/users.yml",
        "users:\n"
        "  - name: reader\n"
        "    password: " +
            std::string(kHash) +
            "\n"
            "    destinations: [shop, orders]\n"
            "  - {name: all, password: " +
            std::string(kHash) + ", destinations: '*'}\n"
    );
    const LoadedConfig config = loaded();
    EXPECT_EQ(findings(config), "");
    ASSERT_EQ(config.server.users.size(), 2U);
    EXPECT_EQ(config.server.users[0].name, "reader");
    EXPECT_EQ(config.server.users[0].password_hash, kHash);
    EXPECT_THAT(config.server.users[0].destinations, ElementsAre("shop", "orders"));
    EXPECT_THAT(config.server.users[1].destinations, ElementsAre("*"));
}

TEST_F(UsersTest, NoFileAndAnEmptyOneAreNoUsers) {
    EXPECT_THAT(loaded().server.users, IsEmpty());
    for (const char* text : {"", "# nothing\n", "users:\n", "users: []\n"}) {
        EXPECT_EQ(wrong(text), "") << text;
        EXPECT_THAT(loaded().server.users, IsEmpty());
    }
}

TEST_F(UsersTest, WhatIsWrongIsNamedWithItsLine) {
    EXPECT_EQ(wrong("users: 5\n"), "CONF/users.yml:1: users: must be a list\n");
    EXPECT_EQ(wrong("user: []\n"), "CONF/users.yml:1: user: is no key of this file\n");
    EXPECT_EQ(wrong("- a\n"), "CONF/users.yml:1: must be a map with the key users\n");
    EXPECT_THAT(
        wrong("users:\n - {name: [a], password: x}\n"), HasSubstr("CONF/users.yml:2: name: ")
    );
    const std::string good = " - {name: a, password: " + std::string(kHash) + "}\n";
    EXPECT_EQ(wrong("users:\n" + good), "");
    EXPECT_EQ(wrong("users:\n" + good + good), "CONF/users.yml:3: name: a stands here twice\n");
    EXPECT_THAT(
        wrong("users:\n - {name: a, password: plain}\n"), HasSubstr("password: must be the 40")
    );
    EXPECT_THAT(
        wrong("users:\n - {name: a, pasword: x}\n"), HasSubstr("pasword: is no key of a user")
    );
    EXPECT_THAT(wrong("users: [\n"), HasSubstr("YAML: "));
    EXPECT_THAT(wrong("users: &a [*a]\n"), HasSubstr("CONF/users.yml"));
    EXPECT_THAT(wrong(std::string(2'000'000, '#')), HasSubstr("is larger than 1 MiB"));
}

}  // namespace
}  // namespace obcanal::config
