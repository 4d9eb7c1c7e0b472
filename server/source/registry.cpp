#include "server/source/registry.h"

#include "server/source/binlog_source.h"
#include "server/source/oblog_position.h"
#include "server/source/oblog_source.h"

#include <utility>

namespace obcanal::source {

Result<std::unique_ptr<Source>> make_source(
    const config::InstanceConfig& config,
    std::shared_ptr<const LiveFilter> filter,
    BlockingLane& lane,
    std::unique_ptr<schema::SchemaStore> history
) {
    switch (config.source) {
        case config::SourceKind::Oblogproxy: return OblogSource::make(config, std::move(filter));
        case config::SourceKind::Binlog: break;
    }
    return BinlogSource::make(config, std::move(filter), lane, std::move(history));
}

std::string_view logfile_name(const config::InstanceConfig& config) {
    return config.source == config::SourceKind::Oblogproxy ? kOblogJournal : std::string_view();
}

}  // namespace obcanal::source
