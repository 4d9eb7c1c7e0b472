// What a server sends a client: the first byte chooses greeting, login dialogue or result set, the
// rest is a stream of packets.
#include "protocol/base/assert.h"
#include "protocol/mysql/auth.h"
#include "protocol/mysql/command.h"
#include "protocol/mysql/handshake.h"
#include "protocol/mysql/packet.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace obcanal::mysql {
namespace {

// Gives each payload to `take` until it says that it is done.
template <class Take>
void read_packets(Bytes bytes, Take take) {
    InputBuffer in(16);
    PacketReader reader(1 << 20);
    while (!bytes.empty()) {
        const size_t part = bytes.size() < 7 ? bytes.size() : 7;
        std::memcpy(in.room(part).data(), bytes.data(), part);
        in.received(part);
        bytes = bytes.subspan(part);
        for (;;) {
            const auto packet = reader.next(in);
            if (!packet || !*packet) {
                if (!packet) return;
                break;
            }
            if (take((*packet)->payload)) return;
        }
    }
}

void greet(Bytes bytes) {
    read_packets(bytes, [](Bytes payload) {
        const auto greeting = parse_greeting(payload);
        if (!greeting) {
            OBC_ASSERT(!greeting.error().detail.empty());
            return false;
        }
        OBC_ASSERT(greeting->seed.size() <= 20);
        login_packet(*greeting, {.user = "u", .database = "d"}, greeting->plugin, "scramble");
        return false;
    });
}

void log_in(Bytes bytes, bool confidential) {
    Authenticator login("password", confidential);
    login.choose("caching_sha2_password");
    OBC_ASSERT(login.first_answer("12345678901234567890").ok());
    read_packets(bytes, [&](Bytes payload) {
        const auto step = login.receive(payload);
        if (!step) OBC_ASSERT(!step.error().detail.empty());
        if (step && step->answer && !confidential)
            OBC_ASSERT(step->answer->find("password") == std::string::npos);
        return !step || step->done;
    });
}

void query(Bytes bytes) {
    QueryResult result("query");
    read_packets(bytes, [&](Bytes payload) {
        const auto done = result.receive(payload);
        if (!done) OBC_ASSERT(!done.error().detail.empty());
        for (const QueryResult::Row& row : result.rows())
            OBC_ASSERT(row.size() == result.columns().size());
        return !done || *done;
    });
}

}  // namespace
}  // namespace obcanal::mysql

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    const obcanal::Bytes rest(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
    switch (data[0] % 4) {
        case 0: obcanal::mysql::greet(rest); break;
        case 1: obcanal::mysql::log_in(rest, false); break;
        case 2: obcanal::mysql::log_in(rest, true); break;
        default: obcanal::mysql::query(rest); break;
    }
    return 0;
}
