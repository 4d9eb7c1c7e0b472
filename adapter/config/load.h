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

// "../conf" beside the program if it holds an application.yml, else /etc/obcanal.
std::string default_conf_dir();

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

// One line each. False: there is an error.
bool report(const std::vector<Finding>& findings, std::ostream& to);
void print_config(const LoadedAdapter& loaded, std::ostream& to);

}  // namespace obcanal::adapter::config
