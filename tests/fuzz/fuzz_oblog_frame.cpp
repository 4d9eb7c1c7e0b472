// oblogproxy packets in both roles: whatever comes, a reader yields packets that lie within what it
// was given, or an error with a text. The first byte chooses the role and the version.
#include "protocol/base/assert.h"
#include "protocol/oblog/frame.h"

#include <cstddef>
#include <cstdint>

using namespace obcanal;

namespace {

constexpr size_t kLimit = size_t{1} << 20;

size_t touch(std::string_view text) {
    size_t sum = 0;
    for (const char letter : text) sum += static_cast<unsigned char>(letter);
    return sum;
}

size_t visit(const oblog::ServerMessage& message) {
    if (const auto* data = std::get_if<oblog::DataPacket>(&message)) {
        size_t sum = 0;
        for (oblog::RecordCursor records(*data); !records.empty();)
            sum += touch(as_text(records.next()));
        return sum;
    }
    if (const auto* reply = std::get_if<oblog::HandshakeResponse>(&message))
        return touch(reply->ip) + touch(reply->version);
    if (const auto* error = std::get_if<oblog::ErrorResponse>(&message))
        return touch(error->message);
    return touch(std::get<oblog::RuntimeStatus>(message).ip);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    const uint8_t choice = data[0];
    Bytes pending{reinterpret_cast<const std::byte*>(data) + 1, size - 1};
    size_t sum = 0;
    if (choice >= 3) {
        const auto request = oblog::read_handshake_request(pending, kLimit);
        if (!request.ok()) {
            OBC_ASSERT(!request.error().detail.empty());
        } else if (*request) {
            OBC_ASSERT((*request)->size <= pending.size());
            const oblog::HandshakeRequest& got = (*request)->request;
            sum += touch(got.ip) + touch(got.id) + touch(got.client_version);
            sum += touch(got.configuration);
        }
    } else {
        oblog::PacketReader reader(choice, kLimit);
        for (;;) {
            const auto packet = reader.next(pending);
            if (!packet.ok()) OBC_ASSERT(!packet.error().detail.empty());
            if (!packet.ok() || !*packet) break;
            OBC_ASSERT((*packet)->size > 0 && (*packet)->size <= pending.size());
            sum += visit((*packet)->message);
            pending = pending.subspan((*packet)->size);
        }
    }
    return sum == SIZE_MAX ? -1 : 0;
}
