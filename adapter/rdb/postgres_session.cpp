#include "adapter/rdb/postgres_session.h"

#include "adapter/rdb/sql_text.h"
#include "protocol/base/text.h"

#include <libpq-fe.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>

namespace obcanal::adapter::rdb {

namespace {

constexpr size_t kTexts = 250;  // UPDATEs and DELETEs in one round trip
constexpr size_t kStatementBytes = size_t{2} << 20;

struct PgResult {
    explicit PgResult(PGresult* r) : result(r) {}
    ~PgResult() { PQclear(result); }
    PgResult(const PgResult&) = delete;
    PgResult& operator=(const PgResult&) = delete;

    std::string field(int code) const {
        const char* text = PQresultErrorField(result, code);
        return text == nullptr ? "" : text;
    }

    PGresult* result;
};

bool is_one_of(std::string_view state, std::initializer_list<std::string_view> states) {
    return std::ranges::find(states, state) != states.end();
}

Cause cause_of(std::string_view state) {
    if (state.empty() || state.starts_with("08") || state.starts_with("57P")) {
        return Cause::Lost;
    }
    if (is_one_of(state, {"40001", "40P01", "55P03", "57014"})) {
        return Cause::Again;
    }
    if (state == "23505") {
        return Cause::Duplicate;
    }
    if (state == "23503") {
        return Cause::Reference;
    }
    if (state == "42P06") {
        return Cause::Idle;
    }
    // Table, column or index exists, or is gone.
    if (is_one_of(state, {"42P07", "42701", "42710", "42P01", "42703", "42704"})) {
        return Cause::Applied;
    }
    // Disk, memory and connections; input and output; read-only; privileges.
    if (state.starts_with("53") || state.starts_with("58") ||
        is_one_of(state, {"25006", "42501"})) {
        return Cause::Unable;
    }
    return Cause::Refused;
}

}  // namespace

struct PostgresSession::Handle {
    explicit Handle(PGconn* c) : connection(c), socket(PQsocket(c)) {}

    ~Handle() {
        socket = -1;
        PQfinish(connection);
    }

    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;

