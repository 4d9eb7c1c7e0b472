// A recording that is being written. Records reach the file whole, and boundaries tell where
// everything before is complete: what is behind the last one can be taken back. One thread.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"

#include <cstdint>
#include <string>

namespace obcanal::cli {

class RecordingFile {
 public:
    // BadConfig when the file is there already: a recording is never overwritten.
    static Result<RecordingFile> create(const std::string& path);

    RecordingFile(RecordingFile&& other) noexcept;
    RecordingFile& operator=(RecordingFile&&) = delete;
    ~RecordingFile();

    // Kept in memory until flush(), or until there is much of it.
    Result<void> append(Bytes record);
    // Everything so far is complete.
    void mark_boundary() { boundary_ = written_ + pending_.size(); }
    // Takes back what is behind the last boundary.
    Result<void> drop_to_boundary();
    // Hands everything to the kernel.
    Result<void> flush();
    // flush(), and waits until it is on the disk.
    Result<void> sync();

    // Removes the file. REQUIRES: nothing else is done with it afterwards.
    void discard();

    uint64_t size() const { return written_ + pending_.size(); }

 private:
    RecordingFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
    Error failure(const char* what, int code) const;

    std::string path_;
    int fd_;
    std::string pending_;
    uint64_t written_ = 0;  // whole records
    uint64_t boundary_ = 0;
};

}  // namespace obcanal::cli
