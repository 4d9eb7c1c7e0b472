#include "adapter/config/mapping_files.h"

#include "adapter/config/config_node.h"
#include "protocol/base/durable_file.h"
#include "protocol/base/text.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

namespace obcanal::adapter::config {
namespace {

constexpr std::string_view kSuffix = ".yml";
constexpr int64_t kSecondNs = 1'000'000'000;

}  // namespace

MappingDirectory::Stamp MappingDirectory::stamp_of(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return {};
    const auto ns = [](const timespec& time) { return time.tv_sec * kSecondNs + time.tv_nsec; };
    return {
        info.st_ino,
        static_cast<uint64_t>(info.st_size),
        std::max(ns(info.st_mtim), ns(info.st_ctim))
    };
}

MappingChanges MappingDirectory::scan() {
    MappingChanges changes;
    std::map<std::string, Stamp> now;
    std::error_code code;
    for (std::filesystem::directory_iterator it(directory_, code), end; !code && it != end;
         it.increment(code)) {
        const std::string task = it->path().filename().string();
        std::error_code ignored;
        if (!task.ends_with(kSuffix) || it->is_directory(ignored)) continue;
        now[task] = stamp_of(it->path().string());
    }
    // A directory that can't be read for the moment is no reason to forget its tasks.
    const bool gone = code == std::errc::no_such_file_or_directory;
    if (code && !gone) return changes;
    for (const auto& [task, stamp] : known_) {
        if (!now.contains(task)) changes.removed.push_back(task);
    }
    for (const auto& [task, stamp] : now) {
        const auto before = known_.find(task);
        if (before != known_.end() && before->second == stamp) continue;
        MappingFile file{task, directory_ + "/" + task, {}, {}};
        Result<std::optional<std::string>> text = read_file(file.path, kMaxConfigBytes);
        if (!text) {
            file.fault = text.error().detail;
        } else if (!*text) {
            continue;  // removed meanwhile
        } else {
            file.text = std::move(**text);
        }
        changes.changed.push_back(std::move(file));
    }
    known_ = std::move(now);
    return changes;
}

bool MappingOwner::owns(
    std::string_view of_destination,
    const std::optional<std::string>& of_group,
    const std::optional<std::string>& outer_adapter_key
) const {
    if (of_destination != destination) return false;
    if (outer_adapter_key) return equals_ignore_case(*outer_adapter_key, adapter.key);
    return adapter.generated_key && (!of_group || of_group->empty() || *of_group == group);
}

}  // namespace obcanal::adapter::config
