// The mapping files of a kind of target, conf/{adapter name}/{task}.yml: what changed in the
// directory since the last look, and whose a file is (client-adapter, 1.5). Blocks on the disk for
// some microseconds a file. One thread at a time.
#pragma once

#include "adapter/config/adapter_config.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::adapter::config {

// What happens to a change that the target refuses for good.
enum class OnError : uint8_t {
    Block,  // the destination waits, and tries again
    Park,   // it goes to the dead letters, the rest flows
};

struct MappingFile {
    std::string task;  // file name with suffix
    std::string path;
    std::string text;
    std::string fault;  // not empty: it can't be read
};

struct MappingChanges {
    std::vector<MappingFile> changed;  // new ones too, by name
    std::vector<std::string> removed;  // tasks

    bool none() const { return changed.empty() && removed.empty(); }
};

// Files *.yml in one directory, not below it.
class MappingDirectory {
 public:
    explicit MappingDirectory(std::string directory) : directory_(std::move(directory)) {}

    // What changed since the last call; a directory that isn't there has no files.
    MappingChanges scan();
    const std::string& path() const { return directory_; }

 private:
    struct Stamp {
        uint64_t inode = 0;
        uint64_t size = 0;
        int64_t changed_ns = 0;  // of the content or the name

        bool operator==(const Stamp&) const = default;
    };

    static Stamp stamp_of(const std::string& path);

    std::string directory_;
    std::map<std::string, Stamp> known_;  // by task
};

// An outer adapter in its place.
struct MappingOwner {
    OuterAdapterConfig adapter;
    std::string destination;
    std::string group;

    // A file with an outerAdapterKey belongs to the adapters of that key, one without to those
    // whose key was generated, of its destination and group; a file without group to every group.
    bool owns(
        std::string_view of_destination,
        const std::optional<std::string>& of_group,
        const std::optional<std::string>& outer_adapter_key
    ) const;
};

}  // namespace obcanal::adapter::config
