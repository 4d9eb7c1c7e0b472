// A LogMessage record: every field and array of it is read, every element touched. A record that
// differs in one byte and is said to have the same columns must have sound ones.
#include "protocol/base/assert.h"
#include "protocol/oblog/column_description.h"
#include "protocol/oblog/log_record.h"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace obcanal::oblog {
namespace {

uint64_t touch(std::string_view text) {
    uint64_t sum = 0;
    for (const char c : text) sum += static_cast<unsigned char>(c);
    return sum;
}

uint64_t touch(const StringArray& strings) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < strings.size(); ++i) sum += touch(strings[i].text());
    return sum;
}

template <class Element>
uint64_t touch(const NumberArray<Element>& numbers) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < numbers.size(); ++i) sum += static_cast<uint64_t>(numbers[i]);
    return sum;
}

uint64_t read(LogRecord record) {
    uint64_t sum = touch(record_type_name(record.type())) + record.id() + record.source_type();
    sum += record.source_category() + record.thread_id() + record.usec();
    sum += touch(record.record_encoding()) + touch(record.instance()) + touch(record.time_marks());
    sum += touch(record.db_name()) + touch(record.table_name()) + touch(record.column_names());
    sum += touch(record.column_types()) + touch(record.key_info()) + touch(record.old_values());
    sum += touch(record.new_values()) + touch(record.primary_key()) + touch(record.unique_keys());
    sum += touch(record.column_encodings()) + touch(record.filter_values());
    sum += record.meta_version() + touch(record.column_flags()) + touch(record.not_null());
    sum += touch(record.is_signed()) + touch(record.decimals()) + touch(record.defaults());
    sum += touch(record.ob_trace_info()) + static_cast<uint64_t>(record.sql_number());
    sum += touch(record.lengths()) + touch(record.origin_types()) + touch(record.precisions());
    sum += touch(record.scales()) + touch(record.old_origins()) + touch(record.new_origins());
    sum += touch(record.new_is_diff()) + touch(record.unique_id()) + touch(record.trace_id());
    sum += touch(record.major_version()) + (record.crc_matches() ? 1 : 0);
    if (!record.ok()) OBC_ASSERT(!record.error().detail.empty());
    return sum;
}

uint64_t compare(LogRecord record) {
    const ColumnDescription description(record);
    if (!record.ok()) return 0;
    OBC_ASSERT(description.matches(record));
    const Bytes bytes = record.bytes();
    std::vector<std::byte> changed(bytes.begin(), bytes.end());
    const auto choice = load_le<uint32_t>(bytes.data() + bytes.size() - 4);
    changed[choice % changed.size()] ^= bytes.back() | std::byte{1};
    Result<LogRecord> other = LogRecord::parse(changed);
    if (!other || !description.matches(*other)) return 0;
    uint64_t sum = touch(other->column_names()) + touch(other->column_types());
    sum += touch(other->column_encodings()) + touch(other->is_signed()) + touch(other->lengths());
    sum += touch(other->precisions()) + touch(other->scales()) + touch(other->primary_key());
    sum += touch(other->key_info());
    OBC_ASSERT(other->ok());
    return sum;
}

}  // namespace
}  // namespace obcanal::oblog

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const auto record =
        obcanal::oblog::LogRecord::parse({reinterpret_cast<const std::byte*>(data), size});
    // The sum decides the result, so that no reading is optimised away; libFuzzer takes -1 as "not
    // worth keeping", and a sum of all bits set does not happen.
    if (!record) return 0;
    const uint64_t sum = obcanal::oblog::read(*record) + obcanal::oblog::compare(*record);
    if (sum == UINT64_MAX) return -1;
    return 0;
}
