// Log files by the admin port: last lines, names, and nothing from outside the log directory.
#include "server/admin/log_files.h"

#include "protocol/base/text.h"
#include "tests/unit/scratch_dir.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace obcanal::admin {
namespace {

namespace fs = std::filesystem;

class LogFilesTest : public testing::Test {
 protected:
    LogFilesTest() {
        fs::create_directories(root() / "canal");
        fs::create_directories(root() / "example" / "2026-01-01");
        write(
            root() / "canal/canal.log",
            "2026-01-01 00:00:00.000 info example started\n"
            "2026-01-01 00:00:00.001 info other example\n"
            "2026-01-01 00:00:00.002 warning lone lost\n"
        );
        write(root() / "example/example.log", "one\ntwo\nthree\n");
        write(root() / "example/meta.log", "saved\n");
        write(root() / "example/2026-01-01/old.log", "old\n");
        write(fs::path(scratch_.path()) / "secret", "password\n");
        write(fs::path(scratch_.path()) / "logs-beside", "password\n");
    }

    fs::path root() const { return fs::path(scratch_.path()) / "logs"; }

    static void write(const fs::path& path, const std::string& text) {
        std::ofstream(path, std::ios::binary) << text;
    }

    LogFiles logs() const { return {(root() / "canal/canal.log").string(), root().string()}; }

    static std::string text(const Result<std::string>& result) {
        return result ? *result : "error: " + result.error().detail;
    }

    ScratchDir scratch_;
};

TEST_F(LogFilesTest, LastLines) {
    EXPECT_EQ(text(logs().tail_destination("example", "", 2)), "two\nthree");
    EXPECT_EQ(text(logs().tail_destination("example", "", 100)), "one\ntwo\nthree");
    EXPECT_EQ(text(logs().tail_destination("example", "", 0)), "");
    EXPECT_EQ(text(logs().tail_destination("example", "meta.log", 5)), "saved");
    EXPECT_EQ(text(logs().tail_destination("example", "2026-01-01/old.log", 5)), "old");
    EXPECT_EQ(text(logs().tail_server(1)), "2026-01-01 00:00:00.002 warning lone lost");
}

TEST_F(LogFilesTest, ADestinationWithoutAFileHasItsLinesInTheServersLog) {
    EXPECT_EQ(
        text(logs().tail_destination("other", "", 100)),
        "2026-01-01 00:00:00.001 info other example"
    );
    EXPECT_EQ(
        text(logs().tail_destination("lone", "lone.log", 100)),
        "2026-01-01 00:00:00.002 warning lone lost"
    );
    EXPECT_EQ(text(logs().list_destination("lone")), "lone.log");
}

TEST_F(LogFilesTest, Names) {
    EXPECT_EQ(text(logs().list_server()), "canal.log");
    EXPECT_EQ(text(logs().list_destination("example")), "2026-01-01/old.log,example.log,meta.log");
}

TEST_F(LogFilesTest, NothingFromOutside) {
    const std::string refused = "error: Invalid destination path";
    for (const char* name :
         {"",
          ".",
          "..",
          "../logs-beside",
          "../",
          "/etc",
          "/",
          "example/..",
          "example/../canal",
          "canal/../../secret",
          "example/2026-01-01"}) {
        EXPECT_EQ(text(logs().tail_destination(name, "", 9)), refused) << name;
        EXPECT_EQ(text(logs().list_destination(name)), refused) << name;
    }
    for (const char* file :
         {"..",
          ".",
          "../canal/canal.log",
          "../../secret",
          "/etc/passwd",
          "2026-01-01/../../canal/canal.log"})
        EXPECT_EQ(text(logs().tail_destination("example", file, 9)), refused) << file;
    EXPECT_EQ(text(logs().tail_destination(std::string("exa\0mple", 8), "", 9)), refused);
    EXPECT_EQ(text(logs().tail_destination("example", std::string("a\0b", 3), 9)), refused);
}

TEST_F(LogFilesTest, LinksOutAndWhatIsNoFileAreNotOpened) {
    fs::create_symlink(fs::path(scratch_.path()) / "secret", root() / "example/link.log");
    fs::create_directory_symlink(scratch_.path(), root() / "out");
    EXPECT_EQ(
        text(logs().tail_destination("example", "link.log", 9)), "error: Invalid destination path"
    );
    EXPECT_EQ(text(logs().tail_destination("out", "secret", 9)), "error: Invalid destination path");
    ASSERT_EQ(::mkfifo((root() / "example/pipe.log").c_str(), 0600), 0);
    EXPECT_NE(
        text(logs().tail_destination("example", "pipe.log", 9)).find("is no regular file"),
        std::string::npos
    );
    EXPECT_NE(
        text(logs().tail_destination("example", "2026-01-01", 9)).find("is no regular file"),
        std::string::npos
    );
}

TEST_F(LogFilesTest, LargeFilesAndForeignBytes) {
    const std::string line(1023, 'x');
    {
        std::ofstream file(root() / "example/example.log", std::ios::binary);
        for (int i = 0; i < 6000; ++i) file << line << '\n';
        file << "last \xff byte\n";
    }
    const std::string all = text(logs().tail_destination("example", "", INT32_MAX));
    EXPECT_LE(all.size(), LogFiles::kTailBytes + 16);
    EXPECT_GT(all.size(), LogFiles::kTailBytes - 2048);
    EXPECT_TRUE(all.starts_with("xxxx"));
    EXPECT_TRUE(all.ends_with("last \xef\xbf\xbd byte"));
    EXPECT_TRUE(is_utf8(as_bytes(all)));
}

TEST_F(LogFilesTest, WithoutALogFileThatIsSaid) {
    const LogFiles none("", "");
    EXPECT_NE(text(none.tail_server(5)).find("--log-file"), std::string::npos);
    EXPECT_NE(text(none.list_server()).find("--log-file"), std::string::npos);
    EXPECT_NE(text(none.tail_destination("example", "", 5)).find("--log-file"), std::string::npos);
}

}  // namespace
}  // namespace obcanal::admin
