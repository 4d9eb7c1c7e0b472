// A table of the source in pieces of about so many rows, by the order of its key (keyset paging):
// several readers take the next piece each, in any order they are done, and everything in front of
// the frontier is. Rows that come into a piece while it is read are read or not; none that was
// there before and stays is left out. Thread-safe; next() blocks on the session that it is given.
#pragma once

#include "adapter/core/source_session.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace obcanal::adapter::core {

struct KeyRange {
    uint64_t number = 0;
    std::vector<std::string> after;  // not itself; empty: from the first row
    std::vector<std::string> up_to;  // itself too; empty: to the last row
};

class KeyRanges {
 public:
    // `condition`: "WHERE ..." or empty. `after`: where an earlier load stood. REQUIRES: the table
    // has a paging key.
    KeyRanges(
        SourceTable table, const std::string& condition, size_t rows, std::vector<std::string> after
    );

    // Nothing: all are given out.
    Result<std::optional<KeyRange>> next(client::MysqlSession& session);
    // " WHERE ... ORDER BY ...".
    std::string where(const KeyRange& range) const;
    void done(const KeyRange& range, uint64_t rows);

    struct Frontier {
        std::vector<std::string> after;
        uint64_t rows = 0;  // of the pieces in front of it
        bool all = false;
    };
    Frontier frontier() const;

 private:
    struct Done {
        std::vector<std::string> up_to;
        uint64_t rows = 0;
    };

    std::string bounds(const std::vector<std::string>& after, const std::vector<std::string>& up_to)
        const;
    std::string order() const;

    const SourceTable table_;
    std::string condition_;  // without WHERE, in brackets
    const size_t rows_;
    mutable std::mutex mutex_;
    std::vector<std::string> given_;  // up to here
    bool last_given_ = false;
    uint64_t next_number_ = 0;
    Frontier frontier_;
    uint64_t frontier_number_ = 0;
    std::map<uint64_t, Done> ahead_;  // done, with pieces in front of them that aren't
};

// "where x" as "(x)"; empty stays so. An Error when it does not begin with WHERE.
Result<std::string> condition_in_brackets(std::string_view condition);

}  // namespace obcanal::adapter::core
