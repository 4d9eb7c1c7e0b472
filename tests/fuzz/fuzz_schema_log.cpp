// Any bytes as a file of the schema history: read up to where it is whole, restored at some point,
// and what is kept afterwards is read again the same.
#include "server/schema/file_schema_store.h"
#include "server/schema/schema_log.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

using namespace obcanal::schema;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    std::vector<std::string> records;
    if (auto frames = read_schema_frames(bytes)) {
        if (frames->size > size) __builtin_trap();
        records = std::move(frames->records);
    } else if (size > 0) {
        records.emplace_back(bytes.substr(1));  // sums keep a fuzzer out of the records
    }
    for (const std::string& one : records) {
        const auto record = obcanal::schema::parse_schema_record(obcanal::as_bytes(one));
        if (!record) continue;
        const auto again = parse_schema_record(obcanal::as_bytes(to_bytes(*record)));
        if (!again || !(*again == *record)) __builtin_trap();
    }
    auto store = std::make_unique<MemorySchemaStore>();
    if (!store->append(records)) __builtin_trap();
    SchemaLog log({}, std::move(store));
    const LogMoment start{{"bin.000001", size}, 1};
    const auto kind = size % 2 == 0 ? StartKind::Continues : StartKind::Chosen;
    const auto known = log.restore(start, "db:1", kind);
    if (!known) return 0;
    log.apply("alter table t add c int", "s", start);
    if (!log.save()) __builtin_trap();
    if (!log.restore(start, "db:1", StartKind::Continues)) __builtin_trap();
    return 0;
}
