#include "protocol/base/log_file.h"

#include "protocol/base/log.h"
#include "tests/unit/scratch_dir.h"

#include <gmock/gmock.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace obcanal {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

std::vector<std::string> lines(const fs::path& path) {
    std::vector<std::string> out;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) out.push_back(line);
    return out;
}

class LogFileTest : public testing::Test {
 protected:
    ~LogFileTest() override { open_log({}); }

    const ScratchDir scratch_;
    const fs::path directory_ = scratch_.path();
};

TEST_F(LogFileTest, MakesTheDirectoryAndAppends) {
    const fs::path path = directory_ / "logs" / "canal" / "canal.log";
    {
        LogFile file(path, 1000, 2);
        ASSERT_TRUE(file.open());
        EXPECT_TRUE(file.append("one\n"));
    }
    LogFile file(path, 1000, 2);
    ASSERT_TRUE(file.open());
    EXPECT_TRUE(file.append("two\n"));
    EXPECT_THAT(lines(path), ElementsAre("one", "two"));
    EXPECT_EQ(fs::status(path).permissions() & fs::perms::others_all, fs::perms::none);
}

TEST_F(LogFileTest, MovesItselfAwayWhenItIsFullAndKeepsSoMany) {
    LogFile file(directory_ / "x.log", 8, 2);
    ASSERT_TRUE(file.open());
    for (const char* line : {"aaa\n", "bbb\n", "ccc\n", "ddd\n", "eee\n", "fff\n", "ggg\n"})
        ASSERT_TRUE(file.append(line));
    EXPECT_THAT(lines(directory_ / "x.log"), ElementsAre("ggg"));
    EXPECT_THAT(lines(directory_ / "x.1.log"), ElementsAre("eee", "fff"));
    EXPECT_THAT(lines(directory_ / "x.2.log"), ElementsAre("ccc", "ddd"));
    EXPECT_FALSE(fs::exists(directory_ / "x.3.log"));
}

TEST_F(LogFileTest, ALineLongerThanTheLimitHasItsOwnFile) {
    LogFile file(directory_ / "x.log", 8, 1);
    ASSERT_TRUE(file.open());
    EXPECT_TRUE(file.append("0123456789abcdef\n"));
    EXPECT_TRUE(file.append("aaa\n"));
    EXPECT_THAT(lines(directory_ / "x.log"), ElementsAre("aaa"));
    EXPECT_THAT(lines(directory_ / "x.1.log"), ElementsAre("0123456789abcdef"));
}

TEST_F(LogFileTest, GoesOnInTheOldFileWhenItCanNotBeMoved) {
    const fs::path path = directory_ / "x.log";
    // rename() puts no file over a directory.
    fs::create_directories(directory_ / "x.1.log" / "full");
    LogFile file(path, 8, 1);
    ASSERT_TRUE(file.open());
    for (const char* line : {"aaa\n", "bbb\n", "ccc\n", "ddd\n", "eee\n"})
        EXPECT_TRUE(file.append(line));
    EXPECT_THAT(lines(path), ElementsAre("aaa", "bbb", "ccc", "ddd", "eee"));
}

TEST_F(LogFileTest, OpenedAgainItIsAnotherFileAndTheOldOneIsWhole) {
    const fs::path path = directory_ / "x.log";
    LogFile file(path, 1000, 1);
    ASSERT_TRUE(file.open());
    EXPECT_TRUE(file.append("one\n"));
    fs::rename(path, directory_ / "x.log.1");
    EXPECT_TRUE(file.append("two\n"));
    ASSERT_TRUE(file.open());
    EXPECT_TRUE(file.append("three\n"));
    EXPECT_THAT(lines(directory_ / "x.log.1"), ElementsAre("one", "two"));
    EXPECT_THAT(lines(path), ElementsAre("three"));
}

TEST_F(LogFileTest, KeepsTheOldFileWhenTheNameCanNotBeOpened) {
    const fs::path path = directory_ / "x.log";
    LogFile file(path, 1000, 1);
    ASSERT_TRUE(file.open());
    fs::rename(path, directory_ / "old");
    fs::create_directory(path);
    EXPECT_FALSE(file.open());
    EXPECT_TRUE(file.append("one\n"));
    EXPECT_THAT(lines(directory_ / "old"), ElementsAre("one"));
}

TEST_F(LogFileTest, AFullDiskIsReported) {
    LogFile file("/dev/full", 1000, 1);
    ASSERT_TRUE(file.open());
    EXPECT_FALSE(file.append("one\n"));
    EXPECT_FALSE(file.append("two\n"));
    EXPECT_EQ(errno, ENOSPC);
}

TEST_F(LogFileTest, TheLoggerSaysWhatAFullDiskHasSwallowed) {
    const fs::path path = directory_ / "x.log";
    fs::create_symlink("/dev/full", path);
    ASSERT_TRUE(open_log({path}));
    const Logger log("test");
    log.info("first");
    log.info("second");
    fs::remove(path);
    reopen_log();
    log.info("third");
    const std::vector<std::string> found = lines(path);
    ASSERT_EQ(found.size(), 2u);
    EXPECT_THAT(
        found[0], testing::EndsWith("warning log lines were lost: No space left on device count=2")
    );
    EXPECT_THAT(found[1], testing::EndsWith("info test third"));
}

// As logrotate does it: the file is moved away, and later the program is told.
TEST_F(LogFileTest, NoLineIsLostWhenFilesAreMovedAwayUnderLoad) {
    constexpr int kThreads = 4;
    constexpr int kLines = 5000;
    const fs::path path = directory_ / "x.log";
    ASSERT_TRUE(open_log({.file = path, .rotate_bytes = 100'000, .keep_files = 1000}));
    std::vector<std::thread> writers;
    std::atomic<int> writing = kThreads;
    for (int thread = 0; thread < kThreads; ++thread) {
        writers.emplace_back([thread, &writing] {
            const Logger log("writer" + std::to_string(thread));
            for (int i = 0; i < kLines; ++i) log.info("line", {{"number", i}});
            --writing;
        });
    }
    int moved = 0;
    while (writing > 0) {
        std::error_code gone;  // between two names of the logger's own moving
        fs::rename(path, directory_ / ("moved." + std::to_string(moved)), gone);
        if (!gone) ++moved;
        reopen_log();
    }
    for (std::thread& writer : writers) writer.join();
    size_t total = 0;
    std::map<std::string, std::vector<bool>> seen;
    for (const fs::directory_entry& entry : fs::directory_iterator(directory_)) {
        for (const std::string& line : lines(entry.path())) {
            const size_t component = line.find("writer");
            const size_t number = line.find("number=");
            ASSERT_NE(component, std::string::npos) << line;
            ASSERT_NE(number, std::string::npos) << line;
            std::vector<bool>& numbers = seen[line.substr(component, 7)];
            numbers.resize(kLines);
            const size_t at = std::stoul(line.substr(number + 7));
            EXPECT_FALSE(numbers.at(at)) << "twice: " << line;
            numbers[at] = true;
            ++total;
        }
    }
    EXPECT_EQ(total, size_t{kThreads} * kLines);
    EXPECT_GT(moved, 0);
}

}  // namespace
}  // namespace obcanal
