#include "protocol/canal/frame.h"

#include <algorithm>

namespace obcanal::canal {

Result<std::optional<Frame>> read_frame(Bytes pending, size_t limit) {
    if (pending.size() < kFrameHeaderBytes) return std::optional<Frame>();
    const auto length = static_cast<int32_t>(load_be<uint32_t>(pending.data()));
    if (length < 0) {
        return Error{
            Errc::BadPacket, Retry::Never, "frame length " + std::to_string(length) + " is negative"
        };
    }
    const auto body_bytes = static_cast<size_t>(length);
    if (body_bytes > limit) {
        return Error{
            Errc::BadPacket,
            Retry::Never,
            "frame length " + std::to_string(length) + " is above the limit of " +
                std::to_string(limit)
        };
    }
    if (pending.size() - kFrameHeaderBytes < body_bytes) return std::optional<Frame>();
    return std::optional<Frame>(
        Frame{pending.subspan(kFrameHeaderBytes, body_bytes), kFrameHeaderBytes + body_bytes}
    );
}

size_t missing_bytes(Bytes pending) {
    if (pending.size() < kFrameHeaderBytes) return 0;
    const size_t whole = kFrameHeaderBytes + load_be<uint32_t>(pending.data());
    return whole - std::min(whole, pending.size());
}

void append_frame_header(std::string& to, size_t body_bytes) {
    OBC_ASSERT(body_bytes <= kMaxFrameBody);
    for (int shift = 24; shift >= 0; shift -= 8)
        to.push_back(static_cast<char>(body_bytes >> shift & 0xff));
}

}  // namespace obcanal::canal
