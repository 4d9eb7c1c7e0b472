#include "protocol/base/config_report.h"

#include "protocol/base/text.h"

#include <filesystem>
#include <ostream>
#include <system_error>

namespace obcanal {

bool report(const std::vector<Finding>& findings, std::ostream& to) {
    bool good = true;
    for (const Finding& finding : findings) {
        good = good && finding.severity != Finding::Severity::Error;
        to << finding_text(finding) << '\n';
    }
    return good;
}

void print_config(const std::vector<PrintedValue>& values, std::ostream& to) {
    constexpr size_t kLongValue = 4'096;
    std::string_view scope;
    const char* between = "";
    for (const PrintedValue& value : values) {
        if (scope != value.scope) {
            scope = value.scope;
            to << between << "# " << scope << '\n';
            between = "\n";
        }
        to << value.key << " = " << printable(value.value, kLongValue) << "    # "
           << printable(value.origin) << '\n';
    }
}

std::string default_conf_dir(std::string_view file) {
    std::error_code code;
    const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", code);
    const std::filesystem::path beside = program.parent_path().parent_path() / "conf";
    if (!code && std::filesystem::exists(beside / file, code)) return beside.string();
    return "/etc/obcanal";
}

}  // namespace obcanal
