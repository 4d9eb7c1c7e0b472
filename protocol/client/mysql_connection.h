// A session with a MySQL, MariaDB or OceanBase server: login with TLS where it is wanted, queries,
// and commands whose answers the caller reads packet by packet. One strand, one coroutine at a
// time; after an error the connection is of no use. close() ends everything that is awaited.
#pragma once

#include "protocol/base/clock.h"
#include "protocol/base/input_buffer.h"
#include "protocol/base/result.h"
#include "protocol/base/text.h"
#include "protocol/mysql/command.h"
#include "protocol/mysql/handshake.h"
#include "protocol/mysql/packet.h"
#include "protocol/net/awaitable.h"
#include "protocol/net/stream.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace obcanal::client {

struct MysqlOptions {
    // Off; if the server offers it; always. How far the server is verified stands in `tls`.
    enum class Tls : uint8_t { Off, Offered, Required };

    Endpoint server;
    std::string user;
    std::string password;
    std::string database;  // empty: none
    Tls tls_wanted = Tls::Off;
    TlsClientOptions tls;
    std::chrono::milliseconds connect_timeout{10'000};
    std::chrono::milliseconds read_timeout{30'000};
    int receive_buffer = 0;  // of the socket; 0: the system's choice
    // Called as soon as there is something that can be closed.
    std::function<void(const Stream&)> opening;
};

class MysqlConnection {
 public:
    static Awaitable<Result<std::unique_ptr<MysqlConnection>>> open(MysqlOptions options);
    ~MysqlConnection();

    // An error names `sql`.
    Awaitable<Result<mysql::QueryResult>> query(std::string sql);

    // A command, its answer is read by receive().
    Awaitable<Result<void>> send(std::string payload);
    // The next packet, valid until the next call.
    Awaitable<Result<Bytes>> receive();
    // The next packet if it is here already; nothing when receive() would wait.
    Result<std::optional<Bytes>> received();
    // Waits for bytes, after received() had nothing.
    Awaitable<Result<void>> read_more();

    void close();
    bool is_open() const { return stream_.is_open(); }

    const mysql::Greeting& greeting() const { return greeting_; }
    const Stream& stream() const { return stream_; }
    bool encrypted() const { return stream_.encrypted(); }
    const std::string& peer() const { return stream_.peer(); }
    const std::string& local() const { return stream_.local(); }
    // Bytes read so far.
    uint64_t bytes() const { return bytes_; }

 private:
    MysqlConnection(MysqlOptions options, Stream stream);

    Awaitable<Result<void>> log_in();
    Awaitable<Result<void>> start_tls(const mysql::LoginOptions& login);
    Awaitable<Result<void>> authenticate(const mysql::LoginOptions& login);
    Awaitable<Result<void>> write(std::string payload);
    void watch();

    MysqlOptions options_;
    Stream stream_;
    Deadline deadline_;
    SteadyTime armed_{};  // when deadline_ was
    InputBuffer input_;
    mysql::PacketReader packets_;
    mysql::Greeting greeting_;
    uint8_t sequence_ = 0;  // of the next packet in either direction
    uint64_t bytes_ = 0;
};

// A text as an SQL literal.
std::string quoted(std::string_view text);
// A name as an SQL identifier.
std::string quoted_name(std::string_view name);

}  // namespace obcanal::client
