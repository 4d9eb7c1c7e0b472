#include "adapter/es/es_task.h"

#include "adapter/es/mapping_plan.h"

namespace obcanal::adapter::es {

std::optional<EsTask> read_es_task(
    const config::MappingFile& file, const config::Placeholders& placeholders, FindingList& findings
) {
    std::optional<config::EsMapping> mapping =
        config::read_es_mapping(file, placeholders, findings);
    if (!mapping) return std::nullopt;
    EsTask task;
    static_cast<config::EsMapping&>(task) = std::move(*mapping);
    const auto refuse = [&](const SqlFault& fault) {
        findings.error(task.sql_place, "esMapping.sql", describe_fault(task.sql, fault));
        return std::nullopt;
    };
    SqlFault fault;
    std::shared_ptr<MappingSql> sql = parse_mapping_sql(task.sql, fault);
    if (!sql) return refuse(fault);
    if (!check_task(task, *sql, fault)) return refuse(fault);
    task.select = std::move(sql);
    return task;
}

}  // namespace obcanal::adapter::es
