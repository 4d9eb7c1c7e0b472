// The kinds of source there are; the only place that knows them all.
#pragma once

#include "protocol/base/result.h"
#include "protocol/net/runtime.h"
#include "server/config/instance_config.h"
#include "server/schema/schema_store.h"
#include "server/source/source.h"

#include <memory>
#include <string_view>

namespace obcanal::source {

// `lane` outlives the source; what has to be durable is written there. `history`: where a schema
// history is kept; null: as configured.
Result<std::unique_ptr<Source>> make_source(
    const config::InstanceConfig& config,
    std::shared_ptr<const LiveFilter> filter,
    BlockingLane& lane,
    std::unique_ptr<schema::SchemaStore> history
);
// Header.logfileName for sources whose log has no files; empty for others.
std::string_view logfile_name(const config::InstanceConfig& config);

}  // namespace obcanal::source
