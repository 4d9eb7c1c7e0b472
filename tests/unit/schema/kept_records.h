// The records of a schema history that outlive the SchemaLog which wrote them, as files do.
#pragma once

#include "server/schema/schema_store.h"

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace obcanal::schema {

class KeptRecords final : public SchemaStore {
 public:
    explicit KeptRecords(std::vector<std::string>& records, size_t keep_bytes = size_t{1} << 30)
        : records_(records), keep_bytes_(keep_bytes) {}

    Result<std::vector<std::string>> load() override { return records_; }

    Result<void> append(std::span<const std::string> records) override {
        records_.insert(records_.end(), records.begin(), records.end());
        return {};
    }

    Result<void> replace(std::span<const std::string> records) override {
        records_.assign(records.begin(), records.end());
        return {};
    }

    size_t keep_bytes() const override { return keep_bytes_; }
    Result<std::vector<ReadTo>> readers() override { return readers_; }
    void read_by(std::vector<ReadTo> readers) { readers_ = std::move(readers); }

 private:
    std::vector<std::string>& records_;
    const size_t keep_bytes_;
    std::vector<ReadTo> readers_;
};

}  // namespace obcanal::schema
