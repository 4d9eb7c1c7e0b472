#include "server/source/oblog_source.h"

#include "protocol/base/clock.h"
#include "protocol/base/input_buffer.h"
#include "protocol/net/asio.h"
#include "protocol/oblog/handshake.h"
#include "server/source/oblog_position.h"
#include "server/source/oblog_request.h"

#include <unistd.h>

#include <algorithm>
#include <utility>
#include <variant>

namespace obcanal::source {
namespace {

constexpr uint16_t kProtocolVersion = oblog::kNewestVersion;
constexpr size_t kReadBytes = 256 * 1024;
constexpr size_t kPacketsAtOnce = 16;
constexpr int64_t kSecondUs = 1'000'000;
// A stream from "now" that breaks before its first checkpoint asks again for a little more than the
// time since.
constexpr int64_t kNowSlackUs = 5 * kSecondUs;

Error with_proxy(Error error, const std::string& peer) {
    return std::move(error).in("log proxy " + peer);
}

}  // namespace

// What of a connection has been read and not been used.
struct OblogSource::Reading {
    explicit Reading(const config::OblogConfig& config)
        : input(kReadBytes), packets(kProtocolVersion, config.max_packet_bytes) {}

    InputBuffer input;
    oblog::PacketReader packets;
};

Result<std::unique_ptr<Source>> OblogSource::make(
    const config::InstanceConfig& config, std::shared_ptr<const LiveFilter> filter
) {
    if (config.oblog.addresses.empty()) {
        return Error{
            Errc::BadConfig,
            Retry::Never,
            "canal.instance.oceanbase.logproxy.address names no log proxy"
        };
    }
    std::unique_ptr<OblogSource> source(new OblogSource(config, std::move(filter)));
    Result<std::unique_ptr<OblogTranslator>> translator =
        OblogTranslator::make(source->config_, *source->filter_, source->state_);
    if (!translator) return std::move(translator).error();
    source->translator_ = std::move(translator).value();
    Result<oblog::HandshakeRequest> request = source->request({});
    if (!request) return std::move(request).error();
    return std::unique_ptr<Source>(std::move(source));
}

OblogSource::OblogSource(
    const config::InstanceConfig& config, std::shared_ptr<const LiveFilter> filter
)
    : config_(config), log_(config.destination), filter_(std::move(filter)) {}

std::unique_ptr<PositionTracker> OblogSource::tracker(std::optional<canal::LogPosition> from
) const {
    return std::make_unique<OblogTracker>(config_.oblog.addresses.front(), from);
}

void OblogSource::stop() {
    stopped_ = true;
    if (stream_) stream_->close();
}

// 0: now.
int64_t OblogSource::start_us() const {
    if (translator_->checkpoint_us() != 0) return translator_->checkpoint_us();
    const int64_t configured = configured_start_us(config_.oblog);
    return configured != 0 ? configured : first_start_us_;
}

Result<oblog::HandshakeRequest> OblogSource::request(std::string_view local) {
    const int64_t start_us = this->start_us();
    std::string id = config_.oblog.client_id;
    if (id.empty()) id = "obcanal_" + config_.destination + "_" + std::to_string(::getpid());
    return make_request(config_.oblog, start_us, id + "_" + std::to_string(++generation_), local);
}

Awaitable<Result<void>> OblogSource::read_more(Stream& stream) {
    Deadline deadline(stream);
    deadline.arm(std::chrono::milliseconds(config_.oblog.read_timeout_ms));
    const size_t room = std::clamp<size_t>(reading_->packets.missing(), kReadBytes, kReadBytes * 4);
    Result<size_t> count = co_await stream.read_some(reading_->input.room(room));
    if (deadline.expired()) {
        co_return Error{
            Errc::Timeout,
            Retry::Backoff,
            "silent for " + std::to_string(config_.oblog.read_timeout_ms) + " ms"
        };
    }
    if (!count) co_return std::move(count).error();
    reading_->input.received(*count);
    state_.bytes.fetch_add(*count, std::memory_order_relaxed);
    co_return Result<void>{};
}

bool OblogSource::is_news(const std::string& peer) {
    if (translator_->checkpoint_us() != asked_at_us_) asked_.clear();
    asked_at_us_ = translator_->checkpoint_us();
    return asked_.insert(peer).second;
}

Awaitable<Result<oblog::HandshakeResponse>> OblogSource::shake_hands(Stream& stream) {
    Result<oblog::HandshakeRequest> request = this->request(stream.local());
    if (!request) co_return std::move(request).error();
    news_ = is_news(stream.peer());
    if (news_) {
        log_.info(
            "asking a log proxy",
            {{"proxy", stream.peer()},
             {"client", request->id},
             {"configuration",
              oblog::HandshakeConfiguration::parse(request->configuration).printable_text()}}
        );
    }
    const std::string bytes = oblog::encode_handshake_request(*request);
    Result<void> sent = co_await stream.write(as_bytes(bytes));
    if (!sent) co_return std::move(sent).error();
    for (;;) {
        Result<std::optional<oblog::PacketReader::Read>> read =
            reading_->packets.next(reading_->input.pending());
        if (!read) co_return std::move(read).error();
        if (!*read) {
            Result<void> more = co_await read_more(stream);
            if (!more) co_return std::move(more).error();
            continue;
        }
        reading_->input.consume((*read)->size);
        if (const auto* error = std::get_if<oblog::ErrorResponse>(&(*read)->message))
            co_return refused(*error);
        if (const auto* response = std::get_if<oblog::HandshakeResponse>(&(*read)->message)) {
            if (response->code == 0) co_return *response;
            const oblog::ErrorResponse error{response->code, "the handshake's answer"};
            co_return refused(error);
        }
        if (std::holds_alternative<oblog::DataPacket>((*read)->message)) {
            co_return Error{Errc::BadPacket, Retry::Backoff, "data before the handshake's answer"};
        }
    }
}

Awaitable<Result<void>> OblogSource::emit(ChangeSink& out) {
    Result<void> emitted;
    if (!translator_->changes().empty()) emitted = co_await out.emit(translator_->changes());
    translator_->clear();
    co_return emitted;
}

Awaitable<Result<void>> OblogSource::take_packet(const oblog::DataPacket& packet, ChangeSink& out) {
    Result<void> failed;
    for (oblog::RecordCursor records(packet); !records.empty() && failed;) {
        const Bytes record = records.next();
        Result<OblogTranslator::Added> added = translator_->add(record);
        if (added && *added == OblogTranslator::Added::EmitFirst) {
            Result<void> emitted = co_await emit(out);
            if (!emitted) co_return emitted;
            added = translator_->add(record);
            OBC_ASSERT(!added || *added == OblogTranslator::Added::Done);
        }
        if (!added) failed = std::move(added).error();
    }
    // What came before a fault is sound, and the translator counts it as delivered.
    Result<void> emitted = co_await emit(out);
    if (!emitted) co_return emitted;
    co_return failed;
}

void OblogSource::log_beginning(const oblog::HandshakeResponse& response, const std::string& peer) {
    state_.connections.fetch_add(1);
    state_.connected.store(true);
    if (first_start_us_ == 0) first_start_us_ = wall_ms() * 1000 - kNowSlackUs;
    oblog::ResumeState began;
    began.checkpoint_us = start_us();
    state_.set_began(log_position(began, config_.oblog.addresses.front()));
    if (news_) log_.info("streaming", {{"proxy", peer}, {"version", response.version}});
}

Awaitable<Error> OblogSource::stream_from(Stream stream, ChangeSink& out) {
    const Executor strand = co_await asio::this_coro::executor;
    reading_ = std::make_unique<Reading>(config_.oblog);
    translator_->begin_stream();
    Result<oblog::HandshakeResponse> greeted = co_await shake_hands(stream);
    if (!greeted) co_return std::move(greeted).error();
    log_beginning(*greeted, stream.peer());
    size_t since_yield = 0;
    for (;;) {
        Result<std::optional<oblog::PacketReader::Read>> read =
            reading_->packets.next(reading_->input.pending());
        if (!read) co_return std::move(read).error();
        if (!*read) {
            Result<void> more = co_await read_more(stream);
            if (!more) co_return std::move(more).error();
            since_yield = 0;
            continue;
        }
        if (const auto* error = std::get_if<oblog::ErrorResponse>(&(*read)->message))
            co_return refused(*error);
        if (const auto* packet = std::get_if<oblog::DataPacket>(&(*read)->message)) {
            translator_->refresh_filter();
            Result<void> taken = co_await take_packet(*packet, out);
            if (!taken) co_return std::move(taken).error();
        }
        reading_->input.consume((*read)->size);
        if (reading_->input.pending().empty()) reading_->input.shrink();
        // Other destinations share this thread. A read lets them go on, too, but there may be many
        // packets in what was read.
        if (++since_yield < kPacketsAtOnce) continue;
        since_yield = 0;
        co_await asio::post(strand, asio::use_awaitable);
    }
}

Awaitable<Error> OblogSource::run(std::optional<canal::LogPosition> from, ChangeSink& out) {
    if (!started_ && from) translator_->resume_from(resume_state(*from));
    started_ = true;
    const Endpoint address =
        config_.oblog.addresses[next_address_++ % config_.oblog.addresses.size()];
    ConnectOptions options;
    options.timeout = std::chrono::milliseconds(config_.oblog.connect_timeout_ms);
    if (config_.oblog.tls) {
        options.tls = TlsClientOptions{
            config_.oblog.ca_file, config_.oblog.cert_file, config_.oblog.key_file, false
        };
    }
    Result<Stream> connected = co_await connect(address, options);
    if (stopped_) co_return Error{Errc::Stopped, Retry::Never, "stopped"};
    if (!connected) co_return with_proxy(std::move(connected).error(), address.text());
    stream_ = std::move(connected).value();
    Error error = co_await stream_from(*stream_, out);
    state_.connected.store(false);
    translator_->end_stream(out.open_rows());
    stream_->close();
    stream_.reset();
    reading_.reset();
    if (stopped_) co_return Error{Errc::Stopped, Retry::Never, "stopped"};
    co_return with_proxy(std::move(error), address.text());
}

}  // namespace obcanal::source
