// Any text as a DDL statement.
#include "server/schema/ddl_reader.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view sql(reinterpret_cast<const char*>(data), size);
    for (const obcanal::schema::DdlEffect& effect : obcanal::schema::read_ddl(sql, "db")) {
        // Names come from the text, or are the default.
        if (effect.table.size() > size || (effect.schema.size() > size && effect.schema != "db")) {
            __builtin_trap();
        }
    }
    return 0;
}
