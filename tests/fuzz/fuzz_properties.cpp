// Any bytes as a .properties file: read, and every value expanded as an instance key.
#include "protocol/base/text.h"
#include "server/config/layers.h"
#include "server/config/properties.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

using obcanal::config::Layers;
using obcanal::config::Properties;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const obcanal::Bytes text(reinterpret_cast<const std::byte*>(data), size);
    const Properties file = Properties::parse(text, "fuzz");
    const Layers::Defines defines;
    Layers layers(defines, {&file, nullptr, &file}, "example");
    for (const auto& [key, property] : file.entries()) {
        // What decodes is valid UTF-8, so that it can be printed and put into JSON.
        if (!obcanal::is_utf8(obcanal::as_bytes(key))) std::abort();
        if (!obcanal::is_utf8(obcanal::as_bytes(property.value))) std::abort();
        if (property.line == 0) std::abort();
        static_cast<void>(layers.instance(key, "${" + key + ":x}"));
    }
    return 0;
}
