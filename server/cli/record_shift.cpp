#include "server/cli/record_shift.h"

#include "protocol/base/assert.h"
#include "protocol/base/crypto.h"
#include "protocol/base/text.h"

#include <cstring>
#include <optional>
#include <vector>

namespace obcanal::cli {
namespace {

// Fixed places of a record (oblogmsg, struct version 3); offsets stored in it count from byte 12.
constexpr size_t kSizeAt = 4;
constexpr size_t kArea = oblog::LogRecord::kHeaderSize;
constexpr size_t kStruct = kArea + 5;
constexpr size_t kTimestampAt = kStruct + 16;
constexpr size_t kCheckpointSecondsAt = kStruct + 56;
constexpr size_t kFilterAt = kStruct + 96;
constexpr size_t kTailAt = kStruct + 100;
constexpr size_t kTailCrc = 5 + 8;  // behind tag, count, thread id and microseconds
constexpr uint32_t kTailWithCrc = 12;
constexpr size_t kTailBytes = kTailCrc + 4;
constexpr uint32_t kUnset = UINT32_MAX;
constexpr uint32_t kUniqueId = 1;  // in the filter values

template <class Integer>
Integer load(const std::string& from, size_t at) {
    return load_le<Integer>(reinterpret_cast<const std::byte*>(from.data()) + at);
}

template <class Integer>
void store(std::string& to, size_t at, Integer value) {
    std::memcpy(to.data() + at, &value, sizeof value);
}

template <class Integer>
void add(std::string& to, size_t at, int64_t seconds) {
    store(to, at, static_cast<Integer>(load<Integer>(to, at) + static_cast<Integer>(seconds)));
}

template <class Integer>
void append(std::string& to, Integer value) {
    to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The group of digits in `id` that equals `number`, or the last one there is.
std::string_view find_number(std::string_view id, std::string_view number) {
    for (size_t begin = 0; begin < id.size();) {
        size_t end = begin;
        while (end < id.size() && is_digit(id[end])) ++end;
        const std::string_view group = id.substr(begin, end - begin);
        if (!group.empty() && group == number) return group;
        begin = end + 1;
    }
    return last_number(id);
}

uint32_t find_crc(const oblog::LogRecord& record) {
    const Bytes bytes = record.bytes();
    const auto offset = load_le<uint32_t>(bytes.data() + kTailAt);
    if (offset == kUnset) return 0;
    const size_t tail = kArea + size_t{offset};
    if (load_le<uint32_t>(bytes.data() + tail + 1) != kTailWithCrc) return 0;
    const size_t at = tail + kTailCrc;
    return load_le<uint32_t>(bytes.data() + at) == 0 ? 0 : static_cast<uint32_t>(at);
}

std::string string_array(const std::vector<std::optional<std::string>>& values) {
    std::string table;
    std::string strings;
    for (const auto& value : values) {
        append(table, static_cast<uint32_t>(strings.size()));
        if (value) strings.append(*value).push_back('\0');
    }
    append(table, static_cast<uint32_t>(strings.size()));
    std::string array = "\x1b";
    append(array, static_cast<uint32_t>(values.size()));
    return array + (values.empty() ? "" : table) + strings;
}

// The unique id got longer: new filter values behind everything else, since nothing in the record
// but their offset says where they are. Gives the place of the number.
uint32_t append_filter_values(
    std::string& to, size_t at, Bytes record, const ShiftPlan& plan, std::string_view number
) {
    Result<oblog::LogRecord> parsed = oblog::LogRecord::parse(record);
    OBC_ASSERT(parsed);
    const oblog::StringArray values = parsed->filter_values();
    std::vector<std::optional<std::string>> texts;
    size_t number_at = record.size() + 5 + 4 * (size_t{values.size()} + 1);
    for (uint32_t i = 0; i < values.size(); ++i) {
        const oblog::StringElement value = values[i];
        texts.emplace_back();
        if (!value.is_null) texts.back() = value.text();
        if (i < kUniqueId) number_at += value.is_null ? 0 : value.size + 1;
        if (i != kUniqueId) continue;
        const auto begin = static_cast<size_t>(record.data() + plan.number_at - value.data);
        texts.back()->replace(begin, plan.number_digits, number);
        number_at += begin;
    }
    store(to, at + kFilterAt, static_cast<uint32_t>(record.size() - kArea));
    to += string_array(texts);
    store(to, at + kSizeAt, static_cast<uint32_t>(to.size() - at - 8));
    return static_cast<uint32_t>(number_at);
}

}  // namespace

std::string_view last_number(std::string_view unique_id) {
    size_t end = unique_id.size();
    while (end > 0 && !is_digit(unique_id[end - 1])) --end;
    size_t begin = end;
    while (begin > 0 && is_digit(unique_id[begin - 1])) --begin;
    return unique_id.substr(begin, end - begin);
}

ShiftPlan plan_shift(oblog::LogRecord& record, std::string_view transaction) {
    ShiftPlan plan;
    plan.crc_at = find_crc(record);
    const std::string_view number = find_number(record.unique_id(), transaction);
    if (number.empty() || !parse_uint(number)) return plan;
    const Bytes bytes = record.bytes();
    plan.number_at = static_cast<uint32_t>(as_bytes(number).data() - bytes.data());
    plan.number_digits = static_cast<uint8_t>(number.size());
    return plan;
}

uint64_t number_of(Bytes record, const ShiftPlan& plan) {
    return parse_uint(as_text(record.subspan(plan.number_at, plan.number_digits))).value_or(0);
}

ShiftPlan append_shifted(
    Bytes record, const ShiftPlan& plan, const RecordShift& shift, std::string& to
) {
    const size_t at = to.size();
    to.append(as_text(record));
    if (shift.none()) return plan;
    ShiftPlan moved = plan;
    add<uint64_t>(to, at + kTimestampAt, shift.seconds);
    add<uint64_t>(to, at + kCheckpointSecondsAt, shift.seconds);
    if (plan.number_digits > 0) {
        const std::string digits = std::to_string(number_of(record, plan) + shift.numbers);
        if (digits.size() <= plan.number_digits) {
            // Leading zeros keep their places.
            const size_t behind = at + plan.number_at + plan.number_digits;
            std::memcpy(to.data() + behind - digits.size(), digits.data(), digits.size());
        } else {
            moved.number_at = append_filter_values(to, at, record, plan, digits);
            moved.number_digits = static_cast<uint8_t>(digits.size());
        }
    }
    if (plan.crc_at == 0) return moved;
    // Readers take a record's last four bytes for its checksum.
    if (to.size() - at > record.size()) {
        const std::string tail = to.substr(at + plan.crc_at - kTailCrc, kTailBytes);
        store(to, at + kTailAt, static_cast<uint32_t>(to.size() - at - kArea));
        to += tail;
        store(to, at + kSizeAt, static_cast<uint32_t>(to.size() - at - 8));
        moved.crc_at = static_cast<uint32_t>(to.size() - at - 4);
    }
    store(to, at + moved.crc_at, crc32(as_bytes(to).subspan(at, moved.crc_at)));
    return moved;
}

std::string heartbeat_record(int64_t time_us) {
    constexpr int64_t kMicros = 1'000'000;
    constexpr size_t kStructSize = 168;
    const auto seconds = static_cast<uint64_t>(time_us / kMicros);
    const auto micros = static_cast<uint32_t>(time_us % kMicros);
    std::string record;
    append<uint16_t>(record, 3);  // a record with variable area
    append<uint16_t>(record, 1);
    append<uint32_t>(record, 0);  // size, below
    append<uint32_t>(record, 0);
    record += '\x12';
    append<uint32_t>(record, 104);
    record += {'\x03', '\x04', static_cast<char>(oblog::RecordType::Heartbeat), '\x01'};
    append<uint32_t>(record, 4);                  // no image
    append<uint64_t>(record, uint64_t{5} << 56);  // sub-version
    append<uint64_t>(record, seconds);
    record.resize(kStruct + kStructSize, '\xff');
    store<uint64_t>(record, kCheckpointSecondsAt, seconds);
    store<uint64_t>(record, kCheckpointSecondsAt + 8, micros);
    const auto put = [&record](size_t field, std::string_view value) {
        store(record, kStruct + field, static_cast<uint32_t>(record.size() - kArea));
        record += value;
    };
    using namespace std::string_view_literals;
    constexpr std::string_view kEmptyStrings = "\x1b\0\0\0\0"sv;
    constexpr std::string_view kEmptyBytes = "\x12\0\0\0\0"sv;
    put(24, "\x0b\x09\0\0\0US-ASCII\0"sv);  // record encoding
    put(72, kEmptyStrings);                 // old values
    put(76, kEmptyStrings);                 // new values
    put(152, kEmptyBytes);                  // origins of old values
    put(156, kEmptyBytes);                  // origins of new values
    put(160, kEmptyBytes);                  // which new values are diffs
    put(28, "\x0b\x01\0\0\0\0"sv);          // instance
    put(96, string_array({"0", "", ""}));   // filter values
    std::string tail("\x12\x0c\0\0\0"sv);
    append<uint32_t>(tail, 1);  // thread id: the cluster
    append<uint32_t>(tail, micros);
    append<uint32_t>(tail, 0);
    put(100, tail);
    store(record, kSizeAt, static_cast<uint32_t>(record.size() - 8));
    return record;
}

}  // namespace obcanal::cli
