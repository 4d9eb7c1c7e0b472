#include "adapter/config/mapping_reading.h"

namespace obcanal::adapter::config {

std::optional<std::string> trimmed(std::optional<std::string> text) {
    if (text) text = std::string(trim(*text));
    if (text && text->empty()) text.reset();
    return text;
}

void read_on_error(const Section& section, OnError& policy) {
    if (!section.has("onError")) return;
    const std::string text = to_lower(trim(section.text("onError")));
    if (text == "park") {
        policy = OnError::Park;
    } else if (text != "block" && !text.empty()) {
        section.error("onError", "'" + printable(text) + "' must be block or park");
    }
}

bool hand_on(FindingList& own, FindingList& findings) {
    bool good = true;
    for (const Finding& finding : own.take()) {
        const bool error = finding.severity == Finding::Severity::Error;
        good = good && !error;
        if (error) {
            findings.error(finding.where, finding.key, finding.what);
        } else {
            findings.warning(finding.where, finding.key, finding.what);
        }
    }
    return good;
}

}  // namespace obcanal::adapter::config
