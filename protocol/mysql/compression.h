// What servers compress inside the log: MariaDB's compressed events and columns (zlib), MySQL's
// transaction payloads (zstd). Memory stays in proportion to the bytes that really came: a length
// that no compression could have reached is refused before anything is allocated.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace obcanal::mysql {

// MariaDB's compressed part of an event, up to its end:
//   part := u8 0x80|algorithm<<4|n  u(8n) big-endian size  zlib stream
// Replaces `to` by `prefix` and the text.
Result<void> inflate_event_part(Bytes part, Bytes prefix, std::string& to);

// A cell of one of MariaDB's compressed columns:
//   cell := u8 method<<4|raw<<3|n  u(8n) big-endian size  stream (raw: without zlib's frame)
// Method 0 holds the bytes as they are. Nothing when the cell is malformed.
std::optional<std::string> inflate_column(Bytes cell);

// The events of a transaction payload one after another; holds one event at a time.
//   payload := (field length value)* 0x00 events
class PayloadReader {
 public:
    // Largest event inside a payload: MySQL's limit of a packet.
    static constexpr size_t kLargestEvent = size_t{1} << 30;

    static Result<PayloadReader> open(Bytes body);

    PayloadReader(PayloadReader&&) noexcept;
    PayloadReader& operator=(PayloadReader&&) noexcept;
    ~PayloadReader();

    // The next event, header included, valid until the next call; nothing at the end.
    Result<std::optional<Bytes>> next();

 private:
    struct Stream;
    explicit PayloadReader(Bytes events);

    // Until `count` bytes are in the buffer; false at the end of the payload.
    Result<bool> fill(size_t count);

    Bytes input_;
    bool plain_ = true;
    std::unique_ptr<Stream> stream_;
    std::string buffer_;
};

}  // namespace obcanal::mysql
