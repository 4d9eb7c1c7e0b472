// The mappings that one outer adapter follows, kept up with the files. `Mapping` has task,
// destination, group_id and outer_adapter_key. One thread at a time, the writer's own.
#pragma once

#include "adapter/config/mapping_files.h"
#include "adapter/config/placeholders.h"
#include "protocol/base/finding.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace obcanal::adapter::config {

template <class Mapping>
class OwnedMappings {
 public:
    using Read = std::optional<Mapping> (*)(const MappingFile&, const Placeholders&, FindingList&);

    struct Refreshed {
        bool changed = false;           // mappings() is another than before
        std::vector<Finding> findings;  // to be logged
    };

    OwnedMappings(std::string directory, MappingOwner owner, Placeholders placeholders, Read read)
        : files_(std::move(directory)),
          owner_(std::move(owner)),
          placeholders_(std::move(placeholders)),
          read_(read) {}

    // Takes over what changed in the directory. A file that is wrong now keeps the mapping that it
    // had, and has none if it never was right.
    Refreshed refresh() {
        Refreshed result;
        FindingList findings;
        MappingChanges changes = files_.scan();
        for (const std::string& task : changes.removed) {
            result.changed = mappings_.erase(task) > 0 || result.changed;
        }
        for (const MappingFile& file : changes.changed) {
            result.changed = take_over(file, findings) || result.changed;
        }
        result.findings = findings.take();
        return result;
    }

    // By task.
    std::vector<const Mapping*> mappings() const {
        std::vector<const Mapping*> all;
        for (const auto& [task, mapping] : mappings_) all.push_back(&mapping);
        return all;
    }

    const Mapping* find(const std::string& task) const {
        const auto found = mappings_.find(task);
        return found == mappings_.end() ? nullptr : &found->second;
    }

 private:
    // True when the mappings are others than before.
    bool take_over(const MappingFile& file, FindingList& findings) {
        if (!file.fault.empty()) {
            findings.error(file.path, "", file.fault + keeps(file));
            return false;
        }
        std::optional<Mapping> mapping = read_(file, placeholders_, findings);
        if (!mapping) {
            findings.error(file.path, "", "the task is not taken over" + keeps(file));
            return false;
        }
        if (!owner_.owns(mapping->destination, mapping->group_id, mapping->outer_adapter_key))
            return mappings_.erase(file.task) > 0;
        mappings_.insert_or_assign(file.task, std::move(*mapping));
        return true;
    }

    std::string keeps(const MappingFile& file) const {
        return mappings_.contains(file.task) ? "; the mapping that it had before stays in force"
                                             : "; the task stands still";
    }

    MappingDirectory files_;
    MappingOwner owner_;
    Placeholders placeholders_;
    Read read_;
    std::map<std::string, Mapping> mappings_;
};

}  // namespace obcanal::adapter::config
