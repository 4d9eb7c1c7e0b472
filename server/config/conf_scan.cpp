#include "server/config/conf_scan.h"

#include "protocol/base/text.h"
#include "server/config/instance_rules.h"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

namespace obcanal::config {
namespace {

std::string reason_of(int code) { return std::generic_category().message(code); }

}  // namespace

Result<ConfListing> list_destinations(const std::string& conf_dir) {
    ConfListing listing;
    std::error_code error;
    std::filesystem::directory_iterator entry(conf_dir, error);
    for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        if (equals_ignore_case(name, "spring")) continue;
        const std::string file = entry->path().string() + "/" + std::string(kInstanceFile);
        struct stat found {};
        if (::stat(file.c_str(), &found) != 0) {
            // ENOTDIR: the entry itself is a file.
            if (errno != ENOENT && errno != ENOTDIR) listing.unreadable[name] = reason_of(errno);
            continue;
        }
        if (S_ISDIR(found.st_mode)) continue;
        if (const Result<void> good = check_destination_name(name); !good) {
            listing.misnamed[name] = good.error().detail;
            continue;
        }
        constexpr int64_t kSecondNs = 1'000'000'000;
        listing.destinations[name] = {
            found.st_mtim.tv_sec * kSecondNs + found.st_mtim.tv_nsec,
            static_cast<uint64_t>(found.st_size),
            found.st_ino
        };
    }
    if (error) {
        return Error{Errc::Io, Retry::Backoff, conf_dir + ": can't be listed: " + error.message()};
    }
    return listing;
}

ConfWatch::Changes ConfWatch::look(const ConfListing& now) {
    Changes changes;
    std::map<std::string, Sighting> moving;
    const auto settled = [&](const std::string& name, const Sighting& sighting) {
        const auto before = moving_.find(name);
        if (before != moving_.end() && before->second == sighting) return true;
        moving.emplace(name, sighting);
        changes.unsettled = true;
        return false;
    };
    for (const auto& [name, stamp] : now.destinations) {
        const auto known = known_.find(name);
        if (known != known_.end() && known->second == stamp) continue;
        if (!settled(name, {true, stamp})) continue;
        known_[name] = stamp;
        changes.changed.push_back(name);
    }
    for (auto known = known_.begin(); known != known_.end();) {
        const std::string& name = known->first;
        const bool here = now.destinations.contains(name) || now.unreadable.contains(name);
        if (here || !settled(name, {false, {}})) {
            ++known;
            continue;
        }
        changes.removed.push_back(name);
        known = known_.erase(known);
    }
    moving_ = std::move(moving);
    return changes;
}

}  // namespace obcanal::config