    PGconn* connection;
    std::atomic<int> socket;
};

PostgresSession::PostgresSession(std::unique_ptr<Handle> handle) : handle_(std::move(handle)) {}

PostgresSession::~PostgresSession() = default;

Result<std::unique_ptr<TargetSession>> PostgresSession::open(
    const config::JdbcUrl& url, const std::string& user, const std::string& password
) {
    Error last;
    for (const Endpoint& server : url.servers) {
        std::vector<std::pair<std::string, std::string>> settings{
            {"host", server.host},
            {"port", std::to_string(server.port)},
            {"user", user},
            {"password", password},
            {"dbname", url.database},
            {"client_encoding", "UTF8"},
            {"connect_timeout", "10"},
            {"application_name", "obcanal-adapter"},
            // Waits for a peer that is gone end.
            {"tcp_user_timeout", "60000"},
            {"keepalives_idle", "30"},
            {"keepalives_interval", "10"},
            {"keepalives_count", "3"},
        };
        for (const std::string_view name :
             {"sslmode", "sslrootcert", "sslcert", "sslkey", "options"}) {
            const std::string_view value = parameter(url, name);
            if (!value.empty()) {
                settings.emplace_back(name, value);
            }
        }
        if (equals_ignore_case(parameter(url, "ssl"), "true") &&
            parameter(url, "sslmode").empty()) {
            settings.emplace_back("sslmode", "require");
        }
        std::vector<const char*> names;
        std::vector<const char*> values;
        for (const auto& [name, value] : settings) {
            names.push_back(name.c_str());
            values.push_back(value.c_str());
        }
        names.push_back(nullptr);
        values.push_back(nullptr);
        auto handle = std::make_unique<Handle>(PQconnectdbParams(names.data(), values.data(), 0));
        if (PQstatus(handle->connection) != CONNECTION_OK) {
            const std::string text(trim(PQerrorMessage(handle->connection)));
            last = Error{Errc::Io, Retry::Backoff, server.text() + ": " + text};
            continue;
        }
        PQsetNoticeProcessor(handle->connection, [](void*, const char*) {}, nullptr);
        std::unique_ptr<PostgresSession> session(new PostgresSession(std::move(handle)));
        std::string setup = "SET standard_conforming_strings=on;SET datestyle=ISO";
        const std::string_view schema = parameter(url, "currentSchema");
        if (!schema.empty()) {
            setup += ";SET search_path=" + std::string(schema);
        }
        if (const Outcome failed = session->execute(setup)) {
            last = Error{Errc::Refused, Retry::Backoff, server.text() + ": " + failed->text};
            continue;
        }
        return std::unique_ptr<TargetSession>(std::move(session));
    }
    return last;
}

void PostgresSession::interrupt() {
    const int socket = handle_->socket;
    if (socket >= 0) {
        ::shutdown(socket, SHUT_RDWR);
    }
}

Outcome PostgresSession::send(
    const std::string& sql, uint64_t* matched, std::vector<SqlRow>* rows
) {
    PGconn* connection = handle_->connection;
    if (PQsendQuery(connection, sql.c_str()) == 0) {
        return Failure{Cause::Lost, std::string(trim(PQerrorMessage(connection))), ""};
    }
    Outcome failed;
    while (PGresult* read = PQgetResult(connection)) {
        const PgResult result(read);
        const ExecStatusType status = PQresultStatus(read);
        if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE) {
            const std::string state = result.field(PG_DIAG_SQLSTATE);
            std::string text = state + " " + result.field(PG_DIAG_MESSAGE_PRIMARY);
            const std::string detail = result.field(PG_DIAG_MESSAGE_DETAIL);
            text += detail.empty() ? "" : " (" + detail + ")";
            if (state.empty()) {
                text = std::string(trim(PQerrorMessage(connection)));
            }
            failed = Failure{cause_of(state), text, result.field(PG_DIAG_CONSTRAINT_NAME)};
            continue;
        }
        if (matched != nullptr) {
            *matched += parse_uint(PQcmdTuples(read)).value_or(0);
        }
        const int count = rows == nullptr ? 0 : PQntuples(read);
        for (int i = 0; i < count; i++) {
            SqlRow& row = rows->emplace_back();
            for (int k = 0; k < PQnfields(read); k++) {
                const bool null = PQgetisnull(read, i, k) != 0;
                const auto length = static_cast<size_t>(PQgetlength(read, i, k));
                row.emplace_back();
                if (!null) {
                    row.back() = std::string(PQgetvalue(read, i, k), length);
                }
            }
        }
    }
    if (PQstatus(connection) != CONNECTION_OK && (!failed || failed->cause != Cause::Lost)) {
        return Failure{Cause::Lost, std::string(trim(PQerrorMessage(connection))), ""};
    }
    return failed;
}

Outcome PostgresSession::begin() {
    if (in_transaction_) {
        return std::nullopt;
    }
    in_transaction_ = true;
    return send("BEGIN", nullptr, nullptr);
}

// A COMMIT in a failed transaction is answered as a ROLLBACK.
Outcome PostgresSession::commit() {
    const bool failed_before = PQtransactionStatus(handle_->connection) == PQTRANS_INERROR;
    in_transaction_ = false;
    Outcome failed = send("COMMIT", nullptr, nullptr);
    if (!failed && failed_before) {
        return Failure{Cause::Refused, "the transaction had failed before its COMMIT", ""};
    }
    return failed;
}

Outcome PostgresSession::rollback() {
    in_transaction_ = false;
    return send("ROLLBACK", nullptr, nullptr);
}

Outcome PostgresSession::execute(const std::string& sql) { return send(sql, nullptr, nullptr); }

Outcome PostgresSession::query(const std::string& sql, std::vector<SqlRow>& rows) {
    rows.clear();
    return send(sql, nullptr, &rows);
}

Outcome PostgresSession::run(const Unit& unit, uint64_t& matched) {
    matched = 0;
    const SqlPlan& plan = *unit.plan;
    std::string sql;
    size_t statements = 0;
    for (size_t i = 0; i < unit.rows.size(); i++) {
        const core::DmlRow& row = *unit.rows[i];
        if (unit.kind == OpKind::Insert) {
            if (sql.empty()) {
                append_insert_head(sql, plan, *unit.shape);
            } else {
                sql += ',';
            }
            append_insert_row(sql, family(), plan, *unit.shape, row);
        } else {
            sql += statements++ > 0 ? ";" : "";
            if (unit.kind == OpKind::Update) {
                append_update(sql, family(), plan, *unit.shape, row);
            } else {
                append_delete(sql, family(), plan, row);
            }
        }
        if (sql.find('\0') != std::string::npos) {
            return Failure{
                Cause::Refused, "a text holds a zero byte, which PostgreSQL has not", ""
            };
        }
        if (statements == kTexts || sql.size() >= kStatementBytes || i + 1 == unit.rows.size()) {
            if (unit.upsert) {
                append_upsert_tail(sql, family(), plan, *unit.shape);
            }
            if (auto failed = send(sql, &matched, nullptr)) {
                return failed;
            }
            sql.clear();
            statements = 0;
        }
    }
    return std::nullopt;
}

