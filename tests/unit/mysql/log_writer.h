// Builds events for tests, with header and checksum as a server writes them.
#pragma once

#include "protocol/base/crypto.h"
#include "protocol/mysql/binlog_event.h"
#include "protocol/mysql/wire.h"

#include <string>

namespace obcanal::mysql {

inline std::string event_bytes(
    EventType type, const std::string& body, bool checksum = true, uint16_t flags = 0
) {
    std::string bytes;
    const size_t size = EventHeader::kSize + body.size() + (checksum ? 4 : 0);
    append_le(bytes, 1700000000, 4);
    append_le(bytes, static_cast<uint8_t>(type), 1);
    append_le(bytes, 7, 4);
    append_le(bytes, size, 4);
    append_le(bytes, 1000 + size, 4);
    append_le(bytes, flags, 2);
    bytes += body;
    if (checksum) append_le(bytes, crc32(as_bytes(bytes)), 4);
    return bytes;
}

// Format description of a server with checksums.
inline std::string format_bytes(const std::string& version, bool checksums = true) {
    std::string body;
    append_le(body, 4, 2);
    std::string name = version;
    name.resize(50, '\0');
    body += name;
    append_le(body, 0, 4);
    append_le(body, EventHeader::kSize, 1);
    for (unsigned type = 1; type < 175; ++type) {
        const bool rows2 = (type >= 30 && type <= 32) || type == 39;
        const bool rows1 = type == 19 || (type >= 23 && type <= 25);
        append_le(body, rows2 ? 10 : rows1 ? 8 : type == 2 ? 13 : 0, 1);
    }
    append_le(body, checksums ? 1 : 0, 1);
    return event_bytes(EventType::FormatDescription, body);
}

inline Event event_of(EventType type, const std::string& body) {
    Event event;
    event.header.type = type;
    event.header.server_id = 7;
    event.body = as_bytes(body);
    return event;
}

}  // namespace obcanal::mysql
