#include "protocol/oblog/recording.h"

#include "tests/unit/oblog/fixtures.h"

#include <gmock/gmock.h>

namespace obcanal::oblog {
namespace {

using ::testing::HasSubstr;

struct Reading {
    std::vector<std::string> records;
    std::string error;
};

Reading read_all(std::string_view bytes) {
    Reading out;
    RecordingReader reader(as_bytes(bytes));
    for (;;) {
        const auto record = reader.next();
        if (!record) out.error = record.error().detail;
        if (!record || !*record) return out;
        out.records.emplace_back(as_text(**record));
    }
}

TEST(Recording, ReadsTheRecordsOfAFile) {
    for (const char* name : {"shop", "shop-ddl", "types", "types-crc"}) {
        const std::string file = read_fixture(std::string(name) + ".logmsg");
        const Reading got = read_all(file);
        EXPECT_EQ(got.error, "");
        EXPECT_EQ(got.records, recorded(name));
        EXPECT_EQ(whole_length(as_bytes(file)), file.size());
    }
}

TEST(Recording, WritesWhatItReads) {
    std::string written;
    for (const std::string& record : recorded("types")) append_recorded(written, as_bytes(record));
    EXPECT_EQ(written, read_fixture("types.logmsg"));
}

TEST(Recording, TellsATornTailAtEveryLength) {
    const std::string whole = read_fixture("shop-ddl.logmsg");
    const size_t first = 4 + recorded("shop-ddl")[0].size();
    for (size_t cut = 0; cut < first + 40; ++cut) {
        const std::string torn = whole.substr(0, cut);
        const Reading got = read_all(torn);
        EXPECT_EQ(got.records.size(), cut >= first ? 1U : 0U);
        EXPECT_EQ(whole_length(as_bytes(torn)), cut >= first ? first : 0);
        if (cut == 0 || cut == first) {
            EXPECT_EQ(got.error, "");
        } else {
            EXPECT_THAT(got.error, HasSubstr("at byte " + std::to_string(cut > first ? first : 0)));
        }
    }
}

TEST(Recording, RefusesLengthsThatAreNotTheRecords) {
    EXPECT_THAT(read_all(std::string("\x7f\xff\xff\xff rest", 9)).error, HasSubstr("at byte 0"));
    EXPECT_THAT(read_all(std::string("\0\0\0\x05 rest", 9)).error, HasSubstr("at byte 0"));
    EXPECT_THAT(read_all(std::string("\0\0\0\0", 4)).error, HasSubstr("at byte 0"));
    std::string wrong = read_fixture("shop-ddl.logmsg");
    wrong[4 + 4] = static_cast<char>(wrong[4 + 4] + 1);
    EXPECT_THAT(read_all(wrong).error, HasSubstr("damaged"));
}

}  // namespace
}  // namespace obcanal::oblog
