// The kinds of source there are; the only place that knows them all.
#pragma once

#include "protocol/base/result.h"
#include "server/config/instance_config.h"
#include "server/source/source.h"

#include <memory>
#include <string_view>

namespace obcanal::source {

Result<std::unique_ptr<Source>> make_source(
    const config::InstanceConfig& config, std::shared_ptr<const LiveFilter> filter
);
// Header.logfileName for sources whose log has no files; empty for others.
std::string_view logfile_name(const config::InstanceConfig& config);

}  // namespace obcanal::source
