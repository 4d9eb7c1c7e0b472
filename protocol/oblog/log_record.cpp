#include "protocol/oblog/log_record.h"

#include "protocol/base/crypto.h"

#include <algorithm>
#include <array>

namespace obcanal::oblog {
namespace {

constexpr uint16_t kVariableMessage = 3;
constexpr uint16_t kMessageVersion = 1;
constexpr uint8_t kStructVersion = 3;
constexpr uint32_t kStructMarker = 104;

// Value tags: the low nibble is the type, 0x10 an array, 0x20 null.
constexpr uint8_t kString = 0x0B;
constexpr uint8_t kNullString = 0x2B;
constexpr uint8_t kStringArray = 0x1B;

template <class Element>
constexpr bool is_tag_of(uint8_t tag) {
    constexpr std::array<uint8_t, 9> kWidths{0, 1, 1, 2, 2, 4, 4, 8, 8};
    const uint8_t type = tag & 0x0F;
    return (tag & 0xF0) == 0x10 && type < kWidths.size() && kWidths[type] == sizeof(Element);
}

Error bad(const char* what, size_t at) {
    return {
        Errc::BadPacket, Retry::Backoff, "LogMessage at byte " + std::to_string(at) + ": " + what
    };
}

}  // namespace

std::string_view record_type_name(RecordType type) {
    switch (type) {
        case RecordType::Insert: return "INSERT";
        case RecordType::Update: return "UPDATE";
        case RecordType::Delete: return "DELETE";
        case RecordType::Replace: return "REPLACE";
        case RecordType::Heartbeat: return "HEARTBEAT";
        case RecordType::ConsistencyTest: return "CONSISTENCY_TEST";
        case RecordType::Begin: return "BEGIN";
        case RecordType::Commit: return "COMMIT";
        case RecordType::Ddl: return "DDL";
        case RecordType::Rollback: return "ROLLBACK";
        case RecordType::Dml: return "DML";
        case RecordType::Put: return "PUT";
        case RecordType::IndexInsert: return "INDEX_INSERT";
        case RecordType::IndexUpdate: return "INDEX_UPDATE";
        case RecordType::IndexDelete: return "INDEX_DELETE";
        case RecordType::IndexReplace: return "INDEX_REPLACE";
        case RecordType::Unknown: break;
    }
    return "UNKNOWN";
}

Result<LogRecord> LogRecord::parse(Bytes bytes) {
    if (bytes.size() < kSmallest) return bad("shorter than any record", bytes.size());
    if (load_le<uint16_t>(bytes.data()) != kVariableMessage) return bad("message type is not 3", 0);
    if (load_le<uint16_t>(bytes.data() + 2) != kMessageVersion)
        return bad("message version is not 1", 2);
    if (length_of(bytes) != bytes.size()) return bad("size does not match the record's length", 4);
    const std::byte* area = bytes.data() + kHeaderSize;
    if (!is_tag_of<uint8_t>(std::to_integer<uint8_t>(area[0])))
        return bad("no struct", kHeaderSize);
    if (load_le<uint32_t>(area + 1) < kStructMarker)
        return bad("struct shorter than 104 bytes", kHeaderSize + 1);

    LogRecord record(bytes);
    if (record.field<uint8_t>(0) != kStructVersion) return bad("struct version is not 3", kStruct);
    // The count says 104 whatever the struct's real size; what is pointed to begins behind it.
    constexpr std::array<size_t, 14> kPointers{
        24, 28, 32, 36, 40, 44, 48, 52, 72, 76, 80, 84, 96, 100
    };
    auto lowest = static_cast<uint32_t>(bytes.size() - kHeaderSize);
#pragma GCC unroll 14
    for (const size_t pointer : kPointers)
        lowest = std::min(lowest, record.field<uint32_t>(pointer));
    if (lowest > kTagAndCount) record.struct_size_ = lowest - kTagAndCount;
    return record;
}

void LogRecord::fault(const char* what, size_t offset) {
    if (fault_ != nullptr) return;
    fault_ = what;
    fault_at_ = offset + kHeaderSize;
}

Error LogRecord::error() const { return bad(fault_, fault_at_); }

std::string_view LogRecord::string(uint32_t offset) {
    if (offset == kUnset || fault_ != nullptr) return {};
    const Bytes area = this->area();
    if (offset >= area.size()) {
        fault("string lies outside the record", offset);
        return {};
    }
    const auto tag = std::to_integer<uint8_t>(area[offset]);
    if (tag == kNullString) return {};
    if (area.size() - offset < kTagAndCount) {
        fault("string is cut", offset);
        return {};
    }
    const auto size = load_le<uint32_t>(area.data() + offset + 1);
    if (tag != kString) {
        // A record whose encoding is empty has an offset that is 12 too large: nothing stands
        // there.
        if (offset == field<uint32_t>(24)) return {};
        fault("not a string", offset);
        return {};
    }
    if (size == 0) return {};
    if (size > area.size() - offset - kTagAndCount) {
        fault("string is longer than the record", offset);
        return {};
    }
    return as_text(area.subspan(offset + kTagAndCount, size - 1));
}

StringArray LogRecord::strings(uint32_t offset) {
    if (offset == kUnset || fault_ != nullptr) return {};
    const Bytes area = this->area();
    if (offset >= area.size() || area.size() - offset < kTagAndCount) {
        fault("array lies outside the record", offset);
        return {};
    }
    if (std::to_integer<uint8_t>(area[offset]) != kStringArray) {
        fault("not an array of strings", offset);
        return {};
    }
    const auto count = load_le<uint32_t>(area.data() + offset + 1);
    const size_t room = area.size() - offset - kTagAndCount;
    if (count == 0) return {area.subspan(offset, kTagAndCount), 0};
    if ((size_t{count} + 1) * 4 > room) {
        fault("array has more elements than the record has bytes", offset);
        return {};
    }
    const std::byte* table = area.data() + offset + kTagAndCount;
    uint32_t previous = 0;
    bool sorted = true;
    for (size_t i = 0; i <= count; ++i) {
        const auto at = load_le<uint32_t>(table + 4 * i);
        sorted &= at >= previous;
        previous = at;
    }
    const size_t strings_begin = (size_t{count} + 1) * 4;
    if (!sorted || previous > room - strings_begin) {
        fault("array element lies outside the record", offset);
        return {};
    }
    return {area.subspan(offset, kTagAndCount + strings_begin + previous), count};
}

template <class Element>
NumberArray<Element> LogRecord::numbers(uint32_t offset) {
    if (offset == kUnset || fault_ != nullptr) return {};
    const Bytes area = this->area();
    if (offset >= area.size() || area.size() - offset < kTagAndCount) {
        fault("array lies outside the record", offset);
        return {};
    }
    const auto count = load_le<uint32_t>(area.data() + offset + 1);
    if (count == 0) return {area.subspan(offset, kTagAndCount), 0};
    if (!is_tag_of<Element>(std::to_integer<uint8_t>(area[offset]))) {
        fault("not an array of numbers of the expected width", offset);
        return {};
    }
    if (count > (area.size() - offset - kTagAndCount) / sizeof(Element)) {
        fault("array has more elements than the record has bytes", offset);
        return {};
    }
    return {area.subspan(offset, kTagAndCount + count * sizeof(Element)), count};
}

template NumberArray<uint8_t> LogRecord::numbers(uint32_t);
template NumberArray<int32_t> LogRecord::numbers(uint32_t);
template NumberArray<int64_t> LogRecord::numbers(uint32_t);

bool LogRecord::crc_matches() {
    constexpr size_t kCrcOffset = 8;
    if (tail().size() < kCrcOffset + 4) return true;
    const std::byte* place = tail_.raw().data() + kTagAndCount + kCrcOffset;
    const auto stored = load_le<uint32_t>(place);
    return stored == 0 || stored == crc32(bytes_.first(static_cast<size_t>(place - bytes_.data())));
}

}  // namespace obcanal::oblog