Outcome PostgresSession::run_alone(const Unit& unit, uint64_t& matched) {
    if (auto failed = send("SAVEPOINT r", nullptr, nullptr)) {
        return failed;
    }
    Outcome failed = run(unit, matched);
    if (failed && failed->cause == Cause::Lost) {
        return failed;
    }
    const char* end =
        failed ? "ROLLBACK TO SAVEPOINT r;RELEASE SAVEPOINT r" : "RELEASE SAVEPOINT r";
    if (auto lost = send(end, nullptr, nullptr)) {
        return lost;
    }
    return failed;
}

Outcome PostgresSession::execute_ddl(const std::string& database, const std::string& sql) {
    if (!database.empty()) {
        const std::string schema = quote_name(family(), database);
        if (auto failed = send("SET search_path=" + schema, nullptr, nullptr)) {
            return failed;
        }
    }
    Outcome failed = send(sql, nullptr, nullptr);
    if (!database.empty() && (!failed || failed->cause != Cause::Lost)) {
        if (auto lost = send("RESET search_path", nullptr, nullptr)) {
            return lost;
        }
    }
    return failed;
}

Outcome PostgresSession::describe(
    const std::string& database, const std::string& name, TargetTable& table
) {
    table = {};
    table.database = database;
    table.name = name;
    std::string place = quote_name(family(), name);
    if (!database.empty()) {
        place = quote_name(family(), database) + "." + place;
    }
    const std::string id = "to_regclass(" + literal(family(), place) + ")";
    std::vector<SqlRow> rows;
    if (auto failed = query(
            "SELECT a.attname,t.typname,format_type(a.atttypid,a.atttypmod),"
            "a.attgenerated<>'' OR a.attidentity='a' FROM pg_attribute a"
            " JOIN pg_type t ON t.oid=a.atttypid WHERE a.attrelid=" +
                id + " AND a.attnum>0 AND NOT a.attisdropped ORDER BY a.attnum",
            rows
        )) {
        return failed;
    }
    for (const SqlRow& row : rows) {
        TargetColumn column;
        column.name = row[0].value_or("");
        column.type = row[1].value_or("");
        column.full_type = row[2].value_or("");
        column.generated = row[3].value_or("f") == "t";
        table.columns.push_back(std::move(column));
    }
    return describe_keys(id, table);
}

Outcome PostgresSession::describe_keys(const std::string& table_id, TargetTable& table) {
    std::vector<SqlRow> rows;
    if (auto failed = query(
            "SELECT c.relname,i.indisprimary,a.attname FROM pg_index i"
            " JOIN pg_class c ON c.oid=i.indexrelid"
            " CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY k(number,place)"
            " LEFT JOIN pg_attribute a ON a.attrelid=i.indrelid AND a.attnum=k.number"
            " WHERE i.indisunique AND i.indrelid=" +
                table_id + " ORDER BY c.relname,k.place",
            rows
        )) {
        return failed;
    }
    for (const SqlRow& row : rows) {
        const std::string name = row[0].value_or("");
        if (table.unique.empty() || table.unique.back().name != name) {
            table.unique.emplace_back().name = name;
            table.unique.back().primary = row[1].value_or("f") == "t";
        }
        table.unique.back().columns.push_back(row[2].value_or("(expression)"));
    }
    auto failed = query(
        "SELECT 1 FROM pg_constraint WHERE contype='f' AND (conrelid=" + table_id +
            " OR confrelid=" + table_id +
            ") UNION ALL SELECT 1 FROM pg_trigger WHERE NOT tgisinternal AND tgrelid=" + table_id +
            " LIMIT 1",
        rows
    );
    table.constrained = !rows.empty();
    return failed;
}

}  // namespace obcanal::adapter::rdb
