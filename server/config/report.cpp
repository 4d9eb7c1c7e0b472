#include "protocol/base/text.h"
#include "server/config/load.h"

#include <ostream>

namespace obcanal::config {

bool report(const std::vector<Finding>& findings, std::ostream& to) {
    constexpr size_t kLongLine = 2'000;
    bool good = true;
    for (const Finding& finding : findings) {
        const bool error = finding.severity == Finding::Severity::Error;
        good = good && !error;
        to << printable(finding.where, kLongLine) << ": ";
        if (!finding.key.empty()) to << printable(finding.key, kLongLine) << ": ";
        to << (error ? "" : "warning: ") << printable(finding.what, kLongLine) << '\n';
    }
    return good;
}

void print_config(const LoadedConfig& loaded, std::ostream& to) {
    constexpr size_t kLongValue = 4'096;
    const std::string* scope = nullptr;
    for (const PrintedValue& value : loaded.values) {
        if (scope == nullptr || *scope != value.scope) {
            to << (scope == nullptr ? "" : "\n") << "# " << value.scope << '\n';
            scope = &value.scope;
        }
        to << value.key << " = " << printable(value.value, kLongValue) << "    # "
           << printable(value.origin) << '\n';
    }
}

}  // namespace obcanal::config
