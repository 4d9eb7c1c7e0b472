// What the readers of mapping files share: the keys that every kind has, and that a file with an
// error is no mapping. For sources of adapter/config.
#pragma once

#include "adapter/config/config_node.h"
#include "adapter/config/mapping_files.h"
#include "adapter/config/placeholders.h"
#include "adapter/config/section.h"
#include "protocol/base/finding.h"
#include "protocol/base/text.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace obcanal::adapter::config {

// Without blanks around it; nothing when nothing is left.
std::optional<std::string> trimmed(std::optional<std::string> text);
void read_on_error(const Section& section, OnError& policy);
// Hands `own` on to `findings`. False: there is an error.
bool hand_on(FindingList& own, FindingList& findings);

// `keep`: below these, keys are names of columns. Nothing when an error was found.
template <class Mapping>
std::optional<Mapping> read_mapping(
    const MappingFile& file,
    const Placeholders& placeholders,
    std::span<const std::string_view> keep,
    FindingList& findings,
    void (*read)(const Section& root, Mapping& mapping)
) {
    FindingList own;
    Mapping mapping;
    mapping.task = file.task;
    mapping.file = file.path;
    if (const std::optional<ConfigNode> document = parse_yaml(file.path, file.text, own)) {
        const ConfigNode tree = nest_keys(*document, keep, own);
        Reading reading;
        reading.placeholders = placeholders;
        reading.strict = false;
        reading.findings = &own;
        const Section root(reading, &tree, "");
        mapping.data_source_key = std::string(trim(root.text("dataSourceKey")));
        mapping.destination = std::string(trim(root.text("destination")));
        mapping.group_id = trimmed(root.optional_text("groupId"));
        mapping.outer_adapter_key = trimmed(root.optional_text("outerAdapterKey"));
        read_on_error(root, mapping.on_error);
        if (mapping.destination.empty()) root.error("destination", "must be given");
        read(root, mapping);
        root.report_unknown();
    }
    if (!hand_on(own, findings)) return std::nullopt;
    return mapping;
}

}  // namespace obcanal::adapter::config
