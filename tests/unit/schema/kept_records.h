// The records of a schema history that outlive the SchemaLog which wrote them, as files do.
#pragma once

#include "server/schema/schema_store.h"

#include <span>
#include <string>
#include <vector>

namespace obcanal::schema {

class KeptRecords final : public SchemaStore {
 public:
    explicit KeptRecords(std::vector<std::string>& records) : records_(records) {}
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
    std::vector<std::string>& records_;
};

}  // namespace obcanal::schema
