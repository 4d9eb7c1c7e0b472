// What `obcanal check` finds when it reaches for a destination's source: facts, doubts and
// problems, each problem with what to do about it. A kind of source that can tell more than that it
// streams adds its own questions in preflight().
#pragma once

#include "protocol/canal/position.h"
#include "protocol/net/awaitable.h"
#include "server/config/instance_config.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace obcanal::source {

struct Preflight {
    enum class Kind : uint8_t { Fact, Warning, Problem };

    struct Line {
        Kind kind = Kind::Fact;
        std::string text;
        std::string remedy = {};
    };

    void fact(std::string text) { lines.push_back({Kind::Fact, std::move(text)}); }

    void warning(std::string text, std::string remedy) {
        lines.push_back({Kind::Warning, std::move(text), std::move(remedy)});
    }

    void problem(std::string text, std::string remedy) {
        lines.push_back({Kind::Problem, std::move(text), std::move(remedy)});
    }

    bool good() const;

    std::vector<Line> lines;
};

// Where the destination reads from, in a word or two: "oblogproxy 10.0.0.1:2983, tenant shop".
std::string describe_source(const config::InstanceConfig& config);

// Asks the source all that can be asked within about `limit`; changes nothing there. `saved`: the
// earliest cursor of the destination's clients, if there is one.
Awaitable<Preflight> preflight(
    config::InstanceConfig config,
    std::optional<canal::LogPosition> saved,
    std::chrono::milliseconds limit
);

// For every kind of source: starts it as the instance would and waits for the first thing that it
// gives. Any one strand.
Awaitable<void> stream_briefly(
    const config::InstanceConfig& config, std::chrono::milliseconds limit, Preflight& to
);

}  // namespace obcanal::source
