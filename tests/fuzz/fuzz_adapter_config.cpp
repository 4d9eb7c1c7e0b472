// Any bytes as application.yml and as a mapping file: read, printed, or refused with a place.
#include "adapter/config/es_mapping.h"
#include "adapter/config/load.h"
#include "adapter/config/rdb_mapping.h"
#include "protocol/base/bytes.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <sstream>

using namespace obcanal::adapter::config;

namespace {

template <class Read>
void check_mapping(const std::string& text, const Placeholders& placeholders, Read read) {
    obcanal::FindingList findings;
    const auto mapping = read({"t.yml", "t/t.yml", text, {}}, placeholders, findings);
    bool error = false;
    for (const obcanal::Finding& finding : findings.take()) {
        error = error || finding.severity == obcanal::Finding::Severity::Error;
    }
    if (mapping.has_value() == error) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size > 64 * 1024) return 0;
    const std::string text(reinterpret_cast<const char*>(data), size);
    const Environment environment{{"CANAL_CONF_CANALADAPTERS_0_INSTANCE", "x"}, {"A", "b"}};
    const LoadedAdapter loaded =
        load_text("application.yml", text, {"canal.conf.timeout=1"}, environment);
    std::ostringstream printed;
    obcanal::print_config(loaded.values, printed);
    if (loaded.valid() && loaded.config.destinations.empty()) std::abort();
    for (const obcanal::Finding& finding : loaded.findings) {
        if (finding.where.empty() || finding.what.empty()) std::abort();
    }

    check_mapping(text, loaded.placeholders, read_rdb_mapping);
    check_mapping(text, loaded.placeholders, read_es_mapping);
    return 0;
}
