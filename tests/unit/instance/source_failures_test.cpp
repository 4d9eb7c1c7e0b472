// What the log says of a source that fails and fails.
#include "server/instance/source_failures.h"

#include <gtest/gtest.h>

namespace obcanal::instance {
namespace {

using Say = SourceFailures::Say;
using namespace std::chrono_literals;

TEST(SourceFailures, ACauseIsNamedOnceThenSummedUp) {
    SourceFailures failures;
    SteadyTime now{};
    EXPECT_EQ(failures.add("away", now), Say::Cause);
    EXPECT_EQ(failures.add("away", now + 1s), Say::Nothing);
    EXPECT_EQ(failures.add("refused", now + 2s), Say::Cause);
    EXPECT_EQ(failures.add("away", now + 3s), Say::Nothing);
    now += SourceFailures::kSummaryPeriod;
    EXPECT_EQ(failures.add("away", now), Say::Summary);
    EXPECT_EQ(failures.attempts(), 5U);
    EXPECT_EQ(failures.causes(), 2U);
    EXPECT_EQ(failures.add("refused", now + 1s), Say::Nothing);
    EXPECT_EQ(failures.add("away", now + SourceFailures::kSummaryPeriod), Say::Summary);
}

TEST(SourceFailures, WhatComesAfterProgressIsNews) {
    SourceFailures failures;
    EXPECT_EQ(failures.add("away", SteadyTime{}), Say::Cause);
    failures.forget();
    EXPECT_EQ(failures.attempts(), 0U);
    EXPECT_EQ(failures.add("away", SteadyTime{} + 1s), Say::Cause);
}

TEST(SourceFailures, EverNewCausesAreBounded) {
    SourceFailures failures;
    size_t named = 0;
    for (int i = 0; i < 100; ++i)
        named += failures.add("offset " + std::to_string(i), SteadyTime{} + 1s * i) == Say::Cause;
    EXPECT_EQ(named, SourceFailures::kMostCauses);
}

}  // namespace
}  // namespace obcanal::instance
