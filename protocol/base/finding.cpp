#include "protocol/base/finding.h"

#include "protocol/base/text.h"

#include <utility>

namespace obcanal {

std::string finding_text(const Finding& finding) {
    constexpr size_t kLongLine = 2'000;
    std::string text = printable(finding.where, kLongLine) + ": ";
    if (!finding.key.empty()) text += printable(finding.key, kLongLine) + ": ";
    if (finding.severity == Finding::Severity::Warning) text += "warning: ";
    // Lines beneath the first show the place.
    const char* between = "";
    for (const std::string_view line : split(finding.what, '\n')) {
        text += between + printable(line, kLongLine);
        between = "\n    ";
    }
    return text;
}

std::string FindingList::errors_of(const std::string& scope) const {
    constexpr size_t kFew = 3;
    std::string text;
    size_t count = 0;
    for (const Finding& finding : findings_) {
        if (finding.severity != Finding::Severity::Error || finding.scope != scope) continue;
        if (++count <= kFew) text += (text.empty() ? "" : "; ") + finding_text(finding);
    }
    if (count > kFew) text += "; and " + std::to_string(count - kFew) + " more";
    return text;
}

void FindingList::add(Finding finding) {
    const std::string same = finding.where + '\0' + finding.key + '\0' + finding.what;
    if (finding.severity == Finding::Severity::Warning && !seen_.insert(same).second) return;
    findings_.push_back(std::move(finding));
}

}  // namespace obcanal
