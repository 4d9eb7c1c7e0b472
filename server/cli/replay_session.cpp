#include "server/cli/replay_session.h"

#include "protocol/base/input_buffer.h"
#include "protocol/base/text.h"
#include "protocol/net/asio.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace obcanal::cli {

namespace {

constexpr size_t kHandshakeLimit = size_t{1} << 20;
constexpr std::chrono::milliseconds kHandshakeTimeout{10'000};
constexpr size_t kReadBytes = 4096;
constexpr int64_t kMicros = 1'000'000;
// Frames of one write: enough to keep a socket busy, few enough to notice the time.
constexpr size_t kFramesAtOnce = 16;
constexpr std::string_view kServerVersion = "obcanal " OBCANAL_VERSION;

// Microseconds win over seconds; neither: from the start of the recording.
int64_t start_of(const oblog::HandshakeConfiguration& asked) {
    const auto number = [&asked](std::string_view key) {
        return parse_int(asked.find(key).value_or("")).value_or(0);
    };
    const int64_t us = number("first_start_timestamp_us");
    return us != 0 ? us : number("first_start_timestamp") * kMicros;
}

}  // namespace

ReplaySession::ReplaySession(Stream stream, StreamFaults faults, ReplayService& service)
    : service_(service), stream_(std::move(stream), faults), pause_(stream_.stream().executor()) {}

void ReplaySession::close() {
    stream_.stream().close();
    pause_.end();
}

// A client never sends anything after its handshake, so that its end is all there is to read.
Awaitable<void> watch_for_end(std::shared_ptr<ReplaySession> session, Stream stream) {
    co_await stream.wait_readable();
    if (stream.at_end()) session->close();
}

Awaitable<void> ReplaySession::run() {
    const std::shared_ptr<ReplaySession> self = shared_from_this();
    const Result<void> done = co_await serve();
    close();
    if (registered_) service_.live.erase(request_.id);
    // A connection that says nothing is somebody looking whether the port is open.
    const bool silent = request_.id.empty() && done.error().code == Errc::Closed;
    if (silent) co_return;
    service_.logger.info(
        "client gone",
        {{"peer", stream_.stream().peer()},
         {"id", request_.id},
         {"records", records_sent_},
         {"bytes", stream_.written()},
         {"cause", done.error().detail}}
    );
}

// Never without an error: a client is served until it goes, or has to.
Awaitable<Result<void>> ReplaySession::serve() {
    Result<void> asked = co_await read_request();
    if (!asked) co_return asked;
    Result<void> greeted = co_await greet();
    if (!greeted) co_return greeted;
    const auto configuration = oblog::HandshakeConfiguration::parse(request_.configuration);
    Executor executor = stream_.stream().executor();
    asio::co_spawn(executor, watch_for_end(shared_from_this(), stream_.stream()), asio::detached);
    Result<void> streamed = co_await stream_log(start_of(configuration));
    co_return streamed;
}

Awaitable<Result<void>> ReplaySession::read_request() {
    Deadline deadline(stream_.stream());
    deadline.arm(kHandshakeTimeout);
    InputBuffer input;
    for (;;) {
        Result<std::optional<oblog::RequestRead>> read =
            oblog::read_handshake_request(input.pending(), kHandshakeLimit);
        if (!read) co_return std::move(read).error();
        if (*read) {
            request_ = std::move((*read)->request);
            co_return Result<void>{};
        }
        Result<size_t> count = co_await stream_.stream().read_some(input.room(kReadBytes));
        if (!count && deadline.expired())
            co_return Error{Errc::Timeout, Retry::Never, "no handshake within 10 s"};
        if (!count) co_return std::move(count).error();
        input.received(*count);
    }
}

std::string ReplaySession::objection(const oblog::HandshakeConfiguration& asked) const {
    const auto has = [&asked](std::string_view key) {
        return !asked.find(key).value_or("").empty();
    };
    if (!service_.error_before.empty()) return service_.error_before;
    if (!has("rootserver_list") && !has("cluster_url"))
        return "neither rootserver_list nor cluster_url is given";
    if (!has("cluster_user") || !has("cluster_password"))
        return "cluster_user or cluster_password is missing";
    return {};
}

// The answers of oblogproxy: refusals of the request itself instead of a response, what goes wrong
// with the reader behind a good one.
Awaitable<Result<void>> ReplaySession::greet() {
    const auto asked = oblog::HandshakeConfiguration::parse(request_.configuration);
    service_.logger.info(
        "client",
        {{"peer", stream_.stream().peer()},
         {"id", request_.id},
         {"protocol", request_.version},
         {"version", request_.client_version},
         {"ip", request_.ip},
         {"start_us", start_of(asked)},
         {"configuration", asked.printable_text()}}
    );
    if (service_.version && request_.version != *service_.version)
        co_return Error{Errc::Unsupported, Retry::Never, "protocol version is not served"};
    std::string wrong = objection(asked);
    if (!wrong.empty()) co_return co_await refuse(oblog::error_code::kNoAuth, std::move(wrong));

    oblog::HandshakeResponse response;
    response.ip = parse_endpoint(stream_.stream().local()).value_or(Endpoint{}).host;
    response.version = kServerVersion;
    Result<void> sent = co_await send(oblog::encode_handshake_response(request_.version, response));
    if (!sent) co_return sent;
    if (!service_.error_after.empty()) wrong = service_.error_after;
    if (request_.log_type != 0)
        wrong = "log type " + std::to_string(request_.log_type) + " is not known";
    if (wrong.empty()) registered_ = service_.live.insert(request_.id).second;
    if (wrong.empty() && !registered_)
        wrong = "client " + printable(request_.id) + " is connected already";
    if (!wrong.empty()) co_return co_await refuse(oblog::error_code::kInner, std::move(wrong));
    co_return Result<void>{};
}

Awaitable<Result<void>> ReplaySession::refuse(int32_t code, std::string text) {
    oblog::ErrorResponse error;
    error.code = code;
    error.message = text;
    Result<void> sent = co_await send(oblog::encode_error(request_.version, error));
    if (!sent) co_return sent;
    co_return Error{Errc::Refused, Retry::Never, std::move(text)};
}

Awaitable<Result<void>> ReplaySession::stream_log(int64_t since_us) {
    const ReplayLog& log = service_.log;
    position_ = log.find(since_us);
    heartbeat_us_ = std::max<int64_t>(since_us - 1, 0);
    heartbeat_us_ =
        std::max(heartbeat_us_, at_end() ? log.last_us() : log.checkpoint_us(position_));
    started_ = steady_now();
    next_heartbeat_ = started_ + service_.heartbeat;
    while (stream_.stream().is_open()) {
        const SteadyTime now = steady_now();
        Result<void> sent;
        if (now >= next_heartbeat_) {
            sent = co_await send_heartbeat();
        } else if (!at_end() && !paced()) {
            sent = co_await send_packets();
        } else if (!at_end() && next_rows_at() <= now) {
            sent = co_await send_due();
        } else {
            // A log that is followed may get records from before now.
            if (at_end() && !ended_at_ && !log.follows()) ended_at_ = now;
            const SteadyTime rows = at_end() ? SteadyTime::max() : next_rows_at();
            co_await pause_.wait_until(std::min(next_heartbeat_, rows));
        }
        if (!sent) co_return sent;
    }
    co_return Error{Errc::Closed, Retry::Never, "closed"};
}

SteadyTime ReplaySession::next_rows_at() const {
    const std::chrono::duration<double> since_start(
        static_cast<double>(rows_sent_) / service_.rows_per_second
    );
    return started_ + std::chrono::duration_cast<SteadyTime::duration>(since_start);
}

// The next prepared frames. Legacy clients want records numbered from their own first one on, so
// theirs are made for them.
Awaitable<Result<void>> ReplaySession::send_packets() {
    if (legacy()) co_return co_await send_legacy_packet();
    const std::string status = oblog::encode_status(request_.version, status_now());
    std::vector<ReplayPackets::Frame> frames;
    std::vector<Bytes> pieces;
    uint64_t packet = service_.log.packet_of(position_);
    for (; frames.size() < kFramesAtOnce && !at_end(); ++packet) {
        const uint64_t end = service_.log.packet_begin(packet + 1);
        const bool whole = position_ == service_.log.packet_begin(packet);
        frames.push_back(
            whole ? service_.packets.frame(packet) : service_.packets.encode(position_, end)
        );
        if (service_.status) pieces.push_back(as_bytes(status));
        pieces.push_back(as_bytes(*frames.back()));
        records_sent_ += end - position_;
        position_ = end;
    }
    Result<void> sent = co_await stream_.write(pieces);
    co_return sent;
}

Awaitable<Result<void>> ReplaySession::send_legacy_packet() {
    const uint64_t end = service_.log.packet_begin(service_.log.packet_of(position_) + 1);
    while (position_ < end) batch_.add(service_.log, position_++);
    Result<void> sent = co_await send_batch();
    co_return sent;
}

// Whole units until the pace is kept again.
Awaitable<Result<void>> ReplaySession::send_due() {
    const std::chrono::duration<double> elapsed = steady_now() - started_;
    const double due = elapsed.count() * service_.rows_per_second;
    while (!at_end() && static_cast<double>(rows_sent_) <= due) {
        const uint64_t end = std::min(service_.log.unit_end(position_), service_.log.end());
        rows_sent_ += service_.log.unit_rows(position_);
        while (position_ < end) {
            batch_.add(service_.log, position_++);
            if (!batch_is_full()) continue;
            Result<void> sent = co_await send_batch();
            if (!sent) co_return sent;
        }
    }
    Result<void> sent;
    if (!batch_.empty()) sent = co_await send_batch();
    co_return sent;
}

bool ReplaySession::batch_is_full() const {
    return batch_.size() >= service_.packet_records || batch_.bytes() >= service_.packet_bytes;
}

Awaitable<Result<void>> ReplaySession::send_batch() {
    std::string packet;
    if (service_.status) packet = oblog::encode_status(request_.version, status_now());
    packet +=
        oblog::encode_data(request_.version, batch_.records(), service_.compression, sequence_);
    sequence_ += static_cast<uint32_t>(batch_.size());
    records_sent_ += batch_.size();
    batch_.clear();
    Result<void> sent = co_await send(std::move(packet));
    co_return sent;
}

// Everything up to its time was sent. When the log has ended, its time goes on by the clock.
Awaitable<Result<void>> ReplaySession::send_heartbeat() {
    const SteadyTime now = steady_now();
    next_heartbeat_ = now + service_.heartbeat;
    if (position_ > 0 && !ended_at_)
        heartbeat_us_ = std::max(heartbeat_us_, service_.log.checkpoint_us(position_ - 1));
    int64_t time_us = heartbeat_us_;
    if (ended_at_)
        time_us += std::chrono::duration_cast<std::chrono::microseconds>(now - *ended_at_).count();
    batch_.add(heartbeat_record(time_us));
    Result<void> sent = co_await send_batch();
    co_return sent;
}

oblog::RuntimeStatus ReplaySession::status_now() const {
    oblog::RuntimeStatus status;
    status.ip = "127.0.0.1";
    status.port =
        static_cast<int32_t>(parse_endpoint(stream_.stream().local()).value_or(Endpoint{}).port);
    status.stream_count = static_cast<int32_t>(service_.live.size());
    status.worker_count = status.stream_count;
    return status;
}

Awaitable<Result<void>> ReplaySession::send(std::string packet) {
    const std::array<Bytes, 1> pieces{as_bytes(packet)};
    Result<void> sent = co_await stream_.write(pieces);
    co_return sent;
}

}  // namespace obcanal::cli
