// What reaches the file when connections break and a proxy sends things again.
#include "server/cli/stream_recorder.h"

#include "tests/unit/cli/recorded.h"
#include "tests/unit/scratch_dir.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace obcanal::cli {
namespace {

using oblog::LogRecord;
using oblog::RecordType;

LogRecord parse(const std::string& bytes) {
    Result<LogRecord> record = LogRecord::parse(as_bytes(bytes));
    EXPECT_TRUE(record);
    return std::move(record).value();
}

// Recorded heartbeats lie ahead of what follows them, which a real proxy's never do.
std::vector<std::string> without_heartbeats(std::vector<std::string> records) {
    std::erase_if(records, [](const std::string& bytes) {
        return parse(bytes).type() == RecordType::Heartbeat;
    });
    return records;
}

class StreamRecorderTest : public testing::Test {
 protected:
    StreamRecorderTest() : file_(create()) {}

    RecordingFile create() {
        Result<RecordingFile> file = RecordingFile::create(path_);
        EXPECT_TRUE(file);
        return std::move(file).value();
    }

    void add(const std::string& record) { ASSERT_TRUE(recorder_.add(as_bytes(record))); }

    std::vector<std::string> written() {
        EXPECT_TRUE(file_.flush());
        return recorded(path_);
    }

    const ScratchDir scratch_;
    const std::string path_ = scratch_.path() + "/recorder.logmsg";
    const std::vector<std::string> log_ = without_heartbeats(recorded(recording_path("shop")));
    RecordingFile file_;
    StreamRecorder recorder_{file_};
};

TEST_F(StreamRecorderTest, WritesWhatComes) {
    recorder_.begin_stream();
    for (const std::string& record : log_) add(record);
    EXPECT_EQ(written(), log_);
    EXPECT_EQ(recorder_.totals().rows, 2585u);
    EXPECT_EQ(recorder_.totals().transactions, 852u);
    EXPECT_EQ(recorder_.totals().records, log_.size());
}

TEST_F(StreamRecorderTest, BrokenStreamsLeaveNothingTwiceAndNothingOut) {
    std::mt19937 random(7);
    size_t at = 0;
    size_t breaks = 0;
    while (at < log_.size()) {
        // As a proxy does: everything committed since the checkpoint.
        const int64_t since_us = recorder_.checkpoint_us();
        at = static_cast<size_t>(
            std::find_if(
                log_.begin(),
                log_.end(),
                [since_us](const std::string& bytes) {
                    return parse(bytes).commit_us() >= since_us;
                }
            ) -
            log_.begin()
        );
        recorder_.begin_stream();
        const size_t upto = std::min(log_.size(), at + 20 + random() % 200);
        for (; at < upto; ++at) add(log_[at]);
        ASSERT_TRUE(recorder_.end_stream());
        const bool on_disk = random() % 2 == 0;
        ASSERT_TRUE(!on_disk || file_.flush());
        ++breaks;
    }
    const std::vector<std::string> found = written();
    ASSERT_EQ(found.size(), log_.size());
    for (size_t i = 0; i < log_.size(); ++i) ASSERT_EQ(found[i], log_[i]) << i;
    EXPECT_GT(breaks, 20u);
    EXPECT_GT(recorder_.totals().repeated, breaks);
}

TEST_F(StreamRecorderTest, ATransactionThatDidNotEndIsTakenBackFromTheDiskToo) {
    recorder_.begin_stream();
    const auto begin = std::find_if(log_.begin(), log_.end(), [](const std::string& bytes) {
        return parse(bytes).type() == RecordType::Begin;
    });
    for (auto record = log_.begin(); record != begin + 3; ++record) add(*record);
    EXPECT_EQ(written().size(), static_cast<size_t>(begin + 3 - log_.begin()));
    ASSERT_TRUE(recorder_.end_stream());
    EXPECT_EQ(written(), std::vector<std::string>(log_.begin(), begin));
}

TEST_F(StreamRecorderTest, RowsWithoutTheirBeginAreLeftOut) {
    recorder_.begin_stream();
    const auto row = std::find_if(log_.begin(), log_.end(), [](const std::string& bytes) {
        return parse(bytes).type() == RecordType::Insert;
    });
    for (auto record = row; parse(*record).type() != RecordType::Begin; ++record) add(*record);
    EXPECT_TRUE(written().empty());
}

TEST_F(StreamRecorderTest, HeartbeatsMoveTheStartOfTheNextStream) {
    const std::vector<std::string> all = recorded(recording_path("shop"));
    recorder_.begin_stream();
    int64_t last_us = 0;
    for (const std::string& record : all) {
        add(record);
        const int64_t us = parse(record).checkpoint_us();
        last_us = std::max(last_us, us);
        EXPECT_LE(recorder_.checkpoint_us(), last_us);
    }
    EXPECT_EQ(recorder_.checkpoint_us(), last_us);
    EXPECT_EQ(written(), all);
}

TEST_F(StreamRecorderTest, AFileThatIsThereIsNotTouched) {
    EXPECT_FALSE(RecordingFile::create(path_));
}

}  // namespace
}  // namespace obcanal::cli
