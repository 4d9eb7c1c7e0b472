#include "protocol/mysql/packet.h"

#include "protocol/base/text.h"
#include "protocol/mysql/wire.h"

#include <algorithm>
#include <array>

namespace obcanal::mysql {
namespace {

Error bad(const std::string& what) {
    return Error{Errc::BadPacket, Retry::Backoff, "MySQL packet: " + what};
}

struct ErrorMeaning {
    uint16_t number;
    Errc code;
    Retry retry;
};

constexpr std::array kMeanings = std::to_array<ErrorMeaning>({
    {1040, Errc::Refused, Retry::Backoff},       // too many connections
    {1044, Errc::Auth, Retry::Never},            // no access to the database
    {1045, Errc::Auth, Retry::Never},            // wrong user or password
    {1049, Errc::NotFound, Retry::Never},        // unknown database
    {1053, Errc::Closed, Retry::Backoff},        // shutting down
    {1129, Errc::Refused, Retry::Backoff},       // host is blocked
    {1130, Errc::Auth, Retry::Never},            // host may not connect
    {1142, Errc::Auth, Retry::Never},            // no privilege on the table
    {1143, Errc::Auth, Retry::Never},            // no privilege on the column
    {1146, Errc::NotFound, Retry::Never},        // no such table
    {1193, Errc::Unsupported, Retry::Never},     // unknown system variable
    {1203, Errc::Refused, Retry::Backoff},       // the user has too many connections
    {1227, Errc::Auth, Retry::Never},            // a privilege is missing
    {1236, Errc::PositionPurged, Retry::Never},  // the log cannot be read from there
    {1251, Errc::Unsupported, Retry::Never},     // client does not know the login scheme
    {1373, Errc::PositionPurged, Retry::Never},  // no such log file
    {1698, Errc::Auth, Retry::Never},            // wrong user or password
    {1789, Errc::PositionPurged, Retry::Never},  // GTIDs were purged
    {3118, Errc::Auth, Retry::Never},            // account is locked
    {3159, Errc::Auth, Retry::Never},            // TLS is required
});

}  // namespace

Result<std::optional<Packet>> PacketReader::next(InputBuffer& in) {
    for (;;) {
        const Bytes pending = in.pending();
        if (pending.size() < kPacketHeader) return std::optional<Packet>();
        const size_t size = load_le_bytes(pending.data(), 3);
        const auto sequence = std::to_integer<uint8_t>(pending[3]);
        if (sequence != sequence_) {
            return bad(
                "number " + std::to_string(sequence) + " where " + std::to_string(sequence_) +
                " was due"
            );
        }
        const size_t gathered = gathering_ ? gathered_.size() : 0;
        if (gathered + size > largest_)
            return bad("a payload of more than " + std::to_string(largest_) + " bytes");
        if (pending.size() - kPacketHeader < size) return std::optional<Packet>();
        const Bytes payload = pending.subspan(kPacketHeader, size);
        in.consume(kPacketHeader + size);
        ++sequence_;
        if (size < kFullPacket && !gathering_) {
            if (!gathered_.empty()) std::string().swap(gathered_);
            return std::optional<Packet>(Packet{payload, sequence});
        }
        if (!gathering_) gathered_.clear();
        gathering_ = size == kFullPacket;
        gathered_ += as_text(payload);
        if (!gathering_) return std::optional<Packet>(Packet{as_bytes(gathered_), sequence});
    }
}

void append_packet(std::string& to, std::string_view payload, uint8_t& sequence) {
    for (;;) {
        const size_t size = std::min(payload.size(), kFullPacket);
        append_le(to, size, 3);
        append_le(to, sequence++, 1);
        to += payload.substr(0, size);
        payload.remove_prefix(size);
        if (size < kFullPacket) return;
    }
}

ServerError parse_error(Bytes payload) {
    constexpr size_t kStateSize = 5;
    ByteReader in(payload);
    in.skip(1);
    ServerError error;
    error.number = in.u16_le();
    std::string_view rest = in.text(in.remaining());
    if (rest.size() > kStateSize && rest[0] == '#') {
        error.sql_state = rest.substr(1, kStateSize);
        rest.remove_prefix(1 + kStateSize);
    }
    error.message = rest;
    return error;
}

Error server_error(Bytes payload, std::string_view doing) {
    const ServerError error = parse_error(payload);
    Error result{Errc::Refused, Retry::Backoff, {}};
    for (const ErrorMeaning& meaning : kMeanings) {
        if (meaning.number != error.number) continue;
        result.code = meaning.code;
        result.retry = meaning.retry;
    }
    result.detail = std::string(doing) + ": the server answers " + std::to_string(error.number) +
                    ": " + printable(error.message, 500);
    return result;
}

}  // namespace obcanal::mysql
