// A child saves cursors and says on a pipe which ones are saved; it is killed at random moments.
// Whatever it said must be found by the next start, whether meta.dat was being replaced or a slot
// being written.
#include "server/meta/file_meta_store.h"
#include "tests/unit/scratch_dir.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <random>
#include <string>
#include <thread>

namespace obcanal::meta {
namespace {

using canal::ClientId;
using canal::LogPosition;

constexpr ClientId kClient{1001};

LogPosition at(int64_t offset) {
    LogPosition position;
    position.identity = {"127.0.0.1", 3306, -1};
    // Of changing length, and larger than a page at times.
    position.journal_name.assign(
        static_cast<size_t>(offset % 97 == 0 ? 9000 : 10 + offset % 13), 'j'
    );
    position.position = offset;
    return position;
}

[[noreturn]] void save_until_killed(const std::string& dir, int64_t from, int report) {
    FileMetaStore store(dir, "d");
    if (!store.load().ok() || !store.subscribe(kClient, std::nullopt).ok()) _exit(2);
    std::jthread flusher([&store](std::stop_token stop) {
        while (!stop.stop_requested()) {
            if (!store.flush().ok()) _exit(3);
        }
    });
    for (int64_t next = from;; ++next) {
        if (!store.save_cursor(kClient, at(next)).ok()) _exit(4);
        if (write(report, &next, sizeof next) != sizeof next) _exit(5);
    }
}

// The last number that the child said, after `reports` of them and `extra` more time, killed.
int64_t run_child(
    const std::string& dir, int64_t from, int reports, std::chrono::microseconds extra
) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        save_until_killed(dir, from, ends[1]);
    }
    close(ends[1]);
    int64_t last = from - 1;
    int64_t said = 0;
    const auto next = [&] { return read(ends[0], &said, sizeof said) == sizeof said; };
    for (int count = 0; count < reports && next(); ++count) last = said;
    const auto until = std::chrono::steady_clock::now() + extra;
    while (std::chrono::steady_clock::now() < until) {
    }
    kill(child, SIGKILL);
    while (next()) last = said;
    close(ends[0]);
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status)) << "child ended by itself with " << WEXITSTATUS(status);
    return last;
}

TEST(FileMetaKillTest, WhatWasSavedIsFoundAfterAKill) {
    const ScratchDir dir;
    std::mt19937 random(20240607);
    std::uniform_int_distribution<int> reports(0, 300);
    std::uniform_int_distribution<int> extra(0, 500);
    int64_t next = 1;
    for (int round = 0; round < 150; ++round) {
        const int64_t said =
            run_child(dir.path(), next, reports(random), std::chrono::microseconds(extra(random)));
        FileMetaStore store(dir.path(), "d");
        auto table = store.load();
        ASSERT_TRUE(table.ok()) << table.error().detail;
        const auto cursor = store.cursor(kClient);
        const int64_t found = cursor ? cursor->position : 0;
        ASSERT_GE(found, said) << "round " << round;
        // One more may have been saved without being said.
        ASSERT_LE(found, std::max(said, next - 1) + 1) << "round " << round;
        if (cursor) {
            ASSERT_EQ(*cursor, at(found));
        }
        next = found + 1;
    }
    EXPECT_GT(next, 1000);
}

TEST(FileMetaKillTest, SavingIsCheap) {
    const ScratchDir dir;
    FileMetaStore store(dir.path(), "d");
    ASSERT_TRUE(store.load().ok());
    ASSERT_TRUE(store.subscribe(kClient, std::nullopt).ok());
    constexpr int kSaves = 20000;
    LogPosition cursor = at(1);
    const auto start = std::chrono::steady_clock::now();
    for (int save = 0; save < kSaves; ++save) {
        cursor.position = save;
        ASSERT_TRUE(store.save_cursor(kClient, cursor).ok());
    }
    const std::chrono::duration<double, std::micro> spent =
        std::chrono::steady_clock::now() - start;
    RecordProperty("us_per_save", std::to_string(spent.count() / kSaves));
    // About 3 us; the bound only tells a write from a disk sync, on a loaded machine and with
    // sanitizers.
    EXPECT_LT(spent.count() / kSaves, 200.0);
}

}  // namespace
}  // namespace obcanal::meta
