// canal.auto.scan: looks at the configuration directory every canal.auto.scan.interval and adds,
// reloads and removes destinations as their files come, change and go. Owned by the service while
// it serves; everything on its strand.
#pragma once

#include "protocol/base/log.h"
#include "protocol/net/notifier.h"
#include "protocol/net/runtime.h"
#include "protocol/net/task_group.h"
#include "server/config/conf_scan.h"
#include "server/instance/instance_set.h"

#include <chrono>
#include <map>
#include <string>

namespace obcanal {

class AutoScan {
 public:
    // `seen`: the directory as it was before the files were read with which `instances` runs.
    // `instances` and `lane` outlive the object.
    AutoScan(
        Executor strand,
        std::string conf_dir,
        std::chrono::seconds interval,
        const config::ConfListing& seen,
        instance::InstanceSet& instances,
        BlockingLane& lane
    );

    void start();
    // Returns when the look under way is done with.
    Awaitable<void> stop();

 private:
    Awaitable<void> run();
    // Whether to look again soon.
    Awaitable<bool> look();
    Awaitable<void> apply(config::ConfWatch::Changes changes);
    void report(const config::ConfListing& listing);

    Logger log_{"auto-scan"};
    Executor strand_;
    std::string conf_dir_;
    std::chrono::seconds interval_;
    instance::InstanceSet& instances_;
    BlockingLane& lane_;  // directories may be on a disk that is slow or gone
    config::ConfWatch watch_;
    Notifier stopping_;
    TaskGroup tasks_;
    bool stop_requested_ = false;
    std::string trouble_;                          // why the directory can't be listed
    std::map<std::string, std::string> reported_;  // directories without effect, by name
};

}  // namespace obcanal
