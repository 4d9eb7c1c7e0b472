// One full load of a mapping: its table, or all tables of the database that it mirrors, one after
// the other. Owned by the writer; run() on its strand, the work on threads of its own; stop() from
// any thread.
#pragma once

#include "adapter/core/writer.h"
#include "adapter/rdb/table_load.h"
#include "protocol/net/runtime.h"

#include <memory>
#include <string>
#include <vector>

namespace obcanal::adapter::rdb {

class FullLoad {
 public:
    FullLoad(LoadContext context, config::RdbMapping mapping, Executor strand);
    ~FullLoad();

    // Ends with the state saved as it is then: done, failed, or to be gone on with.
    Awaitable<Result<core::FullLoadOutcome>> run(core::LoadState& state);
    void stop() { sessions_.stop(); }

 private:
    Awaitable<Result<void>> load_table(core::LoadState& state, std::string table, uint64_t& rows);
    Awaitable<void> work(size_t number, TableLoad& load, Result<void>& result);
    Awaitable<Result<std::vector<std::string>>> tables();
    Awaitable<Result<void>> end(core::LoadState& state, Result<void> done);

    const LoadContext context_;
    const config::RdbMapping mapping_;
    const Executor strand_;
    OpenSessions sessions_;
    std::vector<std::unique_ptr<BlockingLane>> threads_;
};

}  // namespace obcanal::adapter::rdb
