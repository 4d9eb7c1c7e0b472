// Which destinations the configuration directory holds, and what has changed there since the last
// look (canal.auto.scan). No clock and no thread of its own: whoever owns a watch decides when to
// look.
#pragma once

#include "protocol/base/result.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace obcanal::config {

constexpr std::string_view kInstanceFile = "instance.properties";

// What tells two versions of a file apart.
struct FileStamp {
    int64_t modified_ns = 0;
    uint64_t size = 0;
    uint64_t inode = 0;

    bool operator==(const FileStamp&) const = default;
};

struct ConfListing {
    // {destination}/instance.properties of each; the directory `spring` is none, as in the
    // reference.
    std::map<std::string, FileStamp> destinations;
    // Directories with such a file whose name can't name a destination, with the reason.
    std::map<std::string, std::string> misnamed;
    // Those that can't be looked into, with the reason: nothing is known about them.
    std::map<std::string, std::string> unreadable;
};

// An error when the directory itself can't be listed.
Result<ConfListing> list_destinations(const std::string& conf_dir);

// Tells added, changed and removed destinations from the last look. What is new counts when two
// looks in a row saw the same, so that a file half written is not read, and a file that an editor
// puts in place of another is not missed in between.
class ConfWatch {
 public:
    struct Changes {
        std::vector<std::string> changed;  // or added
        std::vector<std::string> removed;
        bool unsettled = false;  // something moves; look again soon
    };

    // `seen`: the directory as it was before its files were read.
    explicit ConfWatch(const ConfListing& seen) : known_(seen.destinations) {}

    Changes look(const ConfListing& now);

 private:
    // No stamp: it was gone.
    using Sighting = std::pair<bool, FileStamp>;

    std::map<std::string, FileStamp> known_;
    std::map<std::string, Sighting> moving_;
};

}  // namespace obcanal::config
