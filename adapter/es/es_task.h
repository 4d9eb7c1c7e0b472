// A mapping file of an Elasticsearch adapter together with its SQL, as config::OwnedMappings keeps
// them: a file whose SQL isn't understood is no task, and one that was right before stays in force.
// Plain data.
#pragma once

#include "adapter/config/es_mapping.h"
#include "adapter/es/mapping_sql.h"

#include <memory>
#include <optional>

namespace obcanal::adapter::es {

struct EsTask : config::EsMapping {
    std::shared_ptr<const MappingSql> select;
};

// For config::OwnedMappings. What is wrong with the SQL is shown with its line and a caret under
// the place.
std::optional<EsTask> read_es_task(
    const config::MappingFile& file, const config::Placeholders& placeholders, FindingList& findings
);

}  // namespace obcanal::adapter::es
