// Compressed events, columns and payloads beyond what the recorded logs hold: damage and lies.
#include "protocol/mysql/compression.h"

#include "protocol/base/text.h"
#include "tests/unit/mysql/log_writer.h"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <vector>

namespace obcanal::mysql {
namespace {

std::string zlib_stream(const std::string& text) {
    uLongf size = compressBound(text.size());
    std::string out(size, '\0');
    EXPECT_EQ(
        compress(
            reinterpret_cast<Bytef*>(out.data()),
            &size,
            reinterpret_cast<const Bytef*>(text.data()),
            text.size()
        ),
        Z_OK
    );
    out.resize(size);
    return out;
}

std::string event_part(const std::string& text, uint32_t claimed) {
    std::string out("\x84");
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(claimed >> shift);
    return out + zlib_stream(text);
}

TEST(Compression, EventPart) {
    const std::string text(5000, 'x');
    const std::string part = event_part(text, 5000);
    std::string out = "old";
    ASSERT_TRUE(inflate_event_part(as_bytes(part), as_bytes("front"), out).ok());
    EXPECT_EQ(out, "front" + text);
    for (size_t size = 0; size < part.size(); ++size)
        EXPECT_FALSE(inflate_event_part(as_bytes(part).first(size), {}, out).ok()) << size;
    EXPECT_FALSE(inflate_event_part(as_bytes(event_part(text, 4999)), {}, out).ok());
    EXPECT_FALSE(inflate_event_part(as_bytes(event_part(text, 5001)), {}, out).ok());
    EXPECT_FALSE(inflate_event_part(as_bytes("plain text"), {}, out).ok());
    std::string other = part;
    other[0] = '\x94';
    EXPECT_EQ(inflate_event_part(as_bytes(other), {}, out).error().code, Errc::Unsupported);
}

// Nothing is allocated for a size that so few bytes cannot hold.
TEST(Compression, ClaimedSizesAreBounded) {
    std::string out;
    const auto lied = inflate_event_part(as_bytes(event_part("x", 0xFFFFFFFF)), {}, out);
    EXPECT_EQ(lied.error().detail, "compressed data: claims 4294967295 bytes");
    EXPECT_LT(out.capacity(), 1000U);
    const std::string column = "\x84\x3f\xff\xff\xff" + zlib_stream("x");
    EXPECT_EQ(inflate_column(as_bytes(column)), std::nullopt);
}

TEST(Compression, Columns) {
    EXPECT_EQ(inflate_column({}), "");
    EXPECT_EQ(inflate_column(as_bytes(std::string("\0plain", 6))), "plain");
    const std::string cell = "\x81\x05" + zlib_stream("hello");
    EXPECT_EQ(inflate_column(as_bytes(cell)), "hello");
    for (size_t size = 1; size < cell.size(); ++size)
        EXPECT_EQ(inflate_column(as_bytes(cell).first(size)), std::nullopt) << size;
    EXPECT_EQ(inflate_column(as_bytes("\x91\x05xxxxx")), std::nullopt);
}

std::string payload_body(const std::string& events, uint8_t algorithm, uint64_t size) {
    std::string body;
    const auto field = [&](uint8_t kind, uint64_t value) {
        std::string number;
        append_length(number, value);
        append_length(body, kind);
        append_length_text(body, number);
    };
    field(2, algorithm);
    field(3, size);
    field(1, events.size());
    return body + '\0' + events;
}

std::string zstd(const std::string& text) {
    std::string out(ZSTD_compressBound(text.size()), '\0');
    out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
    return out;
}

std::vector<size_t> sizes(const std::string& body, bool& failed) {
    std::vector<size_t> found;
    auto payload = PayloadReader::open(as_bytes(body));
    failed = !payload.ok();
    while (!failed) {
        const auto event = payload->next();
        failed = !event.ok();
        if (failed || !*event) break;
        found.push_back((*event)->size());
    }
    return found;
}

TEST(Compression, Payload) {
    const std::string events =
        event_bytes(EventType::Xid, "12345678", false) +
        event_bytes(EventType::WriteRows, std::string(3'000'000, 'r'), false) +
        event_bytes(EventType::Xid, "12345678", false);
    const std::vector<size_t> wanted{27, 3'000'019, 27};
    bool failed = false;
    EXPECT_EQ(sizes(payload_body(events, 255, events.size()), failed), wanted);
    EXPECT_FALSE(failed);
    const std::string packed = zstd(events);
    EXPECT_EQ(sizes(payload_body(packed, 0, events.size()), failed), wanted);
    EXPECT_FALSE(failed);
    EXPECT_TRUE(sizes(payload_body("", 255, 0), failed).empty());
    EXPECT_FALSE(failed);
}

TEST(Compression, DamagedPayloadIsAnErrorAndNoShorterOne) {
    const std::string events = event_bytes(EventType::Xid, "12345678", false) +
                               event_bytes(EventType::Xid, "abcdefgh", false);
    bool failed = false;
    const std::string packed = zstd(events);
    for (size_t size = 1; size < packed.size(); ++size) {
        sizes(payload_body(packed.substr(0, size), 0, events.size()), failed);
        EXPECT_TRUE(failed) << size;
    }
    for (size_t size = 1; size < events.size(); ++size) {
        if (size == 27) continue;
        sizes(payload_body(events.substr(0, size), 255, events.size()), failed);
        EXPECT_TRUE(failed) << size;
    }
    const std::string body = payload_body(packed, 0, events.size());
    for (size_t size = 0; size < 10; ++size)
        EXPECT_FALSE(PayloadReader::open(as_bytes(body).first(size)).ok()) << size;
    const auto unknown = PayloadReader::open(as_bytes(payload_body(packed, 7, 1)));
    EXPECT_EQ(unknown.error().code, Errc::Unsupported);
    // An event that claims less than its own header would never end.
    std::string zero = events;
    zero[9] = 0;
    sizes(payload_body(zstd(zero), 0, zero.size()), failed);
    EXPECT_TRUE(failed);
}

}  // namespace
}  // namespace obcanal::mysql
