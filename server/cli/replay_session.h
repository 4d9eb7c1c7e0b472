// One client of `logproxy serve`: the handshake as oblogproxy answers it, then the log from where
// the client asked, with heartbeats in between. Everything on the strand of its stream, which is
// the one of all sessions.
#pragma once

#include "protocol/base/clock.h"
#include "protocol/base/log.h"
#include "protocol/base/result.h"
#include "protocol/net/awaitable.h"
#include "protocol/oblog/frame.h"
#include "protocol/oblog/handshake.h"
#include "server/cli/fault_stream.h"
#include "server/cli/foreground.h"
#include "server/cli/replay_log.h"
#include "server/cli/replay_packets.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace obcanal::cli {

// What all sessions of a log proxy share; outlives them.
struct ReplayService {
    ReplayService(const ReplayLog& from, const ReplayPackets& encoded)
        : log(from), packets(encoded) {}

    const ReplayLog& log;
    const ReplayPackets& packets;
    oblog::Compression compression = oblog::Compression::Lz4;
    std::optional<uint16_t> version;  // the only one that is served
    double rows_per_second = 0;       // 0: as fast as the client reads
    std::chrono::milliseconds heartbeat{1000};
    size_t packet_records = 200;
    size_t packet_bytes = size_t{16} << 20;

    // Misbehaviour on purpose.
    std::string error_before;  // refuses the handshake with this text
    std::string error_after;   // accepts it, then fails with this text
    bool status = false;       // a status packet in front of each data packet

    std::set<std::string, std::less<>> live;  // ids of clients that are served now
    Logger logger{"logproxy"};
};

class ReplaySession : public std::enable_shared_from_this<ReplaySession> {
 public:
    ReplaySession(Stream stream, StreamFaults faults, ReplayService& service);

    // Until the connection ends.
    Awaitable<void> run();
    // Strand. Ends run().
    void close();
    // Strand. There may be more to send than before.
    void log_grew() { pause_.wake(); }

 private:
    Awaitable<Result<void>> serve();
    Awaitable<Result<void>> greet();
    Awaitable<Result<void>> read_request();
    Awaitable<Result<void>> refuse(int32_t code, std::string text);
    // What is wrong with the request; empty: nothing.
    std::string objection(const oblog::HandshakeConfiguration& asked) const;
    Awaitable<Result<void>> stream_log(int64_t since_us);
    Awaitable<Result<void>> send_packets();
    Awaitable<Result<void>> send_due();
    Awaitable<Result<void>> send_batch();
    Awaitable<Result<void>> send_heartbeat();
    Awaitable<Result<void>> send(std::string packet);
    Awaitable<Result<void>> send_legacy_packet();
    bool batch_is_full() const;
    oblog::RuntimeStatus status_now() const;

    bool paced() const { return service_.rows_per_second > 0; }
    bool legacy() const { return request_.version < oblog::kNewestVersion; }
    bool at_end() const { return position_ >= service_.log.end(); }
    SteadyTime next_rows_at() const;

    ReplayService& service_;
    FaultStream stream_;
    Pause pause_;
    oblog::HandshakeRequest request_;
    bool registered_ = false;
    RecordBatch batch_;
    uint64_t position_ = 0;  // record that is sent next
    uint64_t records_sent_ = 0;
    uint64_t rows_sent_ = 0;  // when paced
    uint32_t sequence_ = 0;   // legacy: of records
    SteadyTime started_;
    SteadyTime next_heartbeat_;
    int64_t heartbeat_us_ = 0;            // never goes back
    std::optional<SteadyTime> ended_at_;  // the log has, and time goes on by the clock
};

}  // namespace obcanal::cli
