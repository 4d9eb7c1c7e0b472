// Writes changes of documents by POST /_bulk: those of one document that come together are one
// action, so that actions are independent of each other, go out on several connections at once,
// and are sent again one by one when the server was too busy for them. Before fields are put into a
// document it is looked at, so that a request whose answer was lost does nothing when it arrives
// behind newer ones. Belongs to a writer; its strand, except stop().
#pragma once

#include "adapter/core/key_table.h"
#include "adapter/es/bulk_reply.h"
#include "adapter/es/document_text.h"
#include "adapter/es/es_client.h"
#include "protocol/net/notifier.h"
#include "protocol/net/task_group.h"

#include <boost/container/small_vector.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace obcanal::adapter::es {

// Where the documents of a mapping go.
struct DocumentTarget {
    const MappingPlan* plan = nullptr;
    std::string index;  // or alias
    // Where documents are looked at: the index itself where an alias stands for several.
    std::string look_index;
    std::string type;  // Elasticsearch 6 only
    std::unique_ptr<DocumentText> text;
};

// All that is to be done to one document.
struct BulkOp {
    const DocumentTarget* target = nullptr;
    BulkAction action = BulkAction::Index;
    // In order; what they point to outlives it.
    boost::container::small_vector<const DocumentChange*, 2> changes;
    size_t from = 0;  // those before it have no effect any more
    ItemOutcome outcome = ItemOutcome::Again;
    BulkItem item;         // of the last answer
    bool look = false;     // again, before it is sent
    DocumentState before;  // when we looked

    bool must_look() const { return look || (action == BulkAction::Update && !before.found); }

    const std::string& id() const { return changes.back()->id; }
    const std::string& routing() const { return changes.back()->routing; }
};

// What the lanes of a wave share from its first feed() or finish() on.
struct BulkRound {
    explicit BulkRound(Executor strand) : lanes(std::move(strand)) {}

    bool open = true;  // more may be added
    Result<void> result;
    TaskGroup lanes;
};

// Ops on their way. Changes of one document become one op as long as it has not left.
class BulkWave {
 public:
    // False: what is in the wave has to be written before it.
    bool add(const DocumentTarget& target, const DocumentChange& change);
    // Changes to be added: they stay where they are, the last ones beyond clear().
    const std::vector<DocumentChange>& keep(std::vector<DocumentChange> changes);
    std::deque<BulkOp>& ops() { return ops_; }
    bool empty() const { return ops_.empty(); }
    // Ops that nobody has taken yet.
    size_t waiting() const { return ops_.size() - taken_; }
    BulkOp* take() { return &ops_[taken_++]; }
    // Is there anything to be done to the document?
    bool has(const DocumentTarget& target, const DocumentChange& change) const;
    // Another wave comes right behind: lanes that have no part in the end of this one are not idle.
    void set_followed() { followed_ = true; }
    void clear();

 private:
    friend class Bulk;

    std::unique_ptr<BulkRound> round_;
    bool followed_ = false;
    std::deque<BulkOp> ops_;
    std::deque<std::vector<DocumentChange>> kept_;
    size_t taken_ = 0;
    // Whatever its routing.
    bool is_of(uint32_t op, const DocumentTarget& target, const DocumentChange& change) const;

    core::KeyTable by_document_;  // of ops_
};

// How much goes into one bulk: less after one that was too much or took long, then more again.
class BulkSize {
 public:
    size_t actions() const { return actions_; }
    size_t bytes() const { return bytes_; }
    void answered(size_t actions, std::chrono::milliseconds took);
    void rejected();
    // False: it can't be less.
    bool too_large();

 private:
    static constexpr size_t kFirst = 1'000;
    static constexpr size_t kLeast = 50;
    static constexpr size_t kMost = 5'000;

    size_t actions_ = kFirst;
    size_t bytes_ = size_t{8} << 20;
};

// Counted for metrics; read by any thread.
struct BulkCounts {
    std::atomic<uint64_t> documents{0};
    std::atomic<uint64_t> bulks{0};
    std::atomic<uint64_t> ahead{0};        // batches
    std::atomic<uint64_t> waited{0};       // of these
    std::atomic<uint64_t> looked_at{0};    // documents
    std::atomic<uint64_t> tried_again{0};  // actions
    std::atomic<uint64_t> stale{0};
    std::atomic<uint64_t> missing{0};
    std::atomic<uint64_t> refused{0};
    std::atomic<uint64_t> parked{0};
};

class Bulk {
 public:
    Bulk(EsClient& client, size_t connections, Executor strand, BulkCounts& counts);

    // Several waves may be under way, of which no two have anything for the same document.
    // Begins to send the wave's ops, more of which may come; returns when there is room for them.
    Awaitable<Result<void>> feed(BulkWave* wave);
    // Sends the rest. When it returns without Error, the outcome of every op is Done, Missing or
    // Refused; in any case nothing of the wave is under way any more.
    Awaitable<Result<void>> finish(BulkWave* wave);
    // What awaits the wave's feed() or finish() ends with an Error.
    void cancel(BulkWave* wave);
    // After feed(): nothing of the wave is under way any more, whatever has become of it.
    Awaitable<void> abandon(BulkWave* wave);
    // Any thread.
    void stop();

 private:
    void begin(BulkWave* wave, size_t lanes);
    size_t share(const BulkWave& wave) const;
    Awaitable<void> run_lane(BulkWave* wave);
    Awaitable<void> work_lane(BulkWave* wave);
    // Sends the first of `pending`, as many as fit, and takes those out that are settled. True: it
    // has got further.
    Awaitable<Result<bool>> send_some(std::vector<BulkOp*>* pending);
    // Looks at those of the first that need it; True: they may be sent.
    Awaitable<Result<bool>> look(std::vector<BulkOp*>* pending);
    // The server is too busy for all of it.
    void put_off(std::span<BulkOp* const> ops, const HttpReply& reply, std::string_view what);
    size_t make_body(const std::vector<BulkOp*>& pending, std::string& body);
    void append_op(std::string& body, const BulkOp& op, uint64_t version) const;
    bool settle(BulkOp& op, BulkItem item);
    Awaitable<void> pause(const BulkRound* round, std::chrono::milliseconds time);
    uint64_t next_version();

    EsClient& client_;
    const size_t connections_;
    const Executor strand_;
    BulkCounts& counts_;
    BulkSize size_;
    size_t body_bytes_ = 0;    // of the last bulk
    Notifier wake_;            // who pauses
    Notifier fed_;             // lanes that have nothing to do
    Notifier room_;            // who feeds them
    uint64_t version_ = 0;     // the last one given to a document
    bool look_first_ = false;  // what is to be made is mostly there
    std::atomic<bool> stopped_{false};
};

// "index of _id 7 in mytest_user: 400: mapper_parsing_exception: ..."
std::string describe_op(const BulkOp& op);

}  // namespace obcanal::adapter::es
