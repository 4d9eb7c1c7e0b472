// Which changes may be in the target already when they come: those up to the last one that was ever
// handed to it. Where that stands is noted in a file before each write, {data dir}/written/
// {destination}/..., so that the next start knows it too; the file is trusted within one boot of
// the machine and by an adapter that has no stand-in. Otherwise a number of rows after each start
// counts as in doubt. Owned by the writer, on its strand; blocks on the disk for the time of one
// write().
#pragma once

#include "adapter/rdb/position.h"
#include "protocol/base/durable_file.h"
#include "protocol/base/result.h"

#include <cstdint>
#include <optional>
#include <string>

namespace obcanal::adapter::rdb {

class ReplayWindow {
 public:
    // `by_rows`: other adapters may have written meanwhile, so the file says nothing.
    ReplayWindow(std::string directory, std::string name, bool by_rows);

    // Reads the file.
    Result<void> open();
    // A batch comes, of the `session`th session with the server: what was written up to now, or
    // tried, may come again with it.
    void begin(uint64_t session);
    bool covers(const core::Dml& dml) const;
    // It is going to be written, and all before it.
    Result<void> note(const core::Dml& last);
    // What was noted last was refused as a whole, so it can't be there.
    Result<void> take_back();
    // So many rows of a batch are written.
    void passed(uint64_t rows);

 private:
    Result<void> store();

    const std::string directory_;
    const std::string path_;
    const bool by_rows_;
    FileHandle file_;
    std::optional<SourceMark> noted_;
    std::optional<SourceMark> before_;  // what take_back() goes back to
    std::optional<SourceMark> doubt_;   // up to it
    uint64_t rows_ = 0;                 // to come that are in doubt
    uint64_t session_ = 0;
    size_t size_ = 0;  // of the file
};

}  // namespace obcanal::adapter::rdb
