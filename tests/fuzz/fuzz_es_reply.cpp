// Any bytes as replies of a search server: to a bulk, about an index, about itself, and as text of
// JSON columns and objFields.
#include "adapter/es/bulk_reply.h"
#include "adapter/es/es_client.h"
#include "adapter/es/es_value.h"
#include "protocol/base/assert.h"
#include "protocol/base/json.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

using namespace obcanal;
using namespace obcanal::adapter::es;

namespace {

// What is rendered is one line of JSON.
void check_line(const std::string& json) {
    OBC_ASSERT(json.find('\n') == std::string::npos);
    OBC_ASSERT(parse_json(json).ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0] % 4) {
        case 0: {
            const size_t expected = data[0] / 4;
            if (const auto states = read_states(text, expected)) {
                OBC_ASSERT(states->size() == expected);
            }
            const auto items = read_bulk_reply(text, expected);
            if (!items) return 0;
            OBC_ASSERT(items->size() == expected);
            for (const BulkItem& item : *items) {
                if (outcome_of(item) == ItemOutcome::Done) OBC_ASSERT(item.type.empty());
                static_cast<void>(current_version(item.reason));
            }
            return 0;
        }
        case 1:
            static_cast<void>(read_index_mapping(text, "i", "_doc", data[0] % 8 == 1));
            return 0;
        case 2:
            static_cast<void>(read_server(text));
            static_cast<void>(read_write_index(text, "i"));
            return 0;
        default: break;
    }
    const FieldValue value{static_cast<ValueKind>(data[0] / 4 % 10), std::string(text)};
    const auto zone = TimeZone::utc();
    for (int type = 0; type <= static_cast<int>(EsType::Text); ++type) {
        std::string json;
        append_es_value(json, static_cast<EsType>(type), value, *zone);
        check_line(json);
    }
    for (const char* const spec : {"array:;", "array:", "object", "x"}) {
        std::string json;
        append_object_field(json, read_object_field(spec), value);
        check_line(json);
    }
    return 0;
}
