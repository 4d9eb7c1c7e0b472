// A source that emits what a test tells it to, for tests of what lies behind it.
#pragma once

#include "protocol/canal/table_plan.h"
#include "server/instance/instance.h"
#include "server/source/source.h"

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace obcanal::instance {

// One transaction of a one-column table, a DDL, a heartbeat, or the end of the stream with an
// error.
struct Step {
    std::string id = {};
    int64_t commit_us = 0;
    int rows = 0;
    bool ddl = false;
    int64_t heartbeat_us = 0;
    std::optional<Error> fails = {};
};

// What the test and the source share. Thread-safe.
class Script {
 public:
    void add(Step step);
    std::optional<Step> next();
    std::optional<canal::LogPosition> started_from;
    int runs = 0;
    Notifier* more = nullptr;  // set while the source runs

    std::mutex mutex;

 private:
    std::vector<Step> steps_;
    size_t at_ = 0;
};

SourceFactory scripted_source(std::shared_ptr<Script> script, Executor feed_strand);

}  // namespace obcanal::instance
