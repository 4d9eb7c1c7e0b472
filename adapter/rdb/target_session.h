// A connection with a target database, of whatever kind: transactions, statements, many rows by one
// plan. Blocks; one thread at a time (a lane's), interrupt() from any.
#pragma once

#include "adapter/rdb/sql_plan.h"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace obcanal::adapter::rdb {

enum class Cause : uint8_t {
    Lost,       // the connection; what the last statement did isn't known
    Again,      // deadlock, lock wait: the transaction may be tried again
    Duplicate,  // a unique key
    Reference,  // a foreign key
    Applied,    // DDL whose effect is there already; of a row: its table or column is gone
    Idle,       // DDL for a database that is there, or gone: nothing to do
    Unable,     // full disk, no memory, read-only, no privilege: no row is to blame
    Refused,    // anything else
};

struct Failure {
    Cause cause = Cause::Refused;
    std::string text;
    std::string constraint;  // of a duplicate: the index, "PRIMARY" of MySQL's primary key
};

using Outcome = std::optional<Failure>;

// Rows that one statement, or statements of one form, can write.
struct Unit {
    SqlPlan* plan = nullptr;
    OpKind kind = OpKind::Insert;
    const Shape* shape = nullptr;
    bool moves = false;   // one UPDATE of a key
    bool upsert = false;  // an INSERT that takes the place of the row of its key
    std::vector<const core::DmlRow*> rows;
};

using SqlRow = std::vector<std::optional<std::string>>;

class TargetSession {
 public:
    virtual ~TargetSession() = default;

    // A transaction from here to commit() or rollback().
    virtual Outcome begin() = 0;
    virtual Outcome commit() = 0;
    virtual Outcome rollback() = 0;

    // `matched`: rows that its UPDATEs and DELETEs found, as far as the server counts them.
    virtual Outcome run(const Unit& unit, uint64_t& matched) = 0;
    // As run() with one row, whose failure leaves the transaction usable.
    virtual Outcome run_alone(const Unit& unit, uint64_t& matched) = 0;

    virtual Outcome execute(const std::string& sql) = 0;
    virtual Outcome query(const std::string& sql, std::vector<SqlRow>& rows) = 0;
    // DDL in a database (MySQL) or schema, outside of transactions.
    virtual Outcome execute_ddl(const std::string& database, const std::string& sql) = 0;

    // `table` without columns: there is none of this name.
    virtual Outcome describe(
        const std::string& database, const std::string& name, TargetTable& table
    ) = 0;

    virtual SqlFamily family() const = 0;
    virtual void interrupt() = 0;
};

// Opens a session with what outerAdapters[].properties name. Blocks.
using OpenSession = std::function<Result<std::unique_ptr<TargetSession>>()>;

}  // namespace obcanal::adapter::rdb
