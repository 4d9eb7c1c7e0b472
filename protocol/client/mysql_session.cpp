#include "protocol/client/mysql_session.h"

#include <mysql.h>
#include <sys/socket.h>

#include <algorithm>
#include <mutex>

namespace obcanal::client {

namespace {

constexpr size_t kPreparedLimit = 256;       // statements kept ready in one session
constexpr unsigned long kExtendedBulk = 4;   // MARIADB_CLIENT_STMT_BULK_OPERATIONS, upper half
constexpr uint32_t kClientErrors = 2000;     // codes of the library, not of the server
constexpr uint32_t kClientErrorsEnd = 3000;  // MySQL 8 has server codes from here on

bool is_lost(uint32_t code) {
    // Server shutdown, killed, read and write timeouts, packet errors.
    return (code >= kClientErrors && code < kClientErrorsEnd) || code == 1053 || code == 1077 ||
           code == 1152 || code == 1927 || (code >= 1158 && code <= 1161) || code == 5014;
}

SqlFailure make_failure(uint32_t code, const char* state, const char* text) {
    SqlFailure failure;
    failure.code = code;
    failure.state = state;
    failure.text = std::to_string(code) + " (" + state + "): " + text;
    failure.lost = is_lost(code);
    return failure;
}

SqlType type_of(const MYSQL_FIELD& field) {
    constexpr unsigned kBinary = 63;  // the number of the character set
    switch (field.type) {
        case MYSQL_TYPE_TINY:
        case MYSQL_TYPE_SHORT:
        case MYSQL_TYPE_LONG:
        case MYSQL_TYPE_INT24:
        case MYSQL_TYPE_LONGLONG:
        case MYSQL_TYPE_YEAR: return SqlType::Integer;
        case MYSQL_TYPE_DECIMAL:
        case MYSQL_TYPE_NEWDECIMAL: return SqlType::Decimal;
        case MYSQL_TYPE_FLOAT: return SqlType::Float;
        case MYSQL_TYPE_DOUBLE: return SqlType::Double;
        case MYSQL_TYPE_BIT: return SqlType::Bit;
        case MYSQL_TYPE_DATE:
        case MYSQL_TYPE_NEWDATE: return SqlType::Date;
        case MYSQL_TYPE_TIME: return SqlType::Time;
        case MYSQL_TYPE_DATETIME:
        case MYSQL_TYPE_TIMESTAMP: return SqlType::DateTime;
        case MYSQL_TYPE_JSON: return SqlType::Json;
        case MYSQL_TYPE_GEOMETRY: return SqlType::Bytes;
        case MYSQL_TYPE_NULL: return SqlType::Text;
        default: return field.charsetnr == kBinary ? SqlType::Bytes : SqlType::Text;
    }
}

// The library's own start isn't safe against several threads.
void start_library() {
    static std::once_flag once;
    std::call_once(once, [] { mysql_library_init(0, nullptr, nullptr); });
}

}  // namespace

struct MysqlSession::Handle {
    Handle() : mysql(mysql_init(nullptr)) {}
    ~Handle() { mysql_close(mysql); }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;

    MYSQL* mysql;
};

struct MysqlSession::Prepared {
    Prepared(std::string text, MYSQL_STMT* stmt) : sql(std::move(text)), statement(stmt) {}
    ~Prepared() { mysql_stmt_close(statement); }
    Prepared(const Prepared&) = delete;
    Prepared& operator=(const Prepared&) = delete;

