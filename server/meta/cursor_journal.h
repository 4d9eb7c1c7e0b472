// meta.journal: the cursors that are newer than meta.dat, so that they survive a kill of this
// process without a disk sync per ack. Two slots are written in turn; a torn one is told by its
// CRC, and then the other one counts. Does not survive a power cut: then meta.dat counts, which is
// older, so batches are repeated and none is lost. Owned by the file store, under its lock.
//
//   slot := magic u64, sequence u64, base 20 bytes, next_base 20 bytes, size u32, crc u32, payload
//   (little-endian)
#pragma once

#include "protocol/base/crypto.h"
#include "protocol/base/durable_file.h"
#include "protocol/base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace obcanal::meta {

// Digests of the content of meta.dat that a slot adds to. Two while meta.dat is being replaced:
// whichever of them a crash leaves behind, the slot holds what is newer.
struct JournalBase {
    Sha1 current{};
    Sha1 next{};  // the same as `current` outside a replacement
};

class CursorJournal {
 public:
    static constexpr size_t kSlotBytes = size_t{1} << 20;
    static constexpr size_t kHeaderBytes = 64;
    static constexpr size_t kMaxPayload = kSlotBytes - kHeaderBytes;

    // Creates the file if need be and locks it: two processes must not share it.
    static Result<CursorJournal> open(std::string path);

    // The payload written last, if it belongs to a meta.dat of that content. Somebody else who
    // rewrote meta.dat (Java Canal, an operator) makes it void.
    std::optional<std::string> newest_payload(const Sha1& content) const;

    // The payload is begun and ended by these two, in place. REQUIRES between them: only appending
    // to payload().
    std::string& start_payload();
    // False in the result: larger than kMaxPayload, nothing written.
    Result<bool> write(const JournalBase& base);

 private:
    CursorJournal(FileHandle file, std::string path)
        : file_(std::move(file)), path_(std::move(path)) {}

    FileHandle file_;
    std::string path_;
    std::string slot_;                   // the next slot, header first; kept to reuse its memory
    uint64_t sequence_ = 0;              // of the newest slot
    size_t next_slot_ = 0;               // never the newest
    std::optional<std::string> newest_;  // the slot found by open(), header first
};

}  // namespace obcanal::meta
