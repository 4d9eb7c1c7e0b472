// The page /metrics: what each destination has done and how far it is behind. Any thread.
#pragma once

#include "adapter/core/service.h"
#include "protocol/base/metrics.h"

#include <string>

namespace obcanal::adapter::core {

std::string metrics_page(const Generation& generation, const SyncSwitch& sync_switch);

}  // namespace obcanal::adapter::core
