// Canal's memory-instance.xml: nothing outlives the process. Thread-safe.
#pragma once

#include "server/meta/client_records.h"
#include "server/meta/meta_store.h"

#include <mutex>

namespace obcanal::meta {

class MemoryMetaStore final : public MetaStore {
 public:
    Result<ClientTable> load() override {
        const std::scoped_lock lock(mutex_);
        return records_.subscribed_clients();
    }

    Result<void> subscribe(canal::ClientId client, const std::optional<std::string>& filter)
        override {
        const std::scoped_lock lock(mutex_);
        records_.subscribe(client, filter);
        return {};
    }

    Result<void> unsubscribe(canal::ClientId client) override {
        const std::scoped_lock lock(mutex_);
        records_.unsubscribe(client);
        return {};
    }

    Result<void> save_cursor(canal::ClientId client, const canal::LogPosition& at) override {
        const std::scoped_lock lock(mutex_);
        records_.save_cursor(client, at);
        return {};
    }

    std::optional<canal::LogPosition> cursor(canal::ClientId client) const override {
        const std::scoped_lock lock(mutex_);
        const canal::LogPosition* found = records_.cursor(client);
        return found == nullptr ? std::nullopt : std::optional(*found);
    }

    bool dirty() const override { return false; }
    Result<void> flush() override { return {}; }
    Result<void> close() override { return {}; }

 private:
    mutable std::mutex mutex_;
    ClientRecords records_;
};

}  // namespace obcanal::meta
