// Positions as clients, meta.dat and ZooKeeper see them: Canal's LogPosition, field for field, and
// what an oblogproxy source needs on top. Source of the format: Canal's cursor JSON (fastjson2),
// including its misspelt "postion".
#pragma once

#include "protocol/base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::canal {

// The log a position belongs to.
struct LogIdentity {
    std::string host;
    uint16_t port = 0;
    int64_t slave_id = -1;

    bool operator==(const LogIdentity&) const = default;
};

// An oblogproxy can only be asked for "everything after this checkpoint"; it then sends again what
// was committed since. This says which of it was consumed already. Written as the member "oblog" of
// "postion", which Java ignores.
struct OblogResume {
    // Highest commit time of a consumed transaction or DDL, microseconds since the epoch.
    int64_t commit_us = 0;
    // True: the source sends in order of commit time (OceanBase 4), so everything below commit_us
    // was consumed and `consumed` lists only what was committed in that very microsecond. False:
    // `consumed` lists all since the checkpoint.
    bool ordered = false;
    // Unique ids of transactions and DDLs that were consumed whole. An id may stand there more than
    // once.
    std::vector<std::string> consumed;
    // A transaction that was consumed up to a row: its unique id and the number of rows.
    std::string open;
    uint64_t open_rows = 0;

    bool operator==(const OblogResume&) const = default;
};

// What of the group of events around a binlog position was consumed. Written as the member "binlog"
// of "postion", which Java ignores.
struct BinlogResume {
    // The event at the position was consumed, and it was the last one of its group.
    bool done = false;
    // The group that begins at the position was consumed up to this event, counted from 1; 0: not
    // begun.
    uint64_t events = 0;
    std::string gtid;  // of that group; empty: it has none

    bool operator==(const BinlogResume&) const = default;
};

struct LogPosition {
    LogIdentity identity;
    std::string journal_name;
    int64_t position = 0;  // offset in the journal; oblogproxy: microsecond part of the checkpoint
    int64_t timestamp_ms = 0;  // oblogproxy: seconds of the checkpoint x 1000
    std::optional<int64_t> server_id;
    std::string gtid;
    bool included = false;
    std::optional<OblogResume> oblog;
    std::optional<BinlogResume> binlog;

    bool operator==(const LogPosition&) const = default;
};

// Canal's JSON. `with_type` puts "@type" in front, as ZooKeeper's readers need it and meta.dat's do
// not.
std::string to_json(const LogPosition& position, bool with_type);
// Unknown members are skipped; "@type" may be there or not.
Result<LogPosition> parse_log_position(std::string_view json);

// Which of two positions of one source comes first (the one to restart from): negative, zero,
// positive. Same address: journal name, then offset; oblogproxy positions: checkpoint, then commit
// time, then rows; other address: time.
int compare(const LogPosition& a, const LogPosition& b);

}  // namespace obcanal::canal
