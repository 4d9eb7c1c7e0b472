// Plain streams over loopback: a reader that is woken only when as much is there as it waits for.
#include "protocol/net/stream.h"

#include "protocol/net/asio.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace obcanal {
namespace {

using namespace std::chrono_literals;

constexpr size_t kPiece = 1000;

struct Seen {
    std::vector<size_t> reads;
    Errc end = Errc::Io;
};

Awaitable<void> send_pieces(Listener& listener, size_t count) {
    Result<Stream> accepted = co_await listener.accept();
    Stream stream = *accepted;
    const std::string piece(kPiece, 'x');
    for (size_t i = 0; i < count; ++i) {
        Result<void> sent = co_await stream.write(as_bytes(piece));
        EXPECT_TRUE(sent.ok());
        co_await asio::post(stream.executor(), asio::use_awaitable);
    }
    stream.close();
}

Awaitable<void> read_to_end(uint16_t port, size_t low_water, Seen& seen) {
    const Endpoint to{"127.0.0.1", port};
    const ConnectOptions options;
    Result<Stream> connected = co_await connect(to, options);
    Stream stream = *connected;
    std::vector<std::byte> buffer(10 * low_water);
    for (;;) {
        stream.set_low_water(low_water);
        co_await stream.wait_readable();
        Result<size_t> count = co_await stream.read_some(buffer);
        if (!count) seen.end = count.error().code;
        if (!count) co_return;
        seen.reads.push_back(*count);
    }
}

Seen run(size_t pieces, size_t low_water) {
    asio::io_context context{1};
    Result<Listener> listener = Listener::bind(context.get_executor(), "127.0.0.1", 0);
    EXPECT_TRUE(listener.ok());
    Seen seen;
    asio::co_spawn(context, send_pieces(*listener, pieces), asio::detached);
    asio::co_spawn(context, read_to_end(listener->port(), low_water, seen), asio::detached);
    context.run_for(20s);
    EXPECT_TRUE(context.stopped()) << "still waiting";
    return seen;
}

TEST(StreamTest, AReaderIsWokenWhenAsMuchIsThereAsItWaitsFor) {
    const Seen seen = run(100, 50 * kPiece);
    ASSERT_LE(seen.reads.size(), 2u);
    EXPECT_GE(seen.reads.front(), 50 * kPiece);
    size_t total = 0;
    for (const size_t count : seen.reads) total += count;
    EXPECT_EQ(total, 100 * kPiece);
    EXPECT_EQ(seen.end, Errc::Closed);
}

TEST(StreamTest, AnEndWakesAReaderThatWaitsForMore) {
    const Seen seen = run(3, 50 * kPiece);
    EXPECT_EQ(seen.reads, std::vector<size_t>{3 * kPiece});
    EXPECT_EQ(seen.end, Errc::Closed);
}

}  // namespace
}  // namespace obcanal
