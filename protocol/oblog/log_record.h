// One LogMessage record (oblogmsg, struct version 3) read in place: views into the packet buffer,
// nothing is copied. All numbers are little-endian; offsets count from byte 12 of the record. Any
// thread, lives as long as its bytes.
//
//   record := u16 type=3  u16 version=1  u32 size=length-8  u32 ignored  area
//   area   := UINT8-array tag 0x12  u32 count>=104  struct  values ...
//
// parse() checks the frame; each array is checked when it is asked for. As with ByteReader the
// first fault sticks and yields empty views from then on: check ok() when done with a record.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"

#include <array>
#include <cstdint>
#include <string_view>

namespace obcanal::oblog {

enum class RecordType : uint8_t {
    Insert = 0,
    Update = 1,
    Delete = 2,
    Replace = 3,
    Heartbeat = 4,
    ConsistencyTest = 5,
    Begin = 6,
    Commit = 7,
    Ddl = 8,
    Rollback = 9,
    Dml = 10,
    Put = 12,
    IndexInsert = 128,
    IndexUpdate = 129,
    IndexDelete = 130,
    IndexReplace = 131,
    Unknown = 255,
};

std::string_view record_type_name(RecordType type);

// How a value came into the record. A NULL that is Padding was not logged.
enum class ValueOrigin : uint8_t { Redo = 0, BackQuery = 1, Padding = 2 };

struct StringElement {
    const std::byte* data;
    uint32_t size;
    bool is_null;

    std::string_view text() const { return as_text({data, size}); }
};

// Array of strings, offsets checked.
class StringArray {
 public:
    StringArray() = default;
    // `raw`: from the tag to the end of the last string.
    StringArray(Bytes raw, uint32_t count) : raw_(raw), count_(count) {}

    uint32_t size() const { return count_; }
    Bytes raw() const { return raw_; }

    // REQUIRES: i < size()
    StringElement operator[](uint32_t i) const {
        const std::byte* table = raw_.data() + kTable;
        const auto begin = load_le<uint32_t>(table + 4 * size_t{i});
        const auto end = load_le<uint32_t>(table + 4 * size_t{i} + 4);
        const std::byte* strings = table + 4 * (size_t{count_} + 1);
        // The difference counts the NUL behind the string; no difference is NULL.
        return {strings + begin, end > begin ? end - begin - 1 : 0, end == begin};
    }

 private:
    static constexpr size_t kTable = 5;  // behind tag and count

    Bytes raw_;
    uint32_t count_ = 0;
};

// Array of numbers of `Element`'s width.
template <class Element>
class NumberArray {
 public:
    NumberArray() = default;
    NumberArray(Bytes raw, uint32_t count) : raw_(raw), count_(count) {}

    uint32_t size() const { return count_; }
    Bytes raw() const { return raw_; }

    // REQUIRES: i < size()
    Element operator[](uint32_t i) const {
        return load_le<Element>(raw_.data() + 5 + sizeof(Element) * size_t{i});
    }

    Element get(uint32_t i, Element otherwise) const { return i < count_ ? (*this)[i] : otherwise; }

 private:
    Bytes raw_;
    uint32_t count_ = 0;
};

class LogRecord {
 public:
    static constexpr size_t kHeaderSize = 12;
    static constexpr size_t kSmallest = kHeaderSize + 5 + 104;

    // Length of the record that starts with these bytes; 0 when there are too few to tell.
    static size_t length_of(Bytes front) {
        return front.size() < 8 ? 0 : size_t{8} + load_le<uint32_t>(front.data() + 4);
    }

    // `bytes`: exactly one record.
    static Result<LogRecord> parse(Bytes bytes);

    bool ok() const { return fault_ == nullptr; }
    // What is wrong. REQUIRES: !ok()
    Error error() const;

    Bytes bytes() const { return bytes_; }
    RecordType type() const { return static_cast<RecordType>(field<uint8_t>(2)); }
    uint8_t source_type() const { return field<uint8_t>(1); }
    uint32_t source_category() const { return field<uint32_t>(4); }
    uint8_t sub_version() const { return static_cast<uint8_t>(field<uint64_t>(8) >> 56); }
    uint64_t id() const { return field<uint64_t>(8) & ((uint64_t{1} << 56) - 1); }

    int64_t timestamp_s() const { return field<int64_t>(16); }
    uint32_t thread_id() { return tail_field(0); }
    uint32_t usec() { return tail_field(4); }
    int64_t commit_us() { return timestamp_s() * 1'000'000 + usec(); }
    int64_t checkpoint_us() const { return field<int64_t>(56) * 1'000'000 + field<int64_t>(64); }
    // Compares the tail's CRC-32 with the bytes in front of it; true when the writer stored none.
    bool crc_matches();

