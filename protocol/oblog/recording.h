// Recordings of an oblogproxy stream (*.logmsg): recording := { u32_be length, LogMessage record }.
// Reading of a buffer, and the bytes to append when writing. Sans-I/O, any thread.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"

#include <optional>
#include <string>

namespace obcanal::oblog {

class RecordingReader {
 public:
    // `bytes`: the whole file.
    explicit RecordingReader(Bytes bytes) : reader_(bytes) {}

    // The next record, or nothing at the end. A torn or damaged one is an error that names its
    // offset.
    Result<std::optional<Bytes>> next();

 private:
    ByteReader reader_;
};

void append_recorded(std::string& to, Bytes record);

// Length of the part of a recording that is whole: where appending may go on after a crash.
size_t whole_length(Bytes recording);

}  // namespace obcanal::oblog
