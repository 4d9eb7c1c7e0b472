// The position that a target keeps of its source in a table of its own, written in the transaction
// of the rows it stands for (canal.adapter.position: target), and which changes that come again it
// covers. Pure; the writer's strand.
#pragma once

#include "adapter/config/jdbc_url.h"
#include "adapter/core/dml.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace obcanal::adapter::rdb {

inline constexpr std::string_view kPositionTable = "canal_adapter_position";

// The latest change whose rows are in the target: entries of one place in the log are counted,
// until they can't be (0): then those of this place that come again may be there or not.
struct SourceMark {
    std::string file;
    int64_t offset = 0;
    uint64_t entries = 0;

    bool operator==(const SourceMark&) const = default;
    void move_to(const core::Dml& dml);
    bool is_set() const { return !file.empty(); }
};

std::string create_position_table(config::SqlFamily family);
// Makes sure that there is a row, with no entries.
std::string begin_position(config::SqlFamily family, std::string_view id);
// Row: file, offset, entries. Waits for a transaction that stores another one: the COMMIT of a
// session that was lost may still be under way.
std::string select_position(config::SqlFamily family, std::string_view id);
std::string store_position(config::SqlFamily family, std::string_view id, const SourceMark& mark);

// Files of one server's log, as far as their names say.
bool same_log(std::string_view file, std::string_view other);

// < 0: `file`, `offset` is before the mark; 0: at it; > 0: behind it. Files of one name compare by
// the number at their end; others follow each other.
int compare_place(std::string_view file, int64_t offset, const SourceMark& mark);

// Tells the changes that a mark covers from those behind it, in the order in which they come.
class CoveredChanges {
 public:
    // `before`: what has come up to now, of a server that began at the start of a place.
    explicit CoveredChanges(SourceMark mark, const SourceMark& before = {})
        : mark_(std::move(mark)),
          seen_(before.file == mark_.file && before.offset == mark_.offset ? before.entries : 0) {}

    bool covers(const core::Dml& dml);
    // Nothing says whether it is there.
    bool leaves_open(const core::Dml& dml) const {
        return mark_.entries == 0 && compare_place(dml.log_file, dml.log_offset, mark_) == 0;
    }
    bool over() const { return over_; }

 private:
    SourceMark mark_;
    uint64_t seen_ = 0;  // entries at the mark
    bool over_ = false;
};

}  // namespace obcanal::adapter::rdb
