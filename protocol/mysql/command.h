// What a replication client sends once it is let in, and what comes back for a query. Sans-I/O:
// payloads out, payloads in.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"
#include "protocol/mysql/gtid.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::mysql {

std::string quit_command();
std::string query_command(std::string_view sql);

struct ReplicaIdentity {
    uint32_t server_id = 0;
    std::string host{};  // as SHOW REPLICAS prints it
    uint16_t port = 0;
};
std::string register_replica_command(const ReplicaIdentity& replica);

namespace dump_flag {
inline constexpr uint16_t kDoNotWait = 1;     // for what is still to be written: an EOF comes
inline constexpr uint16_t kAnnotateRows = 2;  // MariaDB: sends the statements of row events
}  // namespace dump_flag

// Position below 2^32, as the command holds it.
std::string binlog_dump_command(
    uint32_t server_id, std::string_view file, uint32_t position, uint16_t flags = 0
);
// Streams what is not in `executed`.
std::string binlog_dump_gtid_command(uint32_t server_id, const GtidSet& executed);

// A result set read packet by packet. A server that answers OK or EOF where rows were expected
// (OceanBase's Binlog Service does for statements it does not know) leaves an empty one, without
// columns.
class QueryResult {
 public:
    using Row = std::vector<std::optional<std::string>>;

    // Bounds what a server can make us keep.
    static constexpr size_t kMostBytes = size_t{64} << 20;
    static constexpr size_t kMostColumns = 4096;

    // `doing`: what the query is for, for messages.
    explicit QueryResult(std::string doing) : doing_(std::move(doing)) {}

    // Takes the next packet; true when it was the last one.
    Result<bool> receive(Bytes payload);

    const std::vector<std::string>& columns() const { return columns_; }
    const std::vector<Row>& rows() const { return rows_; }

    // A value of the first row by its column's name (case does not matter); empty when there is
    // none or it is NULL.
    std::optional<std::string> value(std::string_view column) const;

 private:
    enum class Part : uint8_t { Head, Columns, ColumnsEnd, Rows, Done };

    Result<bool> receive_head(Bytes payload);
    Result<bool> receive_column(Bytes payload);
    Result<bool> receive_row(Bytes payload);
    Error bad(const char* what) const;

    std::string doing_;
    Part part_ = Part::Head;
    uint64_t columns_left_ = 0;
    size_t bytes_ = 0;
    std::vector<std::string> columns_;
    std::vector<Row> rows_;
};

}  // namespace obcanal::mysql
