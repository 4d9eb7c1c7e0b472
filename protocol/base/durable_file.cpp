#include "protocol/base/durable_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

namespace obcanal {

FileHandle::~FileHandle() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

Error file_error(const std::string& path, std::string_view what) {
    const int code = errno;
    return Error{
        Errc::Io,
        Retry::Backoff,
        path + ": " + std::string(what) + ": " + std::generic_category().message(code)
    };
}

Result<void> make_directories(const std::string& path) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error)
        return Error{
            Errc::Io, Retry::Backoff, path + ": can't make the directory: " + error.message()
        };
    return {};
}

Result<std::optional<std::string>> read_file(const std::string& path, size_t limit) {
    const FileHandle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.is_open()) {
        if (errno == ENOENT) return std::optional<std::string>();
        return file_error(path, "can't open");
    }
    std::string content;
    char part[16384];
    for (;;) {
        const ssize_t count = ::read(file.get(), part, sizeof part);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return file_error(path, "can't read");
        if (count == 0) return std::optional(std::move(content));
        content.append(part, static_cast<size_t>(count));
        if (content.size() > limit) {
            return Error{
                Errc::BadPacket,
                Retry::Never,
                path + ": larger than " + std::to_string(limit) + " bytes"
            };
        }
    }
}

Result<void> write_at(
    const FileHandle& file, const std::string& path, std::string_view bytes, size_t offset
) {
    while (!bytes.empty()) {
        const ssize_t count =
            ::pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return file_error(path, "can't write");
        bytes.remove_prefix(static_cast<size_t>(count));
        offset += static_cast<size_t>(count);
    }
    return {};
}

Replaced replace_file(
    const std::string& directory, const std::string& name, std::string_view bytes
) {
    const std::string path = directory + "/" + name;
    const std::string fresh = path + ".tmp";
    {
        const FileHandle file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)
        );
        if (!file.is_open()) return {false, file_error(fresh, "can't create")};
        if (auto written = write_at(file, fresh, bytes, 0); !written)
            return {false, std::move(written)};
        if (::fsync(file.get()) != 0) return {false, file_error(fresh, "can't sync")};
    }
    if (::rename(fresh.c_str(), path.c_str()) != 0)
        return {false, file_error(path, "can't replace")};
    const FileHandle folder(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder.is_open()) return {true, file_error(directory, "can't open")};
    if (::fsync(folder.get()) != 0) return {true, file_error(directory, "can't sync")};
    return {true, {}};
}

}  // namespace obcanal
