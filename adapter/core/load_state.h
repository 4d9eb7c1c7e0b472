// What of a full load is in the target durably, so that it goes on there after a crash, a stop or a
// failure: one file for each task, {data
// dir}/full-loads/{destination}/{group}.{adapter}.{task}.json. Owned by a writer. Thread-safe;
// blocks on the disk.
#pragma once

#include "adapter/core/writer.h"
#include "protocol/base/result.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace obcanal::adapter::core {

// A table, or whatever a task loads one after the other.
struct LoadPart {
    std::vector<std::string> after_key;  // everything up to it is there; any bytes
    uint64_t rows = 0;
    bool done = false;
    // Of a table without key: changes of it before this place in the log are in its rows.
    std::string log_file;
    int64_t log_offset = 0;
};

struct LoadState {
    enum class Phase : uint8_t {
        Running,  // also when its process ended: the next one goes on by itself
        Failed,   // goes on when it is asked for again
        Done,     // kept while the stream replays what the rows held already
    };

    FullLoadRequest request;
    Phase phase = Phase::Running;
    std::map<std::string, LoadPart> parts;
    // Done: changes that the source made up to then are in the rows, perhaps. Milliseconds since
    // the epoch, by the source's clock.
    int64_t replayed_until_ms = 0;
};

class LoadStore {
 public:
    LoadStore(
        const std::string& data_dir,
        const std::string& destination,
        const std::string& group,
        const std::string& adapter
    );

    // Where the load goes on, or begins: an unfinished one of the same task and parameters, unless
    // request.restart. Durable.
    Result<LoadState> begin(const FullLoadRequest& request);
    // Durable when it returns.
    Result<void> save(const LoadState& state);
    Result<void> forget(const std::string& task);
    // Of all tasks. What can't be read is an Error that names its file.
    Result<std::vector<LoadState>> all() const;

 private:
    std::string name_of(const std::string& task) const;
    Result<void> put(const LoadState& state) const;

    const std::string directory_;
    const std::string prefix_;
    mutable std::mutex mutex_;
};

}  // namespace obcanal::adapter::core
