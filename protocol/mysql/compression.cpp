#include "protocol/mysql/compression.h"

#include "protocol/base/text.h"
#include "protocol/mysql/binlog_event.h"
#include "protocol/mysql/wire.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <utility>

namespace obcanal::mysql {
namespace {

constexpr size_t kLargestText = size_t{1} << 30;  // MySQL's and MariaDB's limit of a packet
constexpr size_t kZlibRatio = 1032;               // deflate cannot do better

Error bad(const std::string& what) {
    return Error{Errc::BadPacket, Retry::Backoff, "compressed data: " + what};
}

// Raw deflate when `wrapped` is false. `out`: exactly as long as the text must be.
bool inflate_all(Bytes in, bool wrapped, char* out, size_t size) {
    z_stream stream{};
    if (inflateInit2(&stream, wrapped ? MAX_WBITS : -MAX_WBITS) != Z_OK) return false;
    // zlib does not write through next_in; its type predates const.
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(in.data()));
    stream.avail_in = static_cast<uInt>(in.size());
    stream.next_out = reinterpret_cast<Bytef*>(out);
    stream.avail_out = static_cast<uInt>(size);
    const int result = inflate(&stream, Z_FINISH);
    const bool complete = result == Z_STREAM_END && stream.avail_out == 0;
    inflateEnd(&stream);
    return complete;
}

bool plausible(uint64_t size, size_t compressed) {
    return size <= kLargestText && size <= (compressed + 16) * kZlibRatio;
}

}  // namespace

Result<void> inflate_event_part(Bytes part, Bytes prefix, std::string& to) {
    constexpr uint8_t kMarked = 0x80;
    constexpr uint8_t kAlgorithm = 0x70;
    constexpr uint8_t kSizeBytes = 0x07;
    ByteReader in(part);
    const uint8_t head = in.u8();
    const Bytes size_bytes = in.take(head & kSizeBytes);
    if (!in.ok() || (head & kMarked) == 0) return bad("bad header");
    if ((head & kAlgorithm) != 0) {
        return Error{
            Errc::Unsupported,
            Retry::Never,
            "compressed data: algorithm " + std::to_string((head & kAlgorithm) >> 4)
        };
    }
    const uint64_t size = load_be_bytes(size_bytes.data(), size_bytes.size());
    const Bytes stream = in.take(in.remaining());
    if (!plausible(size, stream.size())) return bad("claims " + std::to_string(size) + " bytes");
    to.assign(as_text(prefix));
    to.resize(prefix.size() + size);
    if (!inflate_all(stream, true, to.data() + prefix.size(), size))
        return bad("broken zlib stream");
    return {};
}

std::optional<std::string> inflate_column(Bytes cell) {
    constexpr uint8_t kZlib = 8;
    constexpr uint8_t kRaw = 0x08;
    constexpr uint8_t kSizeBytes = 0x07;
    if (cell.empty()) return std::string();
    ByteReader in(cell);
    const uint8_t head = in.u8();
    if (head >> 4 == 0) return std::string(in.text(in.remaining()));
    const Bytes size_bytes = in.take(head & kSizeBytes);
    if (!in.ok() || head >> 4 != kZlib) return std::nullopt;
    const uint64_t size = load_be_bytes(size_bytes.data(), size_bytes.size());
    const Bytes stream = in.take(in.remaining());
    if (!plausible(size, stream.size())) return std::nullopt;
    std::string text(size, '\0');
    if (!inflate_all(stream, (head & kRaw) == 0, text.data(), size)) return std::nullopt;
    return text;
}

struct PayloadReader::Stream {
    Stream() : context(ZSTD_createDCtx()) {}
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    ~Stream() { ZSTD_freeDCtx(context); }

    ZSTD_DCtx* context;
    ZSTD_inBuffer in{};
    bool complete = false;  // the end of the frame was seen
};

PayloadReader::PayloadReader(Bytes events) : input_(events) {}

PayloadReader::PayloadReader(PayloadReader&&) noexcept = default;
PayloadReader& PayloadReader::operator=(PayloadReader&&) noexcept = default;
PayloadReader::~PayloadReader() = default;

Result<PayloadReader> PayloadReader::open(Bytes body) {
    constexpr uint64_t kEnd = 0;
    constexpr uint64_t kPayloadSize = 1;
    constexpr uint64_t kAlgorithm = 2;
    constexpr uint64_t kZstd = 0;
    constexpr uint64_t kNone = 255;
    ByteReader in(body);
    uint64_t algorithm = kNone;
    std::optional<uint64_t> size;
    for (;;) {
        const uint64_t field = read_length(in);
        if (!in.ok()) return bad("truncated transaction payload");
        if (field == kEnd) break;
        ByteReader value(read_length_bytes(in));
        if (field == kPayloadSize) size = read_length(value);
        if (field == kAlgorithm) algorithm = read_length(value);
        if (!value.ok()) return bad("truncated transaction payload");
    }
    const Bytes events = in.take(size.value_or(in.remaining()));
    if (!in.ok()) return bad("transaction payload longer than its event");
    PayloadReader reader(events);
    if (algorithm == kNone) return reader;
    if (algorithm != kZstd) {
        return Error{
            Errc::Unsupported,
            Retry::Never,
            "transaction payload: compression type " + std::to_string(algorithm)
        };
    }
    reader.plain_ = false;
    reader.stream_ = std::make_unique<Stream>();
    reader.stream_->in = {events.data(), events.size(), 0};
    return reader;
}

Result<bool> PayloadReader::fill(size_t count) {
    while (buffer_.size() < count) {
        ZSTD_inBuffer& in = stream_->in;
        if (buffer_.empty() && stream_->complete && in.pos == in.size) return false;
        const size_t before = buffer_.size();
        buffer_.resize(std::min(count, before + ZSTD_DStreamOutSize()));
        ZSTD_outBuffer out{buffer_.data() + before, buffer_.size() - before, 0};
        const size_t consumed = in.pos;
        const size_t result = ZSTD_decompressStream(stream_->context, &out, &in);
        buffer_.resize(before + out.pos);
        if (ZSTD_isError(result) != 0)
            return bad(std::string("transaction payload: ") + ZSTD_getErrorName(result));
        stream_->complete = result == 0;
        if (out.pos == 0 && in.pos == consumed) {
            return bad("transaction payload: truncated");
        }
    }
    return true;
}

Result<std::optional<Bytes>> PayloadReader::next() {
    if (plain_) {
        if (input_.empty()) return std::optional<Bytes>();
        if (input_.size() < EventHeader::kSize) return bad("transaction payload: truncated event");
        const size_t length = EventHeader::read(input_.data()).length;
        if (length < EventHeader::kSize || length > input_.size())
            return bad("transaction payload: truncated event");
        const Bytes event = input_.first(length);
        input_ = input_.subspan(length);
        return std::optional<Bytes>(event);
    }
    buffer_.clear();
    const auto more = fill(EventHeader::kSize);
    if (!more) return more.error();
    if (!*more) return std::optional<Bytes>();
    const size_t length = EventHeader::read(as_bytes(buffer_).data()).length;
    if (length < EventHeader::kSize || length > kLargestEvent)
        return bad("transaction payload: event of " + std::to_string(length) + " bytes");
    const auto filled = fill(length);
    if (!filled) return filled.error();
    if (!*filled) return bad("transaction payload: truncated event");
    return std::optional<Bytes>(as_bytes(buffer_));
}

}  // namespace obcanal::mysql
