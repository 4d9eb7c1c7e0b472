#include "protocol/base/text.h"
#include "server/config/load.h"

#include <ostream>

namespace obcanal::config {

bool report(const std::vector<Finding>& findings, std::ostream& to) {
    bool good = true;
    for (const Finding& finding : findings) {
        good = good && finding.severity != Finding::Severity::Error;
        to << finding_text(finding) << '\n';
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
