// Positions of an oblogproxy source: between Canal's cursor and the resume window. The fields are
// canal-for-ob's: the journal name is a constant, `position` the microsecond part of the
// checkpoint, `timestamp` its seconds x 1000.
#pragma once

#include "protocol/base/text.h"
#include "protocol/canal/position.h"
#include "protocol/oblog/resume_window.h"
#include "server/source/source.h"

#include <cstdint>
#include <optional>

namespace obcanal::source {

inline constexpr std::string_view kOblogJournal = "LogProxyMessageFile";

oblog::ResumeState resume_state(const canal::LogPosition& position);
canal::LogPosition log_position(const oblog::ResumeState& state, const Endpoint& address);

class OblogTracker : public PositionTracker {
 public:
    OblogTracker(Endpoint address, const std::optional<canal::LogPosition>& from);

    void consumed(const Consumed& entry) override;
    void checkpoint(int64_t us) override { window_.checkpoint(us); }
    canal::LogPosition position() const override;

 private:
    Endpoint address_;
    oblog::ResumeWindow window_;
    // A transaction whose end was filtered: complete as soon as another one follows.
    std::string open_;
    int64_t open_commit_us_ = 0;
};

}  // namespace obcanal::source
