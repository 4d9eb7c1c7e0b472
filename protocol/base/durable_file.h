// The few file operations that what must outlive us needs, with errors that name the path. Any
// thread; they block on the disk.
#pragma once

#include "protocol/base/result.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace obcanal {

// Owns an open file.
class FileHandle {
 public:
    FileHandle() = default;
    explicit FileHandle(int descriptor) : descriptor_(descriptor) {}
    FileHandle(FileHandle&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

    FileHandle& operator=(FileHandle&& other) noexcept {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }

    FileHandle(const FileHandle&) = delete;
    FileHandle& operator=(const FileHandle&) = delete;
    ~FileHandle();

    bool is_open() const { return descriptor_ >= 0; }
    int get() const { return descriptor_; }

 private:
    int descriptor_ = -1;
};

// An Io error "path: what: text of errno".
Error file_error(const std::string& path, std::string_view what);

Result<void> make_directories(const std::string& path);
// The whole file, or nothing when there is none. Refuses more than `limit` bytes.
Result<std::optional<std::string>> read_file(const std::string& path, size_t limit);
Result<void> write_at(
    const FileHandle& file, const std::string& path, std::string_view bytes, size_t offset
);

struct Replaced {
    bool renamed = false;  // true: readers see the new content, even if `done` is an error
    Result<void> done;
};

// Puts `bytes` at `path` so that a reader, a crash or a power cut finds either the old or the new
// content whole.
Replaced replace_file(
    const std::string& directory, const std::string& name, std::string_view bytes
);

}  // namespace obcanal
