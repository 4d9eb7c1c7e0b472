// The file behind the logger: whole lines are appended, it is opened again when somebody has moved
// it away, and moves itself away when it is full. Owned by the logger, which calls it under a lock.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace obcanal {

class LogFile {
 public:
    // Of `rotate_bytes` a file x.log becomes x.1.log, that one x.2.log, and so on up to `keep`.
    LogFile(std::string path, size_t rotate_bytes, size_t keep);
    ~LogFile();
    LogFile(const LogFile&) = delete;
    LogFile& operator=(const LogFile&) = delete;

    // Opens the file of this name, made with its directory where it is missing. When that fails,
    // the one that was open stays so: false, and errno says why.
    bool open();
    // The line with its end. False when it is not in the file, or not whole: the disk is full.
    bool append(std::string_view line);

 private:
    void rotate();
    std::string name(size_t number) const;

    std::string path_;
    size_t rotate_bytes_;
    size_t keep_;
    int fd_ = -1;
    size_t size_ = 0;
    bool regular_ = true;  // a device or a pipe has no size
    bool torn_ = false;    // ends within a line
};

// Opens the file of open_log() again by its name, for programs that move log files away. Nothing
// without a file. Any thread.
void reopen_log();

// A line of the level info as it is, however long; no control characters in it. Any thread.
void log_whole(std::string_view line);

}  // namespace obcanal
