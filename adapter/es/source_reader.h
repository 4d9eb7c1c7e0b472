// One database that rows are read back from: its sessions, opened when they are wanted, and what
// every reading needs: statements with typed results, and certainty that a change whose event has
// arrived can be seen. Blocks; one thread at a time, interrupt() from any.
#pragma once

#include "adapter/config/adapter_config.h"
#include "adapter/core/dml.h"
#include "adapter/core/source_session.h"
#include "protocol/base/log.h"
#include "protocol/base/result.h"
#include "protocol/client/mysql_session.h"

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace obcanal::adapter::es {

class SourceReader {
 public:
    explicit SourceReader(config::DataSourceConfig source);
    ~SourceReader();

    using Row = std::span<const std::optional<std::string_view>>;
    // False: no further row is wanted.
    using RowFunction = std::function<bool(const std::vector<client::SqlColumn>&, Row)>;

    // Which of the sessions; a result that is still being read needs its own.
    enum class Session : uint8_t { Main, Outer };

    // `what`: for messages.
    Result<void> read(
        const std::string& sql, const RowFunction& row, const std::string& what, Session which
    );
    // The columns that a statement's rows would have.
    Result<void> describe_result(
        const std::string& sql, std::vector<client::SqlColumn>& columns, const std::string& what
    );
    // `database`: empty: the url's.
    Result<core::SourceTable> describe(const std::string& database, const std::string& table);
    // Returns once the transaction of a row's change is seen by others: its event may come before.
    Result<void> await_visible(const core::Dml& dml, const core::DmlRow& row);
    // Of tables without schema.
    Result<std::string> schema();
    // After an interrupt() that was meant for what ran then.
    void resume();
    void interrupt();

 private:
    using Failure = std::optional<client::SqlFailure>;

    // `error` says why, where it fails; a code of 0: there is no session.
    Failure run(
        Session which, const std::function<Failure(client::MysqlSession&)>& call, Error& error
    );
    Result<client::MysqlSession*> session(Session which);
    void drop(Session which);
    Result<void> set_up(client::MysqlSession& session);

    const config::DataSourceConfig source_;
    std::mutex mutex_;  // the pointers, for interrupt()
    std::array<std::unique_ptr<client::MysqlSession>, 2> sessions_;
    bool interrupted_ = false;
    bool touched_ = false;      // rows of the statement were handed on
    bool commits_late_ = true;  // events may come before their transaction can be seen
    Logger log_{"es"};
    LogGate gate_{std::chrono::seconds(60)};
};

}  // namespace obcanal::adapter::es
