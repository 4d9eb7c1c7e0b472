// What the keys of one destination must say together. Adds findings to the reader's list.
#pragma once

#include "server/config/instance_config.h"
#include "server/config/key_reader.h"

namespace obcanal::config {

// Reads what the kind of source needs, then checks the whole.
void read_source(KeyReader& reader, InstanceConfig& config);
void check_instance(KeyReader& reader, const InstanceConfig& config);

// Letters, digits and what else is safe as a directory, a node and a label.
Result<void> check_destination_name(std::string_view name);

}  // namespace obcanal::config
