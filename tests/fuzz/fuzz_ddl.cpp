// Any text as a DDL statement: its effects, and what it does to a catalog.
#include "server/schema/catalog.h"
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
    obcanal::schema::Catalog catalog;
    catalog.apply("create table t (id int primary key, v enum('a','b'))", "db");
    catalog.apply("create table u like t", "db");
    for (const obcanal::schema::TableChange& change : catalog.apply(sql, "db")) {
        const auto* table = catalog.find(change.name.schema, change.name.table);
        if (table != nullptr && table->columns.empty()) __builtin_trap();
    }
    return 0;
}
