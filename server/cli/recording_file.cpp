#include "server/cli/recording_file.h"

#include "protocol/oblog/recording.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace obcanal::cli {

namespace {

constexpr size_t kPendingBytes = size_t{4} << 20;

}  // namespace

Result<RecordingFile> RecordingFile::create(const std::string& path) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) {
        return Error{
            Errc::BadConfig, Retry::Never, path + ": " + std::string(std::strerror(errno))
        };
    }
    return RecordingFile(path, fd);
}

RecordingFile::RecordingFile(RecordingFile&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      pending_(std::move(other.pending_)),
      written_(other.written_),
      boundary_(other.boundary_) {}

RecordingFile::~RecordingFile() {
    if (fd_ >= 0) ::close(fd_);
}

Error RecordingFile::failure(const char* what, int code) const {
    const std::string detail = path_ + ": " + what + ": " + std::strerror(code);
    return {Errc::Io, Retry::Never, detail};
}

Result<void> RecordingFile::append(Bytes record) {
    oblog::append_recorded(pending_, record);
    if (pending_.size() < kPendingBytes) return {};
    return flush();
}

Result<void> RecordingFile::flush() {
    std::string_view rest = pending_;
    while (!rest.empty()) {
        const ssize_t count = ::write(fd_, rest.data(), rest.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) {
            const int code = errno;
            // A disk that is full may have taken a part of a record.
            if (::ftruncate(fd_, static_cast<off_t>(boundary_)) != 0) return failure("cut", errno);
            return failure("write", code);
        }
        rest.remove_prefix(static_cast<size_t>(count));
    }
    written_ += pending_.size();
    pending_.clear();
    return {};
}

Result<void> RecordingFile::drop_to_boundary() {
    if (boundary_ >= written_) {
        pending_.resize(boundary_ - written_);
        return {};
    }
    pending_.clear();
    written_ = boundary_;
    const auto end = static_cast<off_t>(boundary_);
    if (::ftruncate(fd_, end) != 0) return failure("cut", errno);
    if (::lseek(fd_, end, SEEK_SET) != end) return failure("seek", errno);
    return {};
}

void RecordingFile::discard() { ::unlink(path_.c_str()); }

Result<void> RecordingFile::sync() {
    if (Result<void> flushed = flush(); !flushed) return flushed;
    if (::fsync(fd_) != 0) return failure("fsync", errno);
    return {};
}

}  // namespace obcanal::cli
