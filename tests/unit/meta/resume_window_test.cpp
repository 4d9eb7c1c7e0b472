#include "protocol/oblog/resume_window.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace obcanal::oblog {
namespace {

constexpr int64_t kStart = 1'700'000'000'000'000;

ResumeWindow ordered_window() {
    ResumeWindow window;
    window.set_ordered(true);
    return window;
}

TEST(ResumeWindowTest, LeavesOutWhatWasConsumedAndNothingElse) {
    ResumeWindow window = ordered_window();
    window.consumed(kStart + 1, "a");
    window.consumed(kStart + 2, "b");
    EXPECT_FALSE(window.was_consumed(kStart + 2, "b")) << "before a restart nothing comes twice";
    window.restart();
    EXPECT_TRUE(window.was_consumed(kStart + 1, "a"));
    EXPECT_TRUE(window.was_consumed(kStart + 2, "b"));
    EXPECT_FALSE(window.was_consumed(kStart + 2, "c"));
    EXPECT_FALSE(window.was_consumed(kStart + 3, "a"));
}

TEST(ResumeWindowTest, AnIdThatWasConsumedTwiceIsLeftOutTwice) {
    for (const bool ordered : {false, true}) {
        ResumeWindow window;
        window.set_ordered(ordered);
        window.consumed(kStart, "1_7");
        window.consumed(kStart, "1_7");
        ResumeWindow later(window.state());
        EXPECT_TRUE(later.was_consumed(kStart, "1_7"));
        EXPECT_TRUE(later.was_consumed(kStart, "1_7"));
        EXPECT_FALSE(later.was_consumed(kStart, "1_7"));
        later.restart();
        EXPECT_TRUE(later.was_consumed(kStart, "1_7"));
    }
}

TEST(ResumeWindowTest, OrderedStateStaysSmall) {
    ResumeWindow window = ordered_window();
    for (int64_t at = 0; at < 50'000; ++at) window.consumed(kStart + at / 3, std::to_string(at));
    const ResumeState state = window.state();
    EXPECT_TRUE(state.ordered);
    EXPECT_EQ(state.commit_us, kStart + 49'999 / 3);
    EXPECT_LE(state.consumed.size(), 3U);
    EXPECT_EQ(window.forgotten(), 0U);
}

TEST(ResumeWindowTest, UnorderedForgetsTheOldestAndSaysSo) {
    ResumeWindow window(100);
    for (int at = 0; at < 130; ++at) window.consumed(kStart + at, std::to_string(at));
    EXPECT_EQ(window.forgotten(), 30U);
    EXPECT_EQ(window.state().consumed.size(), 100U);
    window.restart();
    EXPECT_FALSE(window.was_consumed(kStart + 29, "29"));
    EXPECT_TRUE(window.was_consumed(kStart + 30, "30"));
    EXPECT_EQ(ResumeWindow(window.state(), 40).state().consumed.size(), 40U);
}

TEST(ResumeWindowTest, UnorderedDropsWhatCannotComeAgain) {
    ResumeWindow window;
    window.consumed(kStart, "old");
    window.consumed(kStart + 1'500'000, "new");
    window.checkpoint(kStart + 2'000'000);
    EXPECT_EQ(window.state().consumed, (std::vector<std::string>{"old", "new"}));
    window.checkpoint(kStart + 2'000'001);
    EXPECT_EQ(window.state().consumed, (std::vector<std::string>{"new"}));
    // After a resume the times are not known: all stay as long as the latest.
    ResumeWindow later(window.state());
    later.checkpoint(kStart + 3'500'000);
    EXPECT_EQ(later.state().consumed.size(), 1U);
    later.checkpoint(kStart + 3'500'001);
    EXPECT_TRUE(later.state().consumed.empty());
}

TEST(ResumeWindowTest, TheCheckpointNeverGoesBack) {
    ResumeWindow window;
    window.checkpoint(kStart);
    window.checkpoint(kStart - 1);
    EXPECT_EQ(window.state().checkpoint_us, kStart);
}

TEST(ResumeWindowTest, SkipsTheRowsOfAnOpenTransaction) {
    ResumeWindow window = ordered_window();
    window.consumed(kStart, "a");
    window.consumed_rows(kStart + 5, "b", 0);
    EXPECT_EQ(window.state().open, "b");
    window.consumed_rows(kStart + 5, "b", 70);
    window.consumed_rows(kStart + 5, "b", 60);
    ResumeWindow later(window.state());
    EXPECT_TRUE(later.was_consumed(kStart, "a"));
    EXPECT_FALSE(later.was_consumed(kStart + 5, "b"));
    EXPECT_EQ(later.rows_to_skip(kStart + 5, "other"), std::nullopt);
    EXPECT_EQ(later.rows_to_skip(kStart + 5, "b"), 70U);
    EXPECT_EQ(later.rows_to_skip(kStart + 5, "b"), std::nullopt) << "only the first of that id";
    later.consumed(kStart + 5, "b");
    EXPECT_TRUE(later.state().open.empty());
    EXPECT_EQ(later.state().open_rows, 0U);
}

TEST(ResumeWindowTest, AListedIdComesBeforeAnOpenOneOfTheSameName) {
    ResumeWindow window = ordered_window();
    window.consumed(kStart, "x");
    window.consumed_rows(kStart, "x", 3);
    ResumeWindow later(window.state());
    EXPECT_TRUE(later.was_consumed(kStart, "x"));
    EXPECT_FALSE(later.was_consumed(kStart, "x"));
    EXPECT_EQ(later.rows_to_skip(kStart, "x"), 3U);
}

TEST(ResumeWindowTest, WithoutAnIdItIsDeliveredAgain) {
    ResumeWindow window = ordered_window();
    window.consumed(kStart, "");
    window.restart();
    EXPECT_FALSE(window.was_consumed(kStart, ""));
    window.consumed_rows(kStart + 1, "", 5);
    window.restart();
    EXPECT_EQ(window.rows_to_skip(kStart + 1, ""), std::nullopt);
}

TEST(ResumeWindowTest, LateTransactionsEndTheOrderUntilTheyAreHistory) {
    ResumeWindow window = ordered_window();
    window.consumed(kStart + 10, "a");
    window.consumed(kStart + 5, "late");
    EXPECT_EQ(window.out_of_order(), 1U);
    EXPECT_FALSE(window.state().ordered);
    // Another one from below, which was not consumed, must not be taken for consumed.
    ResumeWindow later(window.state());
    EXPECT_FALSE(later.was_consumed(kStart + 4, "missing"));
    EXPECT_TRUE(later.was_consumed(kStart + 5, "late"));

    window.set_ordered(true);
    EXPECT_FALSE(window.state().ordered);
    window.consumed(kStart + 3'000'000, "b");
    window.checkpoint(kStart + 10 + ResumeWindow::kSlackUs);
    EXPECT_FALSE(window.state().ordered);
    window.checkpoint(kStart + 11 + ResumeWindow::kSlackUs);
    EXPECT_TRUE(window.state().ordered);
    EXPECT_EQ(window.state().consumed, (std::vector<std::string>{"b"}));
}

TEST(ResumeWindowTest, AnOlderSourceTakesTheOrderAway) {
    ResumeWindow window = ordered_window();
    window.consumed(kStart + 10, "a");
    window.set_ordered(false);
    window.consumed(kStart + 20, "b");
    EXPECT_EQ(window.out_of_order(), 0U);
    window.restart();
    EXPECT_TRUE(window.was_consumed(kStart + 10, "a"));
    EXPECT_TRUE(window.was_consumed(kStart + 20, "b"));
    EXPECT_FALSE(window.was_consumed(kStart + 15, "c"));
}

// -- A log, and consumers that are cut off anywhere and resume from anything not behind what they
// stored.

struct Txn {
    int64_t commit_us;
    std::string id;
    uint64_t rows;
    int key;  // its place in the log, the only sure name
};

struct Log {
    std::vector<Txn> txns;  // by commit time
    std::mt19937 random;

    int64_t pick(int64_t low, int64_t high) {
        return std::uniform_int_distribution<int64_t>(low, high)(random);
    }

    explicit Log(uint32_t seed) : random(seed) {
        int64_t commit = kStart;
        for (int key = 0; key < 400; ++key) {
            commit += pick(0, 2) == 0 ? 0 : pick(1, 400'000);
            // Records of one DDL share an id and a time.
            const bool again = key > 0 && pick(0, 9) == 0;
            if (again) commit = txns.back().commit_us;
            std::string id = again ? txns.back().id : "1_" + std::to_string(key);
            txns.push_back(
                {commit, std::move(id), again ? 1U : static_cast<uint64_t>(pick(0, 6)), key}
            );
        }
    }
};

using Seen = std::map<std::pair<int, uint64_t>, int>;  // (transaction, row) -> times delivered

// Reads a stream that starts anywhere up to kSlackUs before `checkpoint`, until it is cut. True:
// reached the end. `shuffled`: transactions change places, but none comes after a heartbeat that
// covers it, and records that share an id keep their order.
bool read_stream(
    Log& log, int64_t checkpoint, bool shuffled, bool whole, ResumeWindow& window, Seen& seen
) {
    const int64_t from = checkpoint - log.pick(0, ResumeWindow::kSlackUs);
    std::vector<Txn> stream;
    std::copy_if(
        log.txns.begin(),
        log.txns.end(),
        std::back_inserter(stream),
        [from](const Txn& txn) { return txn.commit_us > from; }
    );
    constexpr size_t kGroup = 5;
    const auto group_end = [&](size_t at) {
        return std::min(stream.size(), (at / kGroup + 1) * kGroup);
    };
    if (shuffled) {
        for (size_t at = 0; at < stream.size(); at += kGroup) {
            const std::span<Txn> group(stream.data() + at, group_end(at) - at);
            std::shuffle(group.begin(), group.end(), log.random);
            for (Txn& one : group) {
                for (Txn& other : group) {
                    if (&one < &other && one.id == other.id && one.key > other.key)
                        std::swap(one, other);
                }
            }
        }
    }
    window.restart();
    int64_t left = log.pick(0, 120);
    for (size_t at = 0; at < stream.size(); ++at) {
        const Txn& txn = stream[at];
        window.set_ordered(!shuffled);
        if (!window.was_consumed(txn.commit_us, txn.id)) {
            const uint64_t skip = window.rows_to_skip(txn.commit_us, txn.id).value_or(0);
            for (uint64_t row = skip; row < txn.rows; ++row) {
                if (!whole && left-- == 0) return false;
                ++seen[{txn.key, row}];
                window.consumed_rows(txn.commit_us, txn.id, row + 1);
            }
            if (!whole && left-- <= 0) return false;  // all rows, but not the end
            window.consumed(txn.commit_us, txn.id);
        }
        if (left-- <= 0) return false;
        // A heartbeat: below what is still to come.
        if (at + 1 == group_end(at) && log.pick(0, 2) == 0) {
            int64_t low = txn.commit_us;
            for (size_t next = at + 1; next < group_end(at + 1) && next < stream.size(); ++next)
                low = std::min(low, stream[next].commit_us - 1);
            window.checkpoint(low);
        }
    }
    return true;
}

void expect_times(const Log& log, const Seen& seen, int at_most, uint32_t seed) {
    for (const Txn& txn : log.txns) {
        for (uint64_t row = 0; row < txn.rows; ++row) {
            const auto found = seen.find({txn.key, row});
            ASSERT_NE(found, seen.end())
                << "lost row " << row << " of " << txn.key << ", seed " << seed;
            ASSERT_LE(found->second, at_most)
                << "row " << row << " of " << txn.key << ", seed " << seed;
        }
    }
}

// Reads `log` to its end through many cuts; every second one restarts the process, too.
Seen consume(Log& log, bool shuffled, bool whole, size_t max_ids) {
    ResumeWindow window(max_ids);
    Seen seen;
    window.checkpoint(kStart - 1);
    int cuts = 0;
    // An ordered window stands any earlier checkpoint, an unordered one its slack.
    const int64_t earlier = shuffled ? 0 : 30'000'000;
    while (!read_stream(
        log, window.checkpoint_us() - log.pick(0, earlier), shuffled, whole, window, seen
    )) {
        if (++cuts % 2 == 0) window = ResumeWindow(window.state(), max_ids);
        if (cuts == 10'000) {
            ADD_FAILURE() << "does not get on";
            break;
        }
    }
    return seen;
}

TEST(ResumeWindowPropertyTest, OrderedStreamsGiveEveryRowOnceWhereverTheyAreCut) {
    for (uint32_t seed = 1; seed <= 50; ++seed) {
        Log log(seed);
        const Seen seen = consume(log, false, false, ResumeWindow::kMaxIds);
        expect_times(log, seen, 1, seed);
        if (HasFatalFailure()) return;
    }
}

TEST(ResumeWindowPropertyTest, UnorderedStreamsCutBetweenTransactionsGiveEveryRowOnce) {
    for (uint32_t seed = 1; seed <= 50; ++seed) {
        Log log(seed);
        const Seen seen = consume(log, true, true, ResumeWindow::kMaxIds);
        expect_times(log, seen, 1, seed);
        if (HasFatalFailure()) return;
    }
}

TEST(ResumeWindowPropertyTest, UnorderedStreamsAndFullWindowsLoseNothing) {
    for (uint32_t seed = 1; seed <= 40; ++seed) {
        Log log(seed);
        const Seen seen = consume(log, true, false, 40);
        expect_times(log, seen, 1'000, seed);
        if (HasFatalFailure()) return;
    }
}

}  // namespace
}  // namespace obcanal::oblog
