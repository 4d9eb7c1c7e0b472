#include "server/admin/log_files.h"

#include "protocol/base/text.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <vector>

namespace obcanal::admin {
namespace {

namespace fs = std::filesystem;

Error not_found(const std::string& what) { return {Errc::NotFound, Retry::Never, what}; }

// The reference's words: canal-admin shows them.
Error invalid_path() { return {Errc::BadPacket, Retry::Never, "Invalid destination path"}; }

// `name` below `base`, links followed, or an error when that lies elsewhere.
Result<fs::path> below(const fs::path& base, const std::string& name) {
    if (name.empty() || name.find('\0') != std::string::npos) return invalid_path();
    std::error_code code;
    const fs::path root = fs::weakly_canonical(base, code);
    if (code) return not_found(base.string() + ": " + code.message());
    const fs::path wanted = fs::weakly_canonical(root / name, code);
    if (code) return invalid_path();
    const auto [end, rest] = std::mismatch(root.begin(), root.end(), wanted.begin(), wanted.end());
    if (end != root.end() || rest == wanted.end()) return invalid_path();
    return wanted;
}

// The last bytes of a regular file. A pipe or a device that somebody put there is not opened.
Result<std::string> read_end(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0) return not_found(path + ": " + std::strerror(errno));
    struct stat about {};
    std::string text;
    const bool regular = ::fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
    if (regular) {
        const off_t skip = std::max<off_t>(0, about.st_size - off_t{LogFiles::kTailBytes});
        text.resize(static_cast<size_t>(about.st_size - skip));
        const ssize_t count = ::pread(fd, text.data(), text.size(), skip);
        text.resize(count > 0 ? static_cast<size_t>(count) : 0);
        // What begins in the middle of a line.
        if (skip > 0) text.erase(0, text.find('\n') + 1);
    }
    ::close(fd);
    if (!regular) return not_found(path + ": is no regular file");
    return text;
}

// Joined from the last `lines` lines that `wanted` lets through.
template <class Wanted>
std::string last_lines(std::string_view text, int32_t lines, Wanted wanted) {
    std::vector<std::string_view> chosen;
    if (text.ends_with('\n')) text.remove_suffix(1);
    while (!text.empty() && static_cast<int32_t>(chosen.size()) < lines) {
        const size_t end = text.rfind('\n');
        const size_t start = end == std::string_view::npos ? 0 : end + 1;
        const std::string_view line = text.substr(start);
        if (wanted(line)) chosen.push_back(line);
        text = text.substr(0, start == 0 ? 0 : start - 1);
    }
    std::string joined;
    for (auto line = chosen.rbegin(); line != chosen.rend(); ++line) {
        if (line != chosen.rbegin()) joined += '\n';
        joined += *line;
    }
    return repair_utf8(as_bytes(joined));
}

Result<std::string> list(const fs::path& directory) {
    std::vector<std::string> names;
    std::error_code code;
    fs::recursive_directory_iterator at(directory, code);
    if (code) return not_found(directory.string() + ": " + code.message());
    while (at != fs::recursive_directory_iterator() && names.size() < LogFiles::kMaxNames) {
        if (at->is_regular_file(code)) {
            names.push_back(fs::relative(at->path(), directory, code).string());
        }
        at.increment(code);
        if (code) break;
    }
    std::sort(names.begin(), names.end());
    std::string joined;
    for (const std::string& name : names) joined += (joined.empty() ? "" : ",") + name;
    return repair_utf8(as_bytes(joined));
}

// "time level component message ...": the third word after date and time.
bool is_of(std::string_view line, std::string_view destination) {
    for (int word = 0; word < 3; ++word) {
        const size_t blank = line.find(' ');
        if (blank == std::string_view::npos) return false;
        line.remove_prefix(blank + 1);
    }
    return line.starts_with(destination) && line.substr(destination.size()).starts_with(' ');
}

}  // namespace

Result<std::string> LogFiles::directory_of(const std::string& destination) const {
    Result<fs::path> path = below(directory_.empty() ? "/nonexistent" : directory_, destination);
    if (!path) return std::move(path).error();
    // One name, not a way through others.
    if (destination.find('/') != std::string::npos) return invalid_path();
    return path->string();
}

Result<std::string> LogFiles::list_server() const {
    if (server_file_.empty())
        return not_found("the server logs to standard error: start it with --log-file");
    return list(fs::path(server_file_).parent_path());
}

Result<std::string> LogFiles::list_destination(const std::string& destination) const {
    Result<std::string> directory = directory_of(destination);
    if (!directory) return directory;
    std::error_code code;
    // Its lines are in the server's log; the name is what tail_destination() takes.
    if (!fs::is_directory(*directory, code)) return destination + ".log";
    return list(*directory);
}

Result<std::string> LogFiles::tail_server(int32_t lines) const {
    if (server_file_.empty())
        return not_found("the server logs to standard error: start it with --log-file");
    Result<std::string> text = read_end(server_file_);
    if (!text) return text;
    return last_lines(*text, lines, [](std::string_view) { return true; });
}

Result<std::string> LogFiles::tail_destination(
    const std::string& destination, const std::string& file, int32_t lines
) const {
    Result<std::string> directory = directory_of(destination);
    if (!directory) return directory;
    const std::string own = destination + ".log";
    Result<fs::path> path = below(*directory, file.empty() ? own : file);
    if (!path) return std::move(path).error();
    std::error_code code;
    if (fs::exists(*path, code)) {
        Result<std::string> text = read_end(path->string());
        if (!text) return text;
        return last_lines(*text, lines, [](std::string_view) { return true; });
    }
    if (!file.empty() && file != own) return not_found(printable(file) + ": is not there");
    if (server_file_.empty())
        return not_found("the server logs to standard error: start it with --log-file");
    Result<std::string> text = read_end(server_file_);
    if (!text) return text;
    return last_lines(*text, lines, [&destination](std::string_view line) {
        return is_of(line, destination);
    });
}

}  // namespace obcanal::admin
