// Canal's framing on a TCP stream: frame := u32_be(length of body) body. The state between two
// reads is the buffer itself, so a claimed length allocates nothing. Sans-I/O, any thread.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace obcanal::canal {

inline constexpr size_t kFrameHeaderBytes = 4;
// What a length field can say: Java reads it as a signed number and refuses negative ones.
inline constexpr size_t kMaxFrameBody = INT32_MAX;

struct Frame {
    Bytes body;       // a view into what was given
    size_t size = 0;  // with its header: what to consume
};

// The frame at the front of `pending`, or nothing when more bytes are needed. An error when its
// length is negative or above `limit` bytes: the stream can't be read any further.
Result<std::optional<Frame>> read_frame(Bytes pending, size_t limit);

// How many bytes are missing until the frame at the front of `pending` is complete; 0 when it is,
// or when the header is not there yet.
size_t missing_bytes(Bytes pending);

// REQUIRES: body_bytes <= kMaxFrameBody
void append_frame_header(std::string& to, size_t body_bytes);

}  // namespace obcanal::canal
