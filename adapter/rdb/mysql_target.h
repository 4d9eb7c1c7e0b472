// Targets of the MySQL family: MySQL, MariaDB, OceanBase. Rows go by one prepared statement and
// arrays of parameters where the server has that (MariaDB), as multi-row INSERT and several
// statements in one round trip elsewhere.
#pragma once

#include "adapter/rdb/target_session.h"
#include "protocol/client/mysql_session.h"

#include <memory>
#include <string>
#include <vector>

namespace obcanal::adapter::rdb {

class MysqlTarget : public TargetSession {
 public:
    // Tries the url's servers one after the other.
    static Result<std::unique_ptr<TargetSession>> open(
        const config::JdbcUrl& url, const std::string& user, const std::string& password
    );

    Outcome begin() override { return std::nullopt; }  // autocommit is off
    Outcome commit() override;
    Outcome rollback() override;
    Outcome run(const Unit& unit, uint64_t& matched) override;
    Outcome run_alone(const Unit& unit, uint64_t& matched) override;
    Outcome execute(const std::string& sql) override;
    Outcome query(const std::string& sql, std::vector<SqlRow>& rows) override;
    Outcome execute_ddl(const std::string& database, const std::string& sql) override;
    Outcome describe(const std::string& database, const std::string& name, TargetTable& table)
        override;

    SqlFamily family() const override { return SqlFamily::Mysql; }
    void interrupt() override { session_->interrupt(); }

 private:
    struct Parameter {
        const PlanColumn* column;
        bool old;  // the value that the row is found by
    };

    MysqlTarget(std::unique_ptr<client::MysqlSession> session, std::string database)
        : session_(std::move(session)), database_(std::move(database)) {}

    Outcome set_up(const config::JdbcUrl& url);
    Outcome run_bulk(const Unit& unit, uint64_t& matched);
    Outcome run_inserts(const Unit& unit);
    Outcome run_texts(const Unit& unit, uint64_t& matched);
    Outcome run_one(const Unit& unit, uint64_t& matched);
    Outcome be_strict();
    static Shape blank_enums(const Unit& unit);
    Outcome run_with_blanks(
        const Unit& unit, const Shape& blanks, Failure refused, uint64_t& matched
    );
    Outcome write_blanks_warned(
        const Unit& unit, const Shape& blanks, bool& whole, uint64_t& matched
    );
    Outcome write_blanks_apart(
        const Unit& unit, const Shape& blanks, bool& whole, uint64_t& matched
    );
    void add_parameter(const PlanColumn& column, bool old, size_t count);
    bool fill(const Unit& unit, size_t first, size_t count, Arena& arena);
    Outcome describe_columns(const std::string& place, TargetTable& table);
    Outcome describe_keys(const std::string& place, TargetTable& table);

    std::unique_ptr<client::MysqlSession> session_;
    std::string database_;  // the url's
    // Geometries by a function; a lenient session warns of little that it cuts off.
    bool oceanbase_ = false;
    size_t packet_ = size_t{4} << 20;       // bytes of a statement
    std::vector<client::SqlArray> arrays_;  // of the statement's parameters
    std::vector<Parameter> parameters_;
};

}  // namespace obcanal::adapter::rdb
