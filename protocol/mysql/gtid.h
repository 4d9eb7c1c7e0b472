// Sets of global transaction ids: MySQL's (source uuid, optional tag, intervals of numbers) and
// MariaDB's (last number per domain). Text and wire forms both ways. Plain values, any thread.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::mysql {

using Uuid = std::array<std::byte, 16>;

std::string uuid_text(const Uuid& uuid);  // 8-4-4-4-12, lower case
Result<Uuid> parse_uuid(std::string_view text);

// One transaction of MySQL.
struct Gtid {
    Uuid source{};
    std::string tag;  // MySQL 8.3 and later; empty: none
    int64_t number = 0;

    std::string text() const;  // "uuid:number", "uuid:tag:number"
};

class GtidSet {
 public:
    // "uuid:1-5:7,uuid:tag:1-3": blanks and line ends are allowed, an empty text is the empty set.
    static Result<GtidSet> parse(std::string_view text);
    // The form of PREVIOUS_GTIDS and COM_BINLOG_DUMP_GTID, with or without tags.
    static Result<GtidSet> decode(Bytes bytes);

    std::string text() const;
    std::string encode() const;

    void add(const Gtid& gtid);
    void add(const GtidSet& other);
    bool contains(const Gtid& gtid) const;
    bool contains(const GtidSet& other) const;
    bool empty() const { return sources_.empty(); }
    bool operator==(const GtidSet&) const = default;

 private:
    struct Source {
        Uuid uuid;
        std::string tag;
        auto operator<=>(const Source&) const = default;
    };

    // Numbers from `first` to `last`, both included. Invariant: sorted, neither touching nor
    // overlapping.
    struct Interval {
        int64_t first;
        int64_t last;
        bool operator==(const Interval&) const = default;
    };

    using Intervals = std::vector<Interval>;

    static void insert(Intervals& to, Interval added);

    std::map<Source, Intervals> sources_;
};

// One transaction group of MariaDB.
struct MariadbGtid {
    uint32_t domain = 0;
    uint32_t server = 0;
    uint64_t sequence = 0;

    static Result<MariadbGtid> parse(std::string_view text);
    std::string text() const;  // "domain-server-sequence"
    bool operator==(const MariadbGtid&) const = default;
};

// The last transaction of each domain.
class MariadbGtidSet {
 public:
    // "0-1-5,1-2-7"; two of one domain are an error.
    static Result<MariadbGtidSet> parse(std::string_view text);

    std::string text() const;
    void update(const MariadbGtid& gtid) { domains_[gtid.domain] = gtid; }
    bool contains(const MariadbGtid& gtid) const;
    bool empty() const { return domains_.empty(); }
    bool operator==(const MariadbGtidSet&) const = default;

 private:
    std::map<uint32_t, MariadbGtid> domains_;
};

}  // namespace obcanal::mysql