    std::string_view record_encoding() { return string(field<uint32_t>(24)); }
    std::string_view instance() { return string(field<uint32_t>(28)); }
    NumberArray<int64_t> time_marks() { return numbers<int64_t>(field<uint32_t>(32)); }
    std::string_view db_name() { return string(field<uint32_t>(36)); }
    std::string_view table_name() { return string(field<uint32_t>(40)); }
    StringArray column_names() { return strings(field<uint32_t>(44)); }
    NumberArray<uint8_t> column_types() { return numbers<uint8_t>(field<uint32_t>(48)); }
    StringArray key_info() { return strings(field<uint32_t>(52)); }
    StringArray old_values() { return strings(field<uint32_t>(72)); }
    StringArray new_values() { return strings(field<uint32_t>(76)); }
    NumberArray<int32_t> primary_key() { return numbers<int32_t>(field<uint32_t>(80)); }
    NumberArray<int32_t> unique_keys() { return numbers<int32_t>(field<uint32_t>(84)); }
    StringArray column_encodings() { return strings(field<uint32_t>(88)); }
    StringArray filter_values() { return strings(field<uint32_t>(96)); }

    // What offsets count from, and those of the arrays that say what the columns are; kUnset:
    // missing. See ColumnDescription.
    static constexpr uint32_t kUnset = 0xFFFFFFFF;
    static constexpr size_t kDescribing = 9;
    Bytes area() const { return bytes_.subspan(kHeaderSize); }
    std::array<uint32_t, kDescribing> describing_offsets() const {
        return {
            field<uint32_t>(44),
            field<uint32_t>(48),
            field<uint32_t>(88),
            late(2, 136, 116),
            late(3, 152, 136),
            late(3, 152, 144),
            late(3, 152, 148),
            field<uint32_t>(80),
            field<uint32_t>(52)
        };
    }

    // Fields that came with later sub-versions; empty or the default where they are missing.
    uint32_t meta_version() const { return has(1, 112) ? field<uint32_t>(104) : kUnset; }
    NumberArray<uint8_t> column_flags() { return numbers<uint8_t>(late(1, 112, 108)); }
    NumberArray<uint8_t> not_null() { return numbers<uint8_t>(late(2, 136, 112)); }
    NumberArray<uint8_t> is_signed() { return numbers<uint8_t>(late(2, 136, 116)); }
    NumberArray<int32_t> decimals() { return numbers<int32_t>(late(2, 136, 120)); }
    StringArray defaults() { return strings(late(2, 136, 124)); }
    std::string_view ob_trace_info() { return string(late(2, 136, 128)); }
    int32_t sql_number() const { return has(2, 136) ? field<int32_t>(132) : -1; }
    NumberArray<int64_t> lengths() { return numbers<int64_t>(late(3, 152, 136)); }
    StringArray origin_types() { return strings(late(3, 152, 140)); }
    NumberArray<int64_t> precisions() { return numbers<int64_t>(late(3, 152, 144)); }
    NumberArray<int64_t> scales() { return numbers<int64_t>(late(3, 152, 148)); }
    NumberArray<uint8_t> old_origins() { return numbers<uint8_t>(late(4, 160, 152)); }
    NumberArray<uint8_t> new_origins() { return numbers<uint8_t>(late(4, 160, 156)); }
    NumberArray<uint8_t> new_is_diff() { return numbers<uint8_t>(late(5, 168, 160)); }

    // Filter rule values: unique id of the row, transaction or DDL; trace id; BEGIN: OceanBase's
    // major version.
    std::string_view unique_id() { return filter_value(1); }
    std::string_view trace_id() { return filter_value(2); }
    std::string_view major_version() { return filter_value(3); }

 private:
    static constexpr size_t kTagAndCount = 5;
    static constexpr size_t kStruct = kHeaderSize + kTagAndCount;

    explicit LogRecord(Bytes bytes) : bytes_(bytes) {}

    template <class Integer>
    Integer field(size_t offset) const {
        return load_le<Integer>(bytes_.data() + kStruct + offset);
    }

    // Whether the struct reaches to `length` and the writer knew the fields of `sub_version`.
    bool has(uint8_t wanted, size_t length) const {
        return sub_version() >= wanted && length <= struct_size_;
    }

    uint32_t late(uint8_t wanted, size_t length, size_t offset) const {
        return has(wanted, length) ? field<uint32_t>(offset) : kUnset;
    }

    std::string_view filter_value(uint32_t i) {
        const StringArray values = filter_values();
        return i < values.size() ? values[i].text() : std::string_view();
    }

    std::string_view string(uint32_t offset);
    StringArray strings(uint32_t offset);
    template <class Element>
    NumberArray<Element> numbers(uint32_t offset);
    const NumberArray<uint8_t>& tail() {
        if (!tail_read_) tail_ = numbers<uint8_t>(field<uint32_t>(100));
        tail_read_ = true;
        return tail_;
    }

    uint32_t tail_field(size_t at) {
        if (tail().size() < at + 4) return 0;
        return load_le<uint32_t>(tail_.raw().data() + kTagAndCount + at);
    }

    void fault(const char* what, size_t offset);

    Bytes bytes_;
    size_t struct_size_ = 104;
    NumberArray<uint8_t> tail_;  // thread id, microseconds, CRC
    bool tail_read_ = false;
    const char* fault_ = nullptr;
    size_t fault_at_ = 0;
};

}  // namespace obcanal::oblog
