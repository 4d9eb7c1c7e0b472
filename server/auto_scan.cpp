#include "server/auto_scan.h"

#include "protocol/base/clock.h"
#include "protocol/net/run_on.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace obcanal {
namespace {

// What moves is looked at again after this, so that a file counts as soon as it is written.
constexpr std::chrono::milliseconds kSettleTime{500};

}  // namespace

AutoScan::AutoScan(
    Executor strand,
    std::string conf_dir,
    std::chrono::seconds interval,
    const config::ConfListing& seen,
    instance::InstanceSet& instances,
    BlockingLane& lane
)
    : strand_(strand),
      conf_dir_(std::move(conf_dir)),
      interval_(interval),
      instances_(instances),
      lane_(lane),
      watch_(seen),
      stopping_(strand),
      tasks_(strand) {
    // Said at start already.
    reported_ = seen.misnamed;
    reported_.insert(seen.unreadable.begin(), seen.unreadable.end());
}

void AutoScan::start() { tasks_.spawn(strand_, run()); }

Awaitable<void> AutoScan::stop() {
    stop_requested_ = true;
    stopping_.notify();
    co_await tasks_.wait_for_all();
}

Awaitable<void> AutoScan::run() {
    bool unsettled = false;
    while (!stop_requested_) {
        const std::chrono::milliseconds pause =
            unsettled ? std::min<std::chrono::milliseconds>(kSettleTime, interval_) : interval_;
        const SteadyTime until = steady_now() + pause;
        stopping_.arm();
        if (stop_requested_) break;
        co_await stopping_.wait(until);
        if (stop_requested_) break;
        unsettled = co_await look();
    }
}

void AutoScan::report(const config::ConfListing& listing) {
    std::map<std::string, std::string> now = listing.misnamed;
    now.insert(listing.unreadable.begin(), listing.unreadable.end());
    for (const auto& [name, why] : now) {
        const auto known = reported_.find(name);
        if (known != reported_.end() && known->second == why) continue;
        log_.warn(
            "a directory is passed over", {{"directory", conf_dir_ + "/" + name}, {"cause", why}}
        );
    }
    reported_ = std::move(now);
}

Awaitable<bool> AutoScan::look() {
    Result<config::ConfListing> listing = config::ConfListing{};
    const std::function<void()> list = [this, &listing] {
        listing = config::list_destinations(conf_dir_);
    };
    co_await lane_.run(list);
    // A directory that is away for a moment is no reason to stop what runs.
    const std::string trouble = listing ? std::string() : listing.error().detail;
    if (trouble != trouble_) {
        if (listing) {
            log_.info("the configuration directory can be listed again");
        } else {
            log_.error(
                "the configuration directory can't be listed, destinations stay as they are",
                {{"cause", trouble}}
            );
        }
    }
    trouble_ = trouble;
    if (!listing) co_return false;
    report(*listing);
    config::ConfWatch::Changes changes = watch_.look(*listing);
    const bool unsettled = changes.unsettled;
    co_await apply(std::move(changes));
    co_return unsettled;
}

// Side by side: a destination that takes its time does not hold up the others.
Awaitable<void> AutoScan::apply(config::ConfWatch::Changes changes) {
    const Executor control = instances_.control();
    TaskGroup group(strand_);
    for (const std::string& name : changes.removed) {
        log_.info("configuration removed", {{"destination", name}});
        group.spawn(control, instances_.remove(name));
    }
    for (const std::string& name : changes.changed) {
        log_.info("configuration new or changed", {{"destination", name}});
        group.spawn(control, instances_.reload(name));
    }
    co_await group.wait_for_all();
}

}  // namespace obcanal
