// A session that blocks, with a MySQL, MariaDB or OceanBase server, over MariaDB Connector/C: text
// statements, several of them in one round trip, and one prepared statement for the rows of arrays.
// One thread at a time (a BlockingLane); interrupt() from any thread.
#pragma once

#include "protocol/base/result.h"
#include "protocol/base/text.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::client {

struct MysqlSessionOptions {
    enum class Tls : uint8_t { Off, Preferred, Required, Verified };

    Endpoint server;
    std::string user;
    std::string password;
    std::string database;  // empty: none
    Tls tls = Tls::Off;
    std::string ca_file;
    std::string certificate_file;
    std::string key_file;
    std::chrono::seconds connect_timeout{10};
    std::chrono::seconds io_timeout{300};
};

// What the server, or the way to it, has against a statement.
struct SqlFailure {
    uint32_t code = 0;  // the server's, or the client library's (2000 and up)
    std::string state;
    std::string text;      // "1062 (23000): Duplicate entry ..."
    bool lost = false;     // the session is of no use any more
    size_t statement = 0;  // which of several; those before it were executed
};

struct SqlRows {
    std::vector<std::string> columns;
    std::vector<std::vector<std::optional<std::string>>> rows;
};

// What the text of a result's column is; `Text` for all that is none of the others, enum and set
// too.
enum class SqlType : uint8_t {
    Integer,  // YEAR too
    Decimal,
    Float,
    Double,
    Bit,  // bytes, big-endian
    Date,
    Time,
    DateTime,
    Json,
    Bytes,  // binary strings and geometries
    Text,
};

struct SqlColumn {
    std::string name;
    SqlType type = SqlType::Text;
};

// One parameter of all rows of a bulk(): `integers` (with `is_unsigned`), or `texts` and `lengths`;
// `nulls` where a row has none.
struct SqlArray {
    enum class Kind : uint8_t { Integer, Text, Bytes };

    Kind kind = Kind::Text;
    bool is_unsigned = false;
    std::vector<int64_t> integers;
    std::vector<const char*> texts;
    std::vector<unsigned long> lengths;
    std::vector<char> indicators;  // 0 value, 1 NULL
};

class MysqlSession {
 public:
    static Result<std::unique_ptr<MysqlSession>> open(const MysqlSessionOptions& options);
    ~MysqlSession();

    // A statement without rows. `changed`: the rows it matched.
    std::optional<SqlFailure> execute(std::string_view sql, uint64_t* matched = nullptr);
    // Statements with ";" between them, in one round trip. `matched` gets a number for each that
    // was executed.
    std::optional<SqlFailure> execute_all(std::string_view sql, std::vector<uint64_t>& matched);
    std::optional<SqlFailure> query(std::string_view sql, SqlRows& rows);
    // Rows one by one as they come; `row` returns false to stop. Views are valid in the call only.
    using Row = std::span<const std::optional<std::string_view>>;
    std::optional<SqlFailure> stream(
        std::string_view sql, const std::function<bool(Row)>& row, std::vector<std::string>* columns
    );

    // The same, and what the columns are, known before the first row.
    std::optional<SqlFailure> stream_typed(
        std::string_view sql, const std::function<bool(Row)>& row, std::vector<SqlColumn>& columns
    );

    // True where the server runs one prepared statement for arrays of parameters (MariaDB).
    bool has_bulk() const { return bulk_; }
    // REQUIRES: has_bulk()
    std::optional<SqlFailure> bulk(
        const std::string& sql, std::span<SqlArray> parameters, size_t rows, uint64_t& matched
    );

    const std::string& version() const { return version_; }
    // Breaks the connection, so that what blocks returns with `lost`. Any thread.
    void interrupt();

 private:
    struct Handle;
    struct Prepared;

    explicit MysqlSession(std::unique_ptr<Handle> handle);
    SqlFailure failure() const;
    std::optional<SqlFailure> prepare(const std::string& sql, Prepared*& prepared);

    std::unique_ptr<Handle> handle_;
    std::vector<std::unique_ptr<Prepared>> prepared_;  // the latest used at the end
    std::string version_;
    std::atomic<int> socket_{-1};
    bool bulk_ = false;
};

}  // namespace obcanal::client
