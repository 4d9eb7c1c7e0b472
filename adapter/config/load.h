// conf/application.yml and application-{profile}.yml with what stands above them: -D, environment,
// placeholders. Reads files, starts nothing.
#pragma once

#include "adapter/config/adapter_config.h"
#include "adapter/config/placeholders.h"
#include "adapter/config/section.h"
#include "protocol/base/finding.h"

#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::adapter::config {

struct LoadedAdapter {
    AdapterConfig config;
    std::vector<Finding> findings;
    std::vector<PrintedValue> values;
    Placeholders placeholders;  // of the mapping files

    bool valid() const;
};

// What tells a directory of configuration from others.
inline constexpr std::string_view kAdapterFile = "application.yml";

LoadedAdapter load(
    const std::string& conf_dir, const std::vector<std::string>& defines, Environment environment
);
// The same for a text without files beside it.
LoadedAdapter load_text(
    const std::string& name,
    std::string_view text,
    const std::vector<std::string>& defines,
    Environment environment
);

// What application*.yml are now: differs after every edit.
std::string application_stamp(const std::string& conf_dir);

}  // namespace obcanal::adapter::config
