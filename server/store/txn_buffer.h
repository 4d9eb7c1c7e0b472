// Copies encoded entries into chunks and publishes them to the ring a transaction at a time; a
// transaction larger than `transaction_size` entries goes out in pieces, as Canal's
// EventTransactionBuffer does it. Feed strand.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/chunk.h"
#include "protocol/base/result.h"
#include "protocol/canal/change.h"
#include "server/store/event_ring.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace obcanal::store {

struct TxnBufferOptions {
    size_t transaction_size = 1024;
    bool drop_boundaries = false;  // canal.instance.filter.transaction.entry
};

// What the ring must know of an entry.
struct EntryFacts {
    EntryKind kind = EntryKind::Row;
    uint32_t rows = 0;
    uint64_t rows_done = 0;
    int64_t offset = 0;      // of its mark
    int64_t execute_ms = 0;  // of its mark
    bool completes = false;  // the last entry of its transaction
};

class TxnBuffer {
 public:
    TxnBuffer(EventRing& ring, std::shared_ptr<ChunkPool> pool, TxnBufferOptions options);
    ~TxnBuffer();

    // Starts a transaction or a DDL: what was open before is void.
    void begin(const canal::TxnMark& mark);
    // REQUIRES: begin(). False: the buffer is full, flush() first.
    bool append(Bytes record, const EntryFacts& facts);
    // Publishes what is there. `complete`: the transaction ends with it, so that one without rows
    // may be dropped.
    Awaitable<Result<void>> flush(bool complete);
    // As flush(), without waiting: false if the ring has no room, and nothing happened.
    bool try_flush(bool complete);
    // Forgets what was not published: the connection broke inside a transaction.
    void drop();

 private:
    bool keep(bool complete);
    void published();
    void take_chunk(size_t bytes);
    void place_mark();

    EventRing& ring_;
    std::shared_ptr<ChunkPool> pool_;
    TxnBufferOptions options_;
    ChunkRef chunk_;
    bool chunk_owned_ = false;                     // a slot holds the ring's reference to chunk_
    size_t published_used_ = 0;                    // fill of chunk_ that must stay
    std::string texts_;                            // id, log and gtid of txn_, one behind the other
    canal::TxnMark txn_;                           // of its texts only the sizes count
    const canal::TxnMark* placed_mark_ = nullptr;  // copy of txn_ in chunk_
    std::vector<Slot> pending_;
    size_t pending_bytes_ = 0;
    bool has_rows_ = false;  // anything but boundaries since begin(), published pieces included
    int64_t last_empty_ms_ = 0;
    int64_t empty_count_ = 0;
    int64_t last_boundary_ms_ = 0;
    int64_t boundary_count_ = 0;
};

}  // namespace obcanal::store
