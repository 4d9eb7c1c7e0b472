#include "protocol/oblog/frame.h"

#include "tests/unit/oblog/fixtures.h"

#include <gmock/gmock.h>

#include <random>

namespace obcanal::oblog {
namespace {

using ::testing::HasSubstr;
using V = uint16_t;

constexpr V kVersions[] = {0, 1, 2};

// All packets in `bytes`; fails the test when they can't be read.
struct Reading {
    std::vector<std::string> records;
    std::vector<size_t> packets;  // records in each data packet
    std::vector<std::string> others;
    std::string error;
    size_t left = 0;
};

Reading read_stream(V version, std::string_view bytes, size_t limit = kLimit) {
    PacketReader reader(version, limit);
    Reading out;
    Bytes pending = as_bytes(bytes);
    for (;;) {
        auto packet = reader.next(pending);
        if (!packet) {
            out.error = packet.error().detail;
            EXPECT_EQ(packet.error().code, Errc::BadPacket);
            return out;
        }
        if (!*packet) break;
        const ServerMessage& message = (*packet)->message;
        if (const auto* data = std::get_if<DataPacket>(&message)) {
            size_t count = 0;
            for (RecordCursor cursor(*data); !cursor.empty(); ++count)
                out.records.emplace_back(as_text(cursor.next()));
            out.packets.push_back(count);
        } else if (const auto* reply = std::get_if<HandshakeResponse>(&message)) {
            out.others.push_back(
                "reply " + std::to_string(reply->code) + " " + reply->ip + " " + reply->version
            );
        } else if (const auto* error = std::get_if<ErrorResponse>(&message)) {
            out.others.push_back("error " + std::to_string(error->code) + " " + error->message);
        } else if (const auto* status = std::get_if<RuntimeStatus>(&message)) {
            out.others.push_back(
                "status " + status->ip + " " + std::to_string(status->port) + " " +
                std::to_string(status->stream_count) + " " + std::to_string(status->worker_count)
            );
        }
        pending = pending.subspan((*packet)->size);
    }
    out.left = pending.size();
    return out;
}

std::string data_packet(V version, const std::vector<std::string>& records, Compression how) {
    std::vector<Bytes> views;
    for (const std::string& record : records) views.push_back(as_bytes(record));
    return encode_data(version, views, how, 0);
}

TEST(Frame, EveryPacketOfEveryVersionComesBack) {
    const auto records = recorded("shop-ddl");
    for (const V version : kVersions) {
        std::string stream;
        stream += encode_handshake_response(version, {0, "10.0.0.1", "2.0.1"});
        stream += encode_status(version, {"10.0.0.1", 2983, 3, 4});
        stream += data_packet(version, records, Compression::None);
        stream += data_packet(version, records, Compression::Lz4);
        stream += encode_error(version, {error_code::kInner, "Failed to create oblogreader"});
        const Reading got = read_stream(version, stream);
        EXPECT_EQ(got.error, "");
        EXPECT_EQ(got.left, 0U);
        EXPECT_THAT(got.packets, ::testing::ElementsAre(records.size(), records.size()));
        auto twice = records;
        twice.insert(twice.end(), records.begin(), records.end());
        EXPECT_EQ(got.records, twice);
        const std::string status = version == 0 ? "status  0 0 0" : "status 10.0.0.1 2983 3 4";
        EXPECT_THAT(
            got.others,
            ::testing::ElementsAre(
                "reply 0 10.0.0.1 2.0.1", status, "error 1 Failed to create oblogreader"
            )
        );
    }
}

TEST(Frame, RequestsOfEveryVersionComeBack) {
    for (const V version : kVersions) {
        HandshakeRequest request;
        request.version = version;
        request.ip = "10.0.0.9";
        request.id = "obcanal_1";
        request.client_version = "0.1";
        request.enable_monitor = version != 0;
        request.configuration = "a=b c=d ";
        std::string bytes = encode_handshake_request(request);
        for (size_t cut = 0; cut < bytes.size(); ++cut) {
            const auto part = read_handshake_request(as_bytes(bytes).first(cut), kLimit);
            ASSERT_TRUE(part.ok()) << part.error().detail;
            EXPECT_FALSE(part->has_value()) << cut;
        }
        bytes += "more";
        const auto whole = read_handshake_request(as_bytes(bytes), kLimit);
        ASSERT_TRUE(whole.ok() && whole->has_value());
        EXPECT_EQ((*whole)->size, bytes.size() - 4);
        const HandshakeRequest& got = (*whole)->request;
        EXPECT_EQ(got.version, version);
        EXPECT_EQ(got.log_type, 0);
        EXPECT_EQ(got.ip, request.ip);
        EXPECT_EQ(got.id, request.id);
        EXPECT_EQ(got.client_version, request.client_version);
        EXPECT_EQ(got.enable_monitor, request.enable_monitor);
        EXPECT_EQ(got.configuration, request.configuration);
    }
}

TEST(Frame, RequestsThatAreNoneAreRefusedAtTheFirstByteThatTells) {
    const auto error_of = [](std::string_view bytes, size_t limit = kLimit) {
        const auto read = read_handshake_request(as_bytes(bytes), limit);
        return read.ok() ? std::string("read") : read.error().detail;
    };
    EXPECT_THAT(error_of("G"), HasSubstr("magic"));
    EXPECT_THAT(error_of("xi53g]Q"), HasSubstr("magic"));
    const std::string magic(kClientMagic);
    using namespace std::string_literals;
    EXPECT_THAT(error_of(magic + "\0\x03"s), HasSubstr("version 3"));
    EXPECT_THAT(error_of(magic + "\0\x02\x06\0\0\0\0"s), HasSubstr("type 6"));
    EXPECT_THAT(error_of(magic + "\0\x02\x01\x7f\xff\xff\xff"s), HasSubstr("above the limit"));
    EXPECT_THAT(error_of(magic + "\0\x02\x01\0\0\0\x02\x32\x7f"s), HasSubstr("malformed"));
    EXPECT_THAT(error_of(magic + "\0\x01\xff\xff\xff\xff"s), HasSubstr("above the limit"));
    EXPECT_THAT(error_of(magic + "\0\x01\0\0\0\x02\x08\x06"s), HasSubstr("type 6"));
    EXPECT_THAT(error_of(magic + "\0\0\0\0\0\x06"s), HasSubstr("type 6"));
    EXPECT_THAT(error_of(magic + "\0\0\0\0\0\x01\0\xff\xff\xff\xff"s), HasSubstr("above"));
    EXPECT_THAT(error_of(magic + "\0\x02\x01\0\0\0\x64"s, 99), HasSubstr("limit of 99"));
}

// Version 2 data packet with these fields.
std::string made_packet(
    int64_t compression, int64_t raw, int64_t stored, int64_t count, const std::string& records
) {
    std::string body;
    const auto field = [&body](int number, int64_t value) {
        body.push_back(static_cast<char>(number << 3));
        for (auto rest = static_cast<uint64_t>(value);; rest >>= 7) {
            body.push_back(static_cast<char>((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0)));
            if (rest <= 0x7f) break;
        }
    };
    field(1, compression);
    field(2, raw);
    field(3, stored);
    field(4, count);
    body += "\xa2\x06";
    size_t size = records.size();
    for (; size > 0x7f; size >>= 7) body.push_back(static_cast<char>((size & 0x7f) | 0x80));
    body.push_back(static_cast<char>(size));
    body += records;
    std::string packet("\0\x02\x06", 3);
    for (int shift = 24; shift >= 0; shift -= 8)
        packet.push_back(static_cast<char>(body.size() >> shift));
    return packet + body;
}

TEST(Frame, LengthsAndCountsMustAgree) {
    const std::string record = recorded("types")[1];
    const auto size = std::ssize(record);
    const auto error_of = [](const std::string& packet, size_t limit = kLimit) {
        return read_stream(2, packet, limit).error;
    };
    EXPECT_EQ(error_of(made_packet(0, size, size, 1, record)), "");
    EXPECT_EQ(error_of(made_packet(0, 0, 0, 0, "")), "");
    EXPECT_THAT(
        error_of(made_packet(0, size, size, 2, record)), HasSubstr("a packet of 2 records holds 1")
    );
    EXPECT_THAT(error_of(made_packet(0, size, size, -1, record)), HasSubstr("negative"));
    EXPECT_THAT(error_of(made_packet(0, size + 1, size, 1, record)), HasSubstr("two sizes differ"));
    EXPECT_THAT(error_of(made_packet(0, -1, size, 1, record)), HasSubstr("negative"));
    EXPECT_THAT(error_of(made_packet(0, size, size - 1, 1, record)), HasSubstr("bytes and holds"));
    EXPECT_THAT(error_of(made_packet(7, size, size, 1, record)), HasSubstr("compression 7"));
    EXPECT_THAT(error_of(made_packet(1, size, size, 1, record)), HasSubstr("LZ4 block is damaged"));
    EXPECT_THAT(error_of(made_packet(1, 1 << 30, size, 1, record)), HasSubstr("can't become"));
    EXPECT_THAT(
        error_of(made_packet(0, size - 1, size - 1, 1, record.substr(1))), HasSubstr("record 0")
    );
    EXPECT_THAT(
        error_of(made_packet(0, 2 * size - 1, 2 * size - 1, 2, record + record.substr(1))),
        HasSubstr("record 1 at byte " + std::to_string(size))
    );
    EXPECT_THAT(error_of(made_packet(0, size, size, 1, record), 100), HasSubstr("limit of 100"));
    // 60 kB of zeros compress to less than 300 bytes: within the limit before, not after.
    std::string large = record;
    large.append(60'000, '\0');
    large[4] = static_cast<char>((large.size() - 8) & 0xff);
    large[5] = static_cast<char>((large.size() - 8) >> 8 & 0xff);
    const std::string packed = data_packet(2, {large}, Compression::Lz4);
    EXPECT_EQ(error_of(packed), "");
    EXPECT_THAT(error_of(packed, 50'000), HasSubstr("decompressed data"));
}

TEST(Frame, LegacyLengthsMustAgree) {
    const std::string record = recorded("types")[1];
    const std::string packet = data_packet(0, {record}, Compression::None);
    EXPECT_EQ(read_stream(0, packet).error, "");
    const auto error_with = [&packet](size_t at, char value) {
        std::string wrong = packet;
        wrong[at] = value;
        return read_stream(0, wrong).error;
    };
    EXPECT_THAT(error_with(9, packet[9] + 1), HasSubstr("in a packet of"));
    EXPECT_THAT(error_with(10, 9), HasSubstr("compression 9"));
    EXPECT_THAT(error_with(14, packet[14] + 1), HasSubstr("two sizes differ"));
    EXPECT_THAT(
        error_with(6 + 13 + 7, packet[6 + 13 + 7] + 1), HasSubstr("is not what stands in front")
    );
    EXPECT_THAT(error_with(5, 3), HasSubstr("type 3"));
    EXPECT_THAT(error_with(1, 2), HasSubstr("version 2"));
}

TEST(Frame, ForeignVersionsAndTypesAreErrors) {
    using namespace std::string_literals;
    EXPECT_THAT(read_stream(2, "\0\x01\0\0\0\0"s).error, HasSubstr("version 1 in answer"));
    EXPECT_THAT(read_stream(2, "\0\x02\x05\0\0\0\0"s).error, HasSubstr("type 5"));
    EXPECT_THAT(read_stream(2, "\0\x02\x06\xff\xff\xff\xff"s).error, HasSubstr("above"));
    EXPECT_THAT(read_stream(2, "\0\x02\x02\0\0\0\x01\x12"s).error, HasSubstr("malformed"));
    EXPECT_THAT(read_stream(1, "\0\x01\0\0\0\x02\x08\x06"s).error, HasSubstr("type 6"));
    EXPECT_THAT(read_stream(1, "\0\x01\x7f\xff\xff\xff"s).error, HasSubstr("above"));
    EXPECT_THAT(
        read_stream(0, "\0\0\xff\xff\xff\xff\0\0\0\x01\xff\xff\xff\xff"s).error, HasSubstr("above")
    );
}

TEST(Frame, EverySplitGivesTheSameRecords) {
    const auto records = recorded("shop-ddl");
    for (const V version : kVersions) {
        std::string stream;
        stream += encode_handshake_response(version, {0, "h", "1"});
        stream += data_packet(version, records, Compression::Lz4);
        stream += data_packet(version, {records[0]}, Compression::None);
        for (size_t cut = 0; cut < stream.size(); ++cut) {
            const Reading part = read_stream(version, std::string_view(stream).substr(0, cut));
            EXPECT_EQ(part.error, "");
            EXPECT_LE(part.records.size(), records.size());
        }
        EXPECT_EQ(read_stream(version, stream).records.size(), records.size() + 1);
    }
}

TEST(Frame, MutatedBytesNeverCrash) {
    const auto records = recorded("shop-ddl");
    std::minstd_rand random(7);
    for (const V version : kVersions) {
        for (const Compression how : {Compression::None, Compression::Lz4}) {
            const std::string packet = data_packet(version, {records[0], records[1]}, how);
            for (int round = 0; round < 3000; ++round) {
                std::string wrong = packet;
                const size_t changes = 1 + random() % 3;
                for (size_t i = 0; i < changes; ++i)
                    wrong[random() % wrong.size()] = static_cast<char>(random());
                const Reading got = read_stream(version, wrong);
                EXPECT_LE(got.records.size(), 2U);
            }
        }
    }
}

TEST(Frame, ValuesHaveReadableBytesInFront) {
    // The sanitizers watch: the first record of a decompressed packet begins the buffer.
    const std::string packet = data_packet(2, {recorded("types")[2]}, Compression::Lz4);
    PacketReader reader(2, kLimit);
    const auto got = reader.next(as_bytes(packet));
    ASSERT_TRUE(got.ok() && got->has_value());
    const std::byte* front = std::get<DataPacket>((*got)->message).records.data();
    unsigned sum = 0;
    for (size_t i = 1; i <= 16; ++i) sum += std::to_integer<unsigned>(*(front - i));
    EXPECT_EQ(sum, 0U);
}

TEST(Frame, SequenceNumbersStartWhereToldAndCountOn) {
    const std::string record = recorded("types")[1];
    const std::vector<Bytes> two{as_bytes(record), as_bytes(record)};
    const std::string packet = encode_data(0, two, Compression::None, 7);
    EXPECT_EQ(load_be<uint32_t>(as_bytes(packet).data() + 19), 7U);
    EXPECT_EQ(load_be<uint32_t>(as_bytes(packet).data() + 19 + 8 + record.size()), 8U);
}

TEST(Frame, SaysHowMuchOfAPacketIsMissing) {
    for (const V version : kVersions) {
        const std::string packet = data_packet(version, recorded("shop-ddl"), Compression::None);
        PacketReader reader(version, kLimit);
        ASSERT_TRUE(reader.next(as_bytes(packet).first(100)).ok());
        EXPECT_EQ(reader.missing(), packet.size() - 100);
        ASSERT_TRUE(reader.next(as_bytes(packet).first(3)).ok());
        EXPECT_EQ(reader.missing(), 0U);
    }
}

}  // namespace
}  // namespace obcanal::oblog
