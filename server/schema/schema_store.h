// Where a destination's schema history is kept. One store per destination, owned by its SchemaLog;
// all calls block on a disk or a network, and are made one at a time.
#pragma once

#include "protocol/base/result.h"
#include "server/schema/log_point.h"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace obcanal::schema {

// Where somebody has read a log to, and will go on reading.
struct ReadTo {
    std::string origin;  // of the log: host:port
    LogMoment at;
};

class SchemaStore {
 public:
    virtual ~SchemaStore() = default;

    // The records that are left, in order: as written, or without the last ones when those were
    // being written while the process died. Once, before anything else.
    virtual Result<std::vector<std::string>> load() = 0;
    // Durable when it returns. After an error the record may be there or not, whole.
    virtual Result<void> append(std::span<const std::string> records) = 0;
    // These instead of all that is there: whoever reads finds either the old or the new ones.
    virtual Result<void> replace(std::span<const std::string> records) = 0;

    // Bytes of records above which old ones should be dropped.
    virtual size_t keep_bytes() const { return size_t{128} << 20; }
    // What must not be dropped: the last checkpoint before each of these, and what follows it.
    // Nothing: the store can't tell.
    virtual Result<std::vector<ReadTo>> readers() { return std::vector<ReadTo>(); }
};

// Lasts as long as this process.
class MemorySchemaStore final : public SchemaStore {
 public:
    Result<std::vector<std::string>> load() override { return records_; }

    Result<void> append(std::span<const std::string> records) override {
        records_.insert(records_.end(), records.begin(), records.end());
        return {};
    }

    Result<void> replace(std::span<const std::string> records) override {
        records_.assign(records.begin(), records.end());
        return {};
    }

 private:
    std::vector<std::string> records_;
};

}  // namespace obcanal::schema
