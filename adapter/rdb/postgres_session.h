// Targets of PostgreSQL, over libpq: multi-row INSERT, and several UPDATEs or DELETEs in one round
// trip. A statement's failure ends the transaction there; run_alone() keeps it by a savepoint.
#pragma once

#include "adapter/rdb/target_session.h"

#include <memory>
#include <string>
#include <vector>

namespace obcanal::adapter::rdb {

class PostgresSession : public TargetSession {
 public:
    // Tries the url's servers one after the other; sslmode, sslrootcert, currentSchema and options
    // of the url's parameters are libpq's.
    static Result<std::unique_ptr<TargetSession>> open(
        const config::JdbcUrl& url, const std::string& user, const std::string& password
    );
    ~PostgresSession() override;

    Outcome begin() override;
    Outcome commit() override;
    Outcome rollback() override;
    Outcome run(const Unit& unit, uint64_t& matched) override;
    Outcome run_alone(const Unit& unit, uint64_t& matched) override;
    Outcome execute(const std::string& sql) override;
    Outcome query(const std::string& sql, std::vector<SqlRow>& rows) override;
    Outcome execute_ddl(const std::string& database, const std::string& sql) override;
    Outcome describe(const std::string& database, const std::string& name, TargetTable& table)
        override;

    SqlFamily family() const override { return SqlFamily::Postgres; }
    void interrupt() override;

 private:
    struct Handle;

    explicit PostgresSession(std::unique_ptr<Handle> handle);
    // `matched` gets what every statement of `sql` found.
    Outcome send(const std::string& sql, uint64_t* matched, std::vector<SqlRow>* rows);
    Outcome describe_keys(const std::string& table_id, TargetTable& table);

    std::unique_ptr<Handle> handle_;
    bool in_transaction_ = false;
};

}  // namespace obcanal::adapter::rdb
