#include "protocol/base/log_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

namespace obcanal {

LogFile::LogFile(std::string path, size_t rotate_bytes, size_t keep)
    : path_(std::move(path)), rotate_bytes_(rotate_bytes), keep_(keep) {}

LogFile::~LogFile() {
    if (fd_ >= 0) ::close(fd_);
}

bool LogFile::open() {
    constexpr mode_t kOwnerAndGroup = 0640;
    const std::filesystem::path directory = std::filesystem::path(path_).parent_path();
    std::error_code ignored;  // open() says what is wrong
    if (!directory.empty()) std::filesystem::create_directories(directory, ignored);
    const int fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, kOwnerAndGroup);
    if (fd < 0) return false;
    struct stat about {};
    regular_ = ::fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
    size_ = regular_ ? static_cast<size_t>(about.st_size) : 0;
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
    torn_ = false;
    return true;
}

bool LogFile::append(std::string_view line) {
    if (regular_ && size_ > 0 && size_ + line.size() > rotate_bytes_) rotate();
    if (torn_) {
        if (::write(fd_, "\n", 1) != 1) return false;
        torn_ = false;
        ++size_;
    }
    while (!line.empty()) {
        const ssize_t count = ::write(fd_, line.data(), line.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        line.remove_prefix(static_cast<size_t>(count));
        size_ += static_cast<size_t>(count);
        torn_ = !line.empty();
    }
    return true;
}

void LogFile::rotate() {
    for (size_t number = keep_; number > 1; --number)
        std::rename(name(number - 1).c_str(), name(number).c_str());
    if (keep_ > 0) {
        std::rename(path_.c_str(), name(1).c_str());
    } else {
        std::remove(path_.c_str());
    }
    // When it could not be moved or opened, the old one goes on for as many bytes again.
    open();
    if (size_ + 1 > rotate_bytes_) size_ = 0;
}

std::string LogFile::name(size_t number) const {
    const std::filesystem::path path(path_);
    const std::string stem = (path.parent_path() / path.stem()).string();
    return stem + "." + std::to_string(number) + path.extension().string();
}

}  // namespace obcanal
