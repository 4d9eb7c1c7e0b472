// A stream that can be told to misbehave, so that a log proxy's clients can be tested: it cuts the
// connection or falls silent after so many bytes, or hands bytes out in small pieces. Without
// faults it adds nothing. Strand of the stream.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"
#include "protocol/net/awaitable.h"
#include "protocol/net/stream.h"

#include <cstddef>
#include <optional>
#include <span>
#include <utility>

namespace obcanal::cli {

struct StreamFaults {
    std::optional<size_t> cut_at;
    std::optional<size_t> silent_at;
    size_t piece = 0;  // 0: as large as they come
};

class FaultStream {
 public:
    FaultStream(Stream stream, StreamFaults faults) : stream_(std::move(stream)), faults_(faults) {}

    // All pieces. Errc::Closed when the fault was to cut.
    Awaitable<Result<void>> write(std::span<const Bytes> pieces);

    Stream& stream() { return stream_; }
    const Stream& stream() const { return stream_; }
    size_t written() const { return written_; }

 private:
    Awaitable<Result<void>> write_with_faults(Bytes bytes);

    Stream stream_;
    StreamFaults faults_;
    size_t written_ = 0;
};

}  // namespace obcanal::cli
