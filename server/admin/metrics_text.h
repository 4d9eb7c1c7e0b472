// The metrics of the server as Prometheus reads them: Canal's names, types and labels, so that its
// dashboard renders, and obcanal's own. Pure, except for what the kernel says about the process.
#pragma once

#include "protocol/base/metrics.h"
#include "server/admin/status_report.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace obcanal::admin {

struct PortUse {
    const char* port;  // "client", "admin", "metrics"
    size_t connections;
    size_t limit;
};

// canal_instance_*, per destination that runs, as the reference registers them.
void add_canal_metrics(
    MetricsText& to, const std::vector<instance::InstanceStatus>& destinations, int64_t now_ms
);
// obcanal_*
void add_own_metrics(
    MetricsText& to, const ServerFacts& facts, const std::vector<PortUse>& ports, int64_t now_ms
);
// process_*, from /proc/self.
void add_process_metrics(MetricsText& to);

}  // namespace obcanal::admin
