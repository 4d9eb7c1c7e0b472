// Encoded data packets of a ReplayLog (protocol version 2), shared by all sessions: those at the
// front are made once and kept, so that sending them costs little more than the system call. One
// strand.
#pragma once

#include "protocol/oblog/frame.h"
#include "server/cli/replay_log.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::cli {

// Records on their way into a packet.
class RecordBatch {
 public:
    void add(const ReplayLog& log, uint64_t record);
    void add(std::string_view record);
    void clear();

    bool empty() const { return ends_.empty(); }
    size_t size() const { return ends_.size(); }
    size_t bytes() const { return bytes_.size(); }
    // Views, until the next change.
    std::vector<Bytes> records() const;

 private:
    std::string bytes_;
    std::vector<size_t> ends_;
};

class ReplayPackets {
 public:
    using Frame = std::shared_ptr<const std::string>;

    // `log` outlives this.
    ReplayPackets(const ReplayLog& log, oblog::Compression compression)
        : log_(log), compression_(compression) {}

    // Encodes packets from the first on until the log ends or `bytes` are used.
    void prepare(size_t bytes);
    size_t prepared_bytes() const { return prepared_bytes_; }

    // The frame of one of the log's packets.
    Frame frame(uint64_t packet) const;
    // A frame of any records. REQUIRES: begin < end
    Frame encode(uint64_t begin, uint64_t end) const;

 private:
    const ReplayLog& log_;
    oblog::Compression compression_;
    std::vector<Frame> prepared_;
    size_t prepared_bytes_ = 0;
};

}  // namespace obcanal::cli
