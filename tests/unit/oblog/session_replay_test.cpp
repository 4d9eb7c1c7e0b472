// Sessions of OceanBase's own Java client: what our client would have sent, what our server would
// have answered, and what our client reads, byte for byte.
#include "protocol/base/input_buffer.h"
#include "protocol/oblog/frame.h"
#include "protocol/oblog/handshake.h"
#include "tests/unit/oblog/fixtures.h"

#include <cstring>

namespace obcanal::oblog {
namespace {

struct Session {
    const char* name;
    uint16_t version;
    bool monitor = false;
    int64_t start_s = 0;
    bool cut = false;         // ends inside a packet
    bool with_types = false;  // shop-ddl, then types; else shop-ddl
};

const Session kSessions[] = {
    {"v2-lz4", 2, false, 0, false, true},
    {"v2-none", 2, false, 0, false, true},
    {"v0-lz4", 0, false, 0, false, true},
    {"v0-none", 0, false, 0, false, true},
    {"v2-crc-none", 2},
    {"v2-drop", 2, false, 0, true, true},
    {"v2-drop-conn2", 2, false, 1714521605, false, true},
    {"v2-error", 2},
    {"v0-error", 0},
    {"v2-status", 2, true},
};

class SessionReplay : public ::testing::TestWithParam<Session> {};

TEST_P(SessionReplay, ClientBytes) {
    const Session& session = GetParam();
    HandshakeConfiguration configuration;
    const auto add = [&configuration](std::string_view key, std::string_view value) {
        EXPECT_TRUE(configuration.add(key, value).ok());
    };
    add("tb_white_list", "obtenant.*.*");
    add("cluster_user", "root@obtenant");
    add("timezone", "+08:00");
    add("rootserver_list", "127.0.0.1:2882:2881");
    add("cluster_password", password_hash("secret"));
    add("cluster_id", "");
    add("tb_black_list", "|");
    add("working_mode", "storage");
    add("first_start_timestamp_us", "0");
    add("first_start_timestamp", std::to_string(session.start_s));
    HandshakeRequest request;
    request.version = session.version;
    request.ip = "192.0.2.2";
    request.id = session.version == 2 ? "java-client-2" : "java-client-0";
    request.client_version = "1.1.2";
    request.enable_monitor = session.monitor;
    request.configuration = configuration.text();
    const std::string sent = encode_handshake_request(request);
    const std::string recorded_bytes =
        read_fixture("sessions/" + std::string(session.name) + ".c2s.bin");
    EXPECT_EQ(sent, recorded_bytes);

    const auto read = read_handshake_request(as_bytes(recorded_bytes), kLimit);
    ASSERT_TRUE(read.ok() && read->has_value());
    EXPECT_EQ((*read)->size, recorded_bytes.size());
    EXPECT_EQ((*read)->request, request);
    const auto parsed = HandshakeConfiguration::parse((*read)->request.configuration);
    EXPECT_EQ(parsed.find("cluster_user"), "root@obtenant");
    EXPECT_EQ(parsed.text(), request.configuration);
}

struct Transcript {
    std::vector<std::string> records;
    std::string rewritten;  // what our server would have sent, with its own LZ4 blocks
    size_t whole = 0;       // bytes of complete packets
    bool lz4 = false;
};

// `step`: how many bytes come at a time.
void read_session(const Session& session, std::string_view bytes, size_t step, Transcript& out) {
    PacketReader reader(session.version, kLimit);
    InputBuffer input;
    uint32_t sequence = 0;
    for (size_t at = 0; at < bytes.size(); at += step) {
        const std::string_view part = bytes.substr(at, step);
        std::memcpy(input.room(part.size()).data(), part.data(), part.size());
        input.received(part.size());
        for (;;) {
            const auto packet = reader.next(input.pending());
            ASSERT_TRUE(packet.ok()) << packet.error().detail;
            if (!*packet) break;
            const size_t size = (*packet)->size;
            const ServerMessage& message = (*packet)->message;
            if (const auto* data = std::get_if<DataPacket>(&message)) {
                std::vector<Bytes> records;
                for (RecordCursor cursor(*data); !cursor.empty();) {
                    records.push_back(cursor.next());
                    out.records.emplace_back(as_text(records.back()));
                }
                EXPECT_EQ(data->count.value_or(records.size()), records.size());
                // Plain bytes are a view into the packet.
                const Bytes pending = input.pending();
                const bool plain = data->records.data() > pending.data() &&
                                   data->records.data() < pending.data() + pending.size();
                const auto how = plain ? Compression::None : Compression::Lz4;
                out.lz4 = out.lz4 || !plain;
                out.rewritten += encode_data(session.version, records, how, sequence);
                sequence += static_cast<uint32_t>(records.size());
            } else if (const auto* reply = std::get_if<HandshakeResponse>(&message)) {
                out.rewritten += encode_handshake_response(session.version, *reply);
            } else if (const auto* error = std::get_if<ErrorResponse>(&message)) {
                out.rewritten += encode_error(session.version, *error);
            } else if (const auto* status = std::get_if<RuntimeStatus>(&message)) {
                out.rewritten += encode_status(session.version, *status);
            }
            out.whole += size;
            input.consume(size);
        }
    }
}

TEST_P(SessionReplay, ServerBytes) {
    const Session& session = GetParam();
    const std::string name = session.name;
    const std::string bytes = read_fixture("sessions/" + name + ".s2c.bin");
    Transcript whole, by_byte;
    read_session(session, bytes, bytes.size(), whole);
    read_session(session, bytes, 1, by_byte);
    EXPECT_EQ(whole.records, by_byte.records);
    EXPECT_EQ(whole.whole == bytes.size(), !session.cut);

    EXPECT_EQ(whole.lz4, name.find("none") == std::string::npos && !whole.records.empty());
    if (whole.lz4) {
        // Another compressor gives other blocks: what they decompress to must be the same.
        Transcript again;
        read_session(session, whole.rewritten, whole.rewritten.size(), again);
        EXPECT_EQ(again.records, whole.records);
        EXPECT_EQ(again.rewritten, whole.rewritten);
    } else {
        EXPECT_EQ(whole.rewritten, bytes);
    }

    if (name.find("error") != std::string::npos) {
        EXPECT_TRUE(whole.records.empty());
        return;
    }
    // What was played: a prefix or a part of the recordings, and heartbeats at the end.
    std::vector<std::string> played = recorded("shop-ddl");
    if (session.with_types) {
        for (std::string& record : recorded("types")) played.push_back(std::move(record));
    }
    if (name == "v2-crc-none") {
        ASSERT_EQ(whole.records.size(), played.size());
        for (const std::string& record : whole.records) {
            auto parsed = LogRecord::parse(as_bytes(record));
            ASSERT_TRUE(parsed.ok());
            EXPECT_TRUE(parsed->crc_matches());
        }
        return;
    }
    const size_t first = name == "v2-drop-conn2" ? 21 : 0;
    ASSERT_GE(whole.records.size(), session.cut ? size_t{1} : played.size() - first);
    for (size_t i = 0; i < whole.records.size(); ++i) {
        if (first + i < played.size()) {
            EXPECT_EQ(whole.records[i], played[first + i]) << i;
        } else {
            const auto parsed = LogRecord::parse(as_bytes(whole.records[i]));
            ASSERT_TRUE(parsed.ok());
            EXPECT_EQ(parsed->type(), RecordType::Heartbeat);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(
    All,
    SessionReplay,
    ::testing::ValuesIn(kSessions),
    [](const ::testing::TestParamInfo<Session>& param) {
        std::string name = param.param.name;
        for (char& c : name) {
            if (c == '-') c = '_';
        }
        return name;
    }
);

}  // namespace
}  // namespace obcanal::oblog
