#include "server/cli/output.h"

#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace obcanal::cli {
namespace {

constexpr int kStopCheckMs = 100;
constexpr size_t kFilePiece = size_t{1} << 20;

bool is_file(int fd) {
    struct stat about {};
    return ::fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
}

Error failure(int code) {
    const Errc errc = code == EPIPE ? Errc::Closed : Errc::Io;
    return {errc, Retry::Never, "standard output: " + std::string(std::strerror(code))};
}

}  // namespace

Output::Output(int fd, std::function<bool()> stopping)
    : fd_(fd),
      stopping_(std::move(stopping)),
      terminal_(::isatty(fd) == 1),
      // A pipe that poll() calls writable takes this much without waiting.
      piece_(is_file(fd) ? kFilePiece : PIPE_BUF) {
    std::signal(SIGPIPE, SIG_IGN);
}

size_t Output::width() const {
    winsize size{};
    return terminal_ && ::ioctl(fd_, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

Result<void> Output::write(std::string_view text) {
    while (!text.empty()) {
        pollfd ready{fd_, POLLOUT, 0};
        const int count = ::poll(&ready, 1, kStopCheckMs);
        if (count < 0 && errno != EINTR) return failure(errno);
        if (count <= 0) {
            if (stopping_()) return Error{Errc::Stopped, Retry::Never, "stopped"};
            continue;
        }
        const ssize_t written = ::write(fd_, text.data(), std::min(text.size(), piece_));
        if (written < 0 && errno != EINTR && errno != EAGAIN) return failure(errno);
        if (written > 0) text.remove_prefix(static_cast<size_t>(written));
    }
    return {};
}

}  // namespace obcanal::cli
