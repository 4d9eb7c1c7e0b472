// Streams from an oblogproxy: connects to one of its addresses, asks for everything since the
// checkpoint, and hands what comes to the sink through an OblogTranslator. Feed strand, but for
// state().
#pragma once

#include "protocol/base/log.h"
#include "protocol/net/stream.h"
#include "protocol/oblog/frame.h"
#include "server/config/instance_config.h"
#include "server/source/oblog_translator.h"
#include "server/source/source.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace obcanal::source {

class OblogSource : public Source {
 public:
    // BadConfig: no address, a value that can't be sent, a column filter that can't be read.
    static Result<std::unique_ptr<Source>> make(
        const config::InstanceConfig& config, std::shared_ptr<const LiveFilter> filter
    );

    Awaitable<Error> run(std::optional<canal::LogPosition> from, ChangeSink& out) override;
    void stop() override;

    std::unique_ptr<PositionTracker> tracker(std::optional<canal::LogPosition> from) const override;
    const SourceState& state() const override { return state_; }

 private:
    OblogSource(const config::InstanceConfig& config, std::shared_ptr<const LiveFilter> filter);

    Awaitable<Error> stream_from(Stream stream, ChangeSink& out);
    // Reads until a message is whole.
    Awaitable<Result<oblog::HandshakeResponse>> shake_hands(Stream& stream);
    Awaitable<Result<void>> take_packet(const oblog::DataPacket& packet, ChangeSink& out);
    Awaitable<Result<void>> emit(ChangeSink& out);
    Awaitable<Result<void>> read_more(Stream& stream);
    Result<oblog::HandshakeRequest> request(std::string_view local);
    int64_t start_us() const;
    void log_beginning(const oblog::HandshakeResponse& response, const std::string& peer);
    // Whether to say that this proxy is asked: not again until the stream got on.
    bool is_news(const std::string& peer);

    config::InstanceConfig config_;
    Logger log_;
    std::shared_ptr<const LiveFilter> filter_;
    SourceState state_;
    std::unique_ptr<OblogTranslator> translator_;
    bool started_ = false;
    bool stopped_ = false;
    std::optional<Stream> stream_;
    size_t next_address_ = 0;
    std::set<std::string> asked_;  // proxies that were asked since `asked_at_us_`
    int64_t asked_at_us_ = 0;      // the checkpoint then
    bool news_ = false;            // of the connection under way
    uint64_t generation_ =
        0;  // of the client id: a proxy may still hold the id of a connection that broke
    // Asked for when nothing is known yet, so that a stream that started "now" and broke misses
    // nothing.
    int64_t first_start_us_ = 0;
    struct Reading;
    std::unique_ptr<Reading> reading_;
};

}  // namespace obcanal::source
