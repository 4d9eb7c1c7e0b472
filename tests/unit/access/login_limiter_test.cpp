#include "server/access/login_limiter.h"

#include <gtest/gtest.h>

#include <string>

namespace obcanal::access {
namespace {

using namespace std::chrono_literals;

constexpr int64_t kPerMinute = 30;

class LoginLimiterTest : public testing::Test {
 protected:
    std::optional<std::chrono::milliseconds> fail(const std::string& address) {
        return limiter_.reserve(address, now_);
    }

    LoginLimiter limiter_{kPerMinute};
    SteadyTime now_{1'000'000s};
};

TEST_F(LoginLimiterTest, SomeFailuresAreFreeThenTheyComeAtAPace) {
    for (int i = 0; i < kPerMinute; ++i) EXPECT_EQ(fail("10.0.0.1"), 0ms) << i;
    EXPECT_EQ(fail("10.0.0.1"), 2s);
    EXPECT_EQ(fail("10.0.0.1"), 4s);
    EXPECT_EQ(fail("10.0.0.1"), std::nullopt);
    EXPECT_EQ(fail("10.0.0.1"), std::nullopt);  // what is refused costs nothing
    now_ += 2s;
    EXPECT_EQ(fail("10.0.0.1"), 4s);
    now_ += 10min;
    EXPECT_EQ(fail("10.0.0.1"), 0ms);
}

TEST_F(LoginLimiterTest, AddressesDontPayForEachOther) {
    for (int i = 0; i < 100; ++i) static_cast<void>(fail("10.0.0.1"));
    EXPECT_EQ(fail("10.0.0.1"), std::nullopt);
    EXPECT_EQ(fail("10.0.0.2"), 0ms);
}

TEST_F(LoginLimiterTest, SuccessCostsNothing) {
    for (int i = 0; i < 10'000; ++i) {
        ASSERT_EQ(limiter_.reserve("10.0.0.1", now_), 0ms);
        limiter_.accepted("10.0.0.1", now_);
    }
    EXPECT_EQ(limiter_.addresses(), 0U);
    for (int i = 0; i < kPerMinute; ++i) static_cast<void>(fail("10.0.0.1"));
    ASSERT_EQ(limiter_.reserve("10.0.0.1", now_), 2s);
    limiter_.accepted("10.0.0.1", now_);
    EXPECT_EQ(fail("10.0.0.1"), 2s);  // the failures still stand
}

TEST_F(LoginLimiterTest, AnIpv6NetworkIsOneAddress) {
    for (int i = 0; i < 100; ++i) static_cast<void>(fail("2001:db8:1:2::" + std::to_string(i)));
    EXPECT_EQ(fail("2001:db8:1:2:ffff::1"), std::nullopt);
    EXPECT_EQ(fail("2001:db8:1:3::1"), 0ms);
}

TEST_F(LoginLimiterTest, MemoryIsBoundedAndNewcomersStillLimited) {
    for (size_t i = 0; i < LoginLimiter::kMaxAddresses; ++i)
        static_cast<void>(fail("a" + std::to_string(i)));
    EXPECT_EQ(limiter_.addresses(), LoginLimiter::kMaxAddresses);
    size_t let_through = 0;
    for (int i = 0; i < 1000; ++i) {
        const auto wait = fail("b" + std::to_string(i));
        if (wait) ++let_through;
    }
    EXPECT_EQ(let_through, static_cast<size_t>(kPerMinute) + 2);
    EXPECT_EQ(limiter_.addresses(), LoginLimiter::kMaxAddresses);
    now_ += 5min;  // all are forgiven, and make room
    EXPECT_EQ(fail("c"), 0ms);
    EXPECT_EQ(limiter_.addresses(), 1U);
}

TEST_F(LoginLimiterTest, NoneIsNoLimit) {
    LoginLimiter off(0);
    for (int i = 0; i < 1000; ++i) ASSERT_EQ(off.reserve("10.0.0.1", now_), 0ms);
    EXPECT_EQ(off.addresses(), 0U);
}

}  // namespace
}  // namespace obcanal::access
