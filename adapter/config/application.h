// The meaning of application.yml's keys. One thread.
#pragma once

#include "adapter/config/adapter_config.h"
#include "adapter/config/section.h"

namespace obcanal::adapter::config {

// `root`: the whole file. What is wrong, unknown or of no effect goes to the section's findings.
AdapterConfig read_application(const Section& root);

}  // namespace obcanal::adapter::config
