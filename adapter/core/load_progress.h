// How far the full load of one target is: for REST, metrics and the log. Owned by the writer.
// Thread-safe.
#pragma once

#include "protocol/base/clock.h"

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace obcanal::adapter::core {

struct LoadFigures {
    std::string task;
    std::string table;
    std::string state;  // running, done, failed, stopped
    std::string cause;  // of failed
    uint64_t rows = 0;
    uint64_t total = 0;   // that there were at its start, or about so many; 0: not known
    double seconds = 0;   // since its start here
    double rate = 0;      // rows a second
    double percent = -1;  // < 0: not known
    double remaining_seconds = -1;

    bool running() const { return state == "running"; }
    std::string text() const;  // a JSON object
};

class LoadProgress {
 public:
    // `rows` were loaded before, by an earlier part of the same load.
    void begin(const std::string& task, const std::string& table, uint64_t rows, uint64_t total);
    void add(uint64_t rows);
    void end(const std::string& state, const std::string& cause);

    // The load under way, or the last one; nothing before the first.
    std::optional<LoadFigures> figures() const;

 private:
    mutable std::mutex mutex_;
    LoadFigures now_;
    uint64_t before_ = 0;
    SteadyTime start_{};
    SteadyTime end_{};
};

}  // namespace obcanal::adapter::core
