// Changes that a target refused for good, one file for each destination: {data dir}/dead-letters/
// {destination}.jsonl, a line of JSON for each letter and for each thing that was done with one.
// The running adapter appends letters and outcomes; `obcanal-adapter dead-letters` appends wishes
// (retry, drop), also while no adapter runs. Thread-safe; blocks on the disk.
#pragma once

#include "adapter/core/dml.h"
#include "adapter/core/writer.h"
#include "protocol/base/durable_file.h"
#include "protocol/base/result.h"

#include <boost/json/object.hpp>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::adapter::core {

// The writer that a letter is for.
struct LetterOwner {
    std::string group;
    std::string adapter;  // key

    bool operator==(const LetterOwner&) const = default;
};

struct Letter {
    enum class Wish : uint8_t { None, Retry };

    uint64_t id = 0;
    LetterOwner owner;
    std::string task;
    std::string cause;
    std::string parked_at;          // ISO 8601, UTC
    std::vector<std::string> keys;  // what later changes are compared with
    boost::json::object change;     // the Dml with this one row, see letter_text.h
    Wish wish = Wish::None;
};

class DeadLetterStore {
 public:
    // Reads the file when there is one. A torn last line is one that was never acknowledged.
    static Result<std::unique_ptr<DeadLetterStore>> open(
        const std::string& data_dir, const std::string& destination
    );

    // Durable when it returns. A change that comes again after a crash makes no second letter.
    Result<void> park(const LetterOwner& owner, const RefusedChange& change);
    // There is a letter of this change, or was one (the latest of them).
    bool was_parked(const LetterOwner& owner, const RefusedChange& change) const;
    bool has_earlier(const LetterOwner& owner, const RefusedChange& change) const;
    size_t size() const;
    std::vector<Letter> letters() const;

    // Takes in what another process has appended, and forgets dropped letters.
    Result<void> refresh();
    // The oldest letters of their keys that are to be tried again.
    std::vector<Letter> to_retry() const;
    // It is in the target now.
    Result<void> done(uint64_t id);
    // It was refused again; waits for another wish.
    Result<void> failed(uint64_t id, const std::string& cause);

    // -- the operator's
    Result<void> wish_retry(uint64_t id);
    Result<void> drop(uint64_t id);

    static std::string path_of(const std::string& data_dir, const std::string& destination);

 private:
    DeadLetterStore(std::string directory, std::string name);

    Result<void> append(const boost::json::object& line);
    Result<void> read_tail();
    Result<void> take_line(std::string_view line, size_t number);
    Result<void> note(std::string_view what, uint64_t id, std::string_view cause = {});
    void add(Letter letter);
    void remember(const std::string& identity);
    void forget(uint64_t id);
    Result<void> compact();

    const std::string directory_;
    const std::string name_;
    const std::string path_;
    mutable std::mutex mutex_;
    FileHandle file_;
    size_t read_ = 0;   // bytes taken in
    size_t lines_ = 0;  // of them
    uint64_t next_id_ = 1;
    std::map<uint64_t, Letter> letters_;
    std::map<std::string, size_t, std::less<>> keys_;
    std::map<std::string, uint64_t> identities_;  // of letters_, by what they are of
    std::set<std::string> past_;                  // of letters that are done or dropped
    std::deque<std::string> past_order_;
};

// A writer's own side of the store.
class WriterDeadLetters : public DeadLetters {
 public:
    WriterDeadLetters(DeadLetterStore& store, LetterOwner owner)
        : store_(store), owner_(std::move(owner)) {}

    Result<void> park(const RefusedChange& change) override { return store_.park(owner_, change); }

    bool was_parked(const RefusedChange& change) const override {
        return store_.was_parked(owner_, change);
    }

    // An operator may have dropped the letter a moment ago: nothing waits behind that.
    bool has_earlier(const RefusedChange& change) const override {
        if (store_.size() > 0 && !store_.refresh()) return true;
        return store_.has_earlier(owner_, change);
    }

 private:
    DeadLetterStore& store_;
    const LetterOwner owner_;
};

}  // namespace obcanal::adapter::core
