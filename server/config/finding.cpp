#include "server/config/finding.h"

#include <algorithm>
#include <utility>

namespace obcanal::config {

bool FindingList::has_error(const std::string& scope) const {
    return std::any_of(findings_.begin(), findings_.end(), [&scope](const Finding& finding) {
        return finding.severity == Finding::Severity::Error && finding.scope == scope;
    });
}

void FindingList::add(Finding finding) {
    const std::string same = finding.where + '\0' + finding.key + '\0' + finding.what;
    if (finding.severity == Finding::Severity::Warning && !seen_.insert(same).second) return;
    findings_.push_back(std::move(finding));
}

}  // namespace obcanal::config
