#include "server/meta/cursor_journal.h"

#include "protocol/base/bytes.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace obcanal::meta {

namespace {

constexpr uint64_t kMagic = 0x314c4e4a4154454d;  // "METAJNL1"
constexpr size_t kSequenceAt = 8;
constexpr size_t kBaseAt = 16;
constexpr size_t kNextBaseAt = 36;
constexpr size_t kSizeAt = 56;
constexpr size_t kCrcAt = 60;

template <class Value>
void store(std::string& to, size_t at, const Value& value) {
    std::memcpy(to.data() + at, &value, sizeof value);
}

template <class Value>
Value load(std::string_view from, size_t at) {
    Value value;
    std::memcpy(&value, from.data() + at, sizeof value);
    return value;
}

// The CRC counts as zero in its own sum.
uint32_t checksum(std::string& slot) {
    const auto kept = load<uint32_t>(slot, kCrcAt);
    store(slot, kCrcAt, uint32_t{0});
    const uint32_t sum = crc32(as_bytes(slot));
    store(slot, kCrcAt, kept);
    return sum;
}

Result<std::string> read_slot(const FileHandle& file, const std::string& path, size_t index) {
    std::string slot(CursorJournal::kSlotBytes, '\0');
    size_t have = 0;
    while (have < slot.size()) {
        const auto offset = static_cast<off_t>(index * CursorJournal::kSlotBytes + have);
        const ssize_t count = ::pread(file.get(), slot.data() + have, slot.size() - have, offset);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return file_error(path, "can't read");
        if (count == 0) break;
        have += static_cast<size_t>(count);
    }
    slot.resize(have);
    return slot;
}

// Cuts `slot` to its real size. False: torn, or never written.
bool check_slot(std::string& slot) {
    if (slot.size() < CursorJournal::kHeaderBytes || load<uint64_t>(slot, 0) != kMagic)
        return false;
    const size_t size = load<uint32_t>(slot, kSizeAt);
    if (size > slot.size() - CursorJournal::kHeaderBytes) return false;
    slot.resize(CursorJournal::kHeaderBytes + size);
    return load<uint32_t>(slot, kCrcAt) == checksum(slot);
}

}  // namespace

Result<CursorJournal> CursorJournal::open(std::string path) {
    FileHandle file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (!file.is_open()) return file_error(path, "can't open");
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return Error{
                Errc::Conflict,
                Retry::Backoff,
                path + ": in use by another instance of this destination"
            };
        return file_error(path, "can't lock");
    }
    CursorJournal journal(std::move(file), std::move(path));
    for (size_t index = 0; index < 2; ++index) {
        auto slot = read_slot(journal.file_, journal.path_, index);
        if (!slot) return std::move(slot).error();
        if (!check_slot(*slot)) continue;
        const auto sequence = load<uint64_t>(*slot, kSequenceAt);
        if (journal.newest_ && sequence <= journal.sequence_) continue;
        journal.sequence_ = sequence;
        journal.next_slot_ = 1 - index;
        journal.newest_ = std::move(slot).value();
    }
    return journal;
}

std::optional<std::string> CursorJournal::newest_payload(const Sha1& content) const {
    if (!newest_) return std::nullopt;
    if (load<Sha1>(*newest_, kBaseAt) != content && load<Sha1>(*newest_, kNextBaseAt) != content)
        return std::nullopt;
    return newest_->substr(kHeaderBytes);
}

std::string& CursorJournal::start_payload() {
    slot_.assign(kHeaderBytes, '\0');
    return slot_;
}

Result<bool> CursorJournal::write(const JournalBase& base) {
    if (slot_.size() > kSlotBytes) return false;
    newest_.reset();
    store(slot_, 0, kMagic);
    store(slot_, kSequenceAt, sequence_ + 1);
    store(slot_, kBaseAt, base.current);
    store(slot_, kNextBaseAt, base.next);
    store(slot_, kSizeAt, static_cast<uint32_t>(slot_.size() - kHeaderBytes));
    store(slot_, kCrcAt, uint32_t{0});
    store(slot_, kCrcAt, crc32(as_bytes(slot_)));
    // After a failure the same slot is tried again: the other one is still whole.
    if (auto written = write_at(file_, path_, slot_, next_slot_ * kSlotBytes); !written)
        return std::move(written).error();
    ++sequence_;
    next_slot_ = 1 - next_slot_;
    return true;
}

}  // namespace obcanal::meta