    std::string sql;
    MYSQL_STMT* statement;
};

MysqlSession::MysqlSession(std::unique_ptr<Handle> handle) : handle_(std::move(handle)) {}

MysqlSession::~MysqlSession() {
    socket_ = -1;
    prepared_.clear();
}

Result<std::unique_ptr<MysqlSession>> MysqlSession::open(const MysqlSessionOptions& options) {
    start_library();
    auto handle = std::make_unique<Handle>();
    MYSQL* mysql = handle->mysql;
    OBC_ASSERT(mysql != nullptr);

    const auto connect_seconds = static_cast<unsigned>(options.connect_timeout.count());
    const auto io_seconds = static_cast<unsigned>(options.io_timeout.count());
    mysql_optionsv(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &connect_seconds);
    mysql_optionsv(mysql, MYSQL_OPT_READ_TIMEOUT, &io_seconds);
    mysql_optionsv(mysql, MYSQL_OPT_WRITE_TIMEOUT, &io_seconds);
    mysql_optionsv(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    // Of "localhost" the library would make a socket in the file system, whatever the port.
    const unsigned protocol = MYSQL_PROTOCOL_TCP;
    mysql_optionsv(mysql, MYSQL_OPT_PROTOCOL, &protocol);
    unsigned long packet = 1UL << 30;
    mysql_optionsv(mysql, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet);
    my_bool no = 0;
    mysql_optionsv(mysql, MYSQL_OPT_RECONNECT, &no);
    mysql_optionsv(mysql, MYSQL_OPT_LOCAL_INFILE, &no);
    using Tls = MysqlSessionOptions::Tls;
    if (options.tls != Tls::Off) {
        my_bool required = options.tls == Tls::Preferred ? 0 : 1;
        my_bool verified = options.tls == Tls::Verified ? 1 : 0;
        const auto path = [](const std::string& file) {
            return file.empty() ? nullptr : file.c_str();
        };
        mysql_ssl_set(
            mysql,
            path(options.key_file),
            path(options.certificate_file),
            path(options.ca_file),
            nullptr,
            nullptr
        );
        mysql_optionsv(mysql, MYSQL_OPT_SSL_ENFORCE, &required);
        mysql_optionsv(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verified);
    }

    const char* database = options.database.empty() ? nullptr : options.database.c_str();
    const unsigned long flags = CLIENT_FOUND_ROWS | CLIENT_MULTI_STATEMENTS | CLIENT_MULTI_RESULTS;
    if (mysql_real_connect(
            mysql,
            options.server.host.c_str(),
            options.user.c_str(),
            options.password.c_str(),
            database,
            options.server.port,
            nullptr,
            flags
        ) == nullptr) {
        const uint32_t code = mysql_errno(mysql);
        const bool refused = code < kClientErrors || code >= kClientErrorsEnd;
        return Error{
            refused ? Errc::Auth : Errc::Io,
            Retry::Backoff,
            options.server.text() + ": " + std::to_string(code) + ": " + mysql_error(mysql)
        };
    }

    std::unique_ptr<MysqlSession> session(new MysqlSession(std::move(handle)));
    session->version_ = mysql_get_server_info(mysql);
    unsigned long extended = 0;
    mariadb_get_infov(mysql, MARIADB_CONNECTION_EXTENDED_SERVER_CAPABILITIES, &extended);
    session->bulk_ = (extended & kExtendedBulk) != 0;
    session->socket_ = static_cast<int>(mysql_get_socket(mysql));
    return session;
}

void MysqlSession::interrupt() {
    const int socket = socket_;
    if (socket >= 0) {
        ::shutdown(socket, SHUT_RDWR);
    }
}

SqlFailure MysqlSession::failure() const {
    MYSQL* mysql = handle_->mysql;
    return make_failure(mysql_errno(mysql), mysql_sqlstate(mysql), mysql_error(mysql));
}

std::optional<SqlFailure> MysqlSession::execute(std::string_view sql, uint64_t* matched) {
    std::vector<uint64_t> counts;
    auto failed = execute_all(sql, counts);
    if (matched != nullptr) {
        *matched = counts.empty() ? 0 : counts.front();
    }
    return failed;
}

std::optional<SqlFailure> MysqlSession::execute_all(
    std::string_view sql, std::vector<uint64_t>& matched
) {
    MYSQL* mysql = handle_->mysql;
    matched.clear();
    if (mysql_real_query(mysql, sql.data(), sql.size()) != 0) {
        return failure();
    }
    while (true) {
        MYSQL_RES* result = mysql_use_result(mysql);
        if (result != nullptr) {
            mysql_free_result(result);
        }
        matched.push_back(mysql_affected_rows(mysql));
        const int next = mysql_next_result(mysql);
        if (next < 0) {
            return std::nullopt;
        }
        if (next > 0) {
            SqlFailure failed = failure();
            failed.statement = matched.size();
            return failed;
        }
    }
}

std::optional<SqlFailure> MysqlSession::stream(
    std::string_view sql, const std::function<bool(Row)>& row, std::vector<std::string>* columns
) {
    std::vector<SqlColumn> typed;
    auto failed = stream_typed(sql, row, typed);
    if (columns != nullptr) {
        for (SqlColumn& column : typed) {
            columns->push_back(std::move(column.name));
        }
    }
    return failed;
}

std::optional<SqlFailure> MysqlSession::stream_typed(
    std::string_view sql, const std::function<bool(Row)>& row, std::vector<SqlColumn>& columns
) {
    MYSQL* mysql = handle_->mysql;
    if (mysql_real_query(mysql, sql.data(), sql.size()) != 0) {
        return failure();
    }
    MYSQL_RES* result = mysql_use_result(mysql);
    if (result == nullptr) {
        return mysql_errno(mysql) == 0 ? std::nullopt : std::optional(failure());
    }
    const unsigned count = mysql_num_fields(result);
    const MYSQL_FIELD* fields = mysql_fetch_fields(result);
    columns.clear();
    for (unsigned i = 0; i < count; i++) {
        columns.push_back({{fields[i].name, fields[i].name_length}, type_of(fields[i])});
    }
    std::vector<std::optional<std::string_view>> cells(count);
    bool wanted = true;
    while (const MYSQL_ROW read = mysql_fetch_row(result)) {
        if (!wanted) {
            continue;  // the rest has to be read anyway
        }
        const unsigned long* lengths = mysql_fetch_lengths(result);
        for (unsigned i = 0; i < count; i++) {
            cells[i].reset();
            if (read[i] != nullptr) {
                cells[i] = std::string_view(read[i], lengths[i]);
            }
        }
        wanted = row(cells);
    }
    std::optional<SqlFailure> failed;
    if (mysql_errno(mysql) != 0) {
        failed = failure();
    }
    mysql_free_result(result);
    while (!failed && mysql_next_result(mysql) == 0) {
        mysql_free_result(mysql_use_result(mysql));
    }
    return failed;
}

std::optional<SqlFailure> MysqlSession::query(std::string_view sql, SqlRows& rows) {
    rows = {};
    return stream(
        sql,
        [&rows](Row row) {
            auto& kept = rows.rows.emplace_back();
            for (const auto& cell : row) {
                kept.emplace_back(cell ? std::optional<std::string>(*cell) : std::nullopt);
            }
            return true;
        },
        &rows.columns
    );
}

std::optional<SqlFailure> MysqlSession::prepare(const std::string& sql, Prepared*& prepared) {
    const auto known =
        std::ranges::find_if(prepared_, [&sql](const auto& p) { return p->sql == sql; });
    if (known != prepared_.end()) {
        std::rotate(known, known + 1, prepared_.end());
        prepared = prepared_.back().get();
        return std::nullopt;
    }
    MYSQL_STMT* statement = mysql_stmt_init(handle_->mysql);
    OBC_ASSERT(statement != nullptr);
    auto made = std::make_unique<Prepared>(sql, statement);
    if (mysql_stmt_prepare(statement, sql.data(), sql.size()) != 0) {
        return make_failure(
            mysql_stmt_errno(statement), mysql_stmt_sqlstate(statement), mysql_stmt_error(statement)
        );
    }
    if (prepared_.size() >= kPreparedLimit) {
        prepared_.erase(prepared_.begin());
    }
    prepared_.push_back(std::move(made));
    prepared = prepared_.back().get();
    return std::nullopt;
}

std::optional<SqlFailure> MysqlSession::bulk(
    const std::string& sql, std::span<SqlArray> parameters, size_t rows, uint64_t& matched
) {
    Prepared* prepared = nullptr;
    if (auto failed = prepare(sql, prepared)) {
        return failed;
    }
    MYSQL_STMT* statement = prepared->statement;
    std::vector<MYSQL_BIND> binds(parameters.size());
    for (size_t i = 0; i < parameters.size(); i++) {
        SqlArray& array = parameters[i];
        MYSQL_BIND& bind = binds[i];
        bind.u.indicator = array.indicators.data();
        if (array.kind == SqlArray::Kind::Integer) {
            bind.buffer_type = MYSQL_TYPE_LONGLONG;
            bind.buffer = array.integers.data();
            bind.is_unsigned = array.is_unsigned ? 1 : 0;
        } else {
            const bool text = array.kind == SqlArray::Kind::Text;
            bind.buffer_type = text ? MYSQL_TYPE_STRING : MYSQL_TYPE_BLOB;
            bind.buffer = array.texts.data();
            bind.length = array.lengths.data();
        }
    }
    auto count = static_cast<unsigned>(rows);
    mysql_stmt_attr_set(statement, STMT_ATTR_ARRAY_SIZE, &count);
    mysql_stmt_bind_param(statement, binds.data());
    if (mysql_stmt_execute(statement) != 0) {
        return make_failure(
            mysql_stmt_errno(statement), mysql_stmt_sqlstate(statement), mysql_stmt_error(statement)
        );
    }
    matched = mysql_stmt_affected_rows(statement);
    return std::nullopt;
}

}  // namespace obcanal::client
