// Canal's frames and packets, as a server and a client read them. What parses must survive being
// written and read again.
#include "protocol/base/assert.h"
#include "protocol/canal/frame.h"
#include "protocol/canal/packets.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace obcanal::canal {
namespace {

constexpr size_t kFrameLimit = size_t{16} << 20;

// The body of the only packet in `frame`.
Bytes body_of(const std::string& frame) {
    const auto split = read_frame(as_bytes(frame), kMaxFrameBody);
    OBC_ASSERT(split && *split && (*split)->size == frame.size());
    const auto packet = parse_packet((*split)->body);
    OBC_ASSERT(packet);
    return packet->body;
}

void read_request(const Packet& packet) {
    if (const auto sub = parse_sub(packet.body)) {
        const std::string frame = encode_subscribe(*sub);
        OBC_ASSERT(parse_sub(body_of(frame)).value() == *sub);
        text_format(*sub);
    }
    if (const auto get = parse_get(packet.body)) {
        // The Java client always writes the fields that it may leave out.
        const std::string frame = encode_get(*get);
        const Get again = parse_get(body_of(frame)).value();
        OBC_ASSERT(again.destination == get->destination && again.fetch_size == get->fetch_size);
        OBC_ASSERT(again.timeout.value_or(0) == get->timeout.value_or(0));
        text_format(*get);
    }
    if (const auto ack = parse_client_ack(packet.body)) {
        const std::string frame = encode_client_ack(*ack);
        OBC_ASSERT(parse_client_ack(body_of(frame)).value() == *ack);
        text_format(*ack);
    }
    if (const auto login = parse_client_auth(packet.body)) {
        const std::string frame = encode_auth(*login);
        OBC_ASSERT(parse_client_auth(body_of(frame)).value().username == login->username);
    }
    static_cast<void>(parse_unsub(packet.body));
    static_cast<void>(parse_client_rollback(packet.body));
}

void read_answer(const Packet& packet) {
    static_cast<void>(parse_handshake(packet.body));
    static_cast<void>(parse_ack(packet.body));
    const auto messages = parse_messages(packet.body);
    if (!messages) return;
    EntryCursor cursor(*messages);
    size_t bytes = 0;
    while (const auto entry = cursor.next()) bytes += entry->size();
    static_cast<void>(cursor.end());
    OBC_ASSERT(bytes <= packet.body.size());
}

void read_stream(Bytes stream) {
    for (;;) {
        const auto frame = read_frame(stream, kFrameLimit);
        if (!frame || !*frame) return;
        OBC_ASSERT((*frame)->size <= stream.size());
        if (const auto packet = parse_packet((*frame)->body)) {
            packet_type_name(packet->type);
            read_request(*packet);
            read_answer(*packet);
        }
        stream = stream.subspan((*frame)->size);
    }
}

}  // namespace
}  // namespace obcanal::canal

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    obcanal::canal::read_stream({reinterpret_cast<const std::byte*>(data), size});
    return 0;
}
