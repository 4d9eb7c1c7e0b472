// One TCP connection, plain or TLS, and the listener that accepts them. A stream belongs to the
// strand it was made on; close() makes everything that is awaited on it return an error, which is
// how all waiting is ended.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"
#include "protocol/base/text.h"
#include "protocol/net/awaitable.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace obcanal {

// Files in PEM. Without `ca_file` the system's store is used.
struct TlsClientOptions {
    std::string ca_file;
    std::string cert_file;  // with key_file: a client certificate
    std::string key_file;
    bool verify_host = false;  // oblogproxy certificates rarely carry host names
    bool verify_chain = true;  // false: against listeners only, not against impostors
};

// Files in PEM. With `client_ca_file` only clients with a certificate of that CA are let in.
struct TlsServerOptions {
    std::string cert_file;  // the chain
    std::string key_file;
    std::string client_ca_file;
};

struct ConnectOptions {
    std::chrono::milliseconds timeout{10'000};
    std::optional<TlsClientOptions> tls;
    int receive_buffer = 0;  // SO_RCVBUF, 0: the system's choice
    // Called with the stream before it is connected: closing it ends the attempt.
    std::function<void(const class Stream&)> opening = {};
};

struct ConnectionState;

class Stream {
 public:
    explicit Stream(std::shared_ptr<ConnectionState> state) : state_(std::move(state)) {}

    // The server's side of the TLS handshake, when the listener asks for TLS; before anything else,
    // and under a Deadline: peers may be silent. Does nothing on a plain stream.
    Awaitable<Result<void>> handshake();
    // The client's side, on a connection that was plain until now. `host`: whose certificate it has
    // to be, if that is verified. Under a Deadline. REQUIRES: nothing else is awaited.
    Awaitable<Result<void>> start_tls(TlsClientOptions options, std::string host);
    // At least one byte, or an error; the end of the stream is Errc::Closed.
    Awaitable<Result<size_t>> read_some(std::span<std::byte> into);
    // All pieces, in one system call where the kernel takes them. They must stay alive until this
    // returns.
    Awaitable<Result<void>> write(std::span<const Bytes> pieces);
    Awaitable<Result<void>> write(Bytes piece);
    // Returns when there is something to read, or the peer is gone, or close() was called. On TLS
    // it reads ahead, since readable TCP bytes need not be data; the next read_some() gives them.
    Awaitable<void> wait_readable();
    // From now on wait_readable() returns when so many bytes are there (SO_RCVLOWAT), or none can
    // come any more: a reader that knows how much follows is not woken by each segment. Plain
    // streams only. REQUIRES: the peer sends so many without waiting for us.
    void set_low_water(size_t bytes);
    // Ends wait_readable(). REQUIRES: nothing else is awaited on this stream.
    void stop_waiting();
    // Whether the peer has closed its side and nothing is left to read. Never waits; on TLS it
    // knows what wait_readable() has found out.
    bool at_end() const;

    // Strand of the stream only.
    void close();
    bool is_open() const;

    // Asks the kernel to acknowledge what was received at once instead of up to 40 ms later:
    // clients that write a length and a body separately with Nagle's algorithm on wait for it.
    // Linux forgets it; re-arm after each read.
    void quick_ack();
    // Size of the kernel's receive buffer (SO_RCVBUF).
    void set_receive_buffer(int bytes);

    // The strand, for coroutines that serve this stream.
    Executor executor() const;
    const std::string& peer() const;   // "address:port"
    const std::string& local() const;  // "address:port"
    bool encrypted() const;
    // Without the port, for what is kept per peer; IPv4 in IPv6 as IPv4.
    std::string peer_address() const;
    bool peer_is_loopback() const;

 private:
    std::shared_ptr<ConnectionState> state_;
    friend class Deadline;
};

// Connects on the executor of the calling coroutine; tries every address of the name within the
// timeout.
Awaitable<Result<Stream>> connect(Endpoint to, ConnectOptions options);

class Listener {
 public:
    // Empty host: all interfaces. Port 0: the kernel chooses, see port().
    // Certificates that can't be read are Errc::BadConfig.
    static Result<Listener> bind(
        Executor executor,
        const std::string& host,
        uint16_t port,
        const std::optional<TlsServerOptions>& tls = std::nullopt
    );

    Listener(Listener&&) noexcept;
    Listener& operator=(Listener&&) noexcept;
    ~Listener();

    // The connection lives on a strand of its own; TLS begins with its handshake(). Out of
    // descriptors is an Error with Retry::Backoff.
    Awaitable<Result<Stream>> accept();
    void close();
    uint16_t port() const;

 private:
    struct State;
    explicit Listener(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

// A timer that closes a stream. Strand of the stream.
class Deadline {
 public:
    explicit Deadline(const Stream& stream);
    ~Deadline();

    // Replaces an earlier deadline.
    void arm(std::chrono::milliseconds after);
    void disarm();
    bool expired() const;

 private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace obcanal
