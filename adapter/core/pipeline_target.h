// A writer of a pipeline with what the pipeline knows of it. The pipeline's strand.
#pragma once

#include "adapter/core/pipeline.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>

namespace obcanal::adapter::core {

// Of everything that a pipeline tries again.
inline constexpr std::chrono::milliseconds kFirstPause{1'000};
inline constexpr std::chrono::milliseconds kLongestPause{60'000};

inline std::chrono::milliseconds doubled(std::chrono::milliseconds pause) {
    return std::clamp(pause * 2, kFirstPause, kLongestPause);
}

struct Pipeline::Target {
    Target(std::string in_group, const config::OuterAdapterConfig& as)
        : group(std::move(in_group)), adapter(as) {}

    std::string group;
    config::OuterAdapterConfig adapter;
    std::unique_ptr<WriterDeadLetters> letters;
    std::unique_ptr<Writer> writer;
    bool opened = false;
    SteadyTime next_open{};
    bool written = false;  // has the batch in hand
};

}  // namespace obcanal::adapter::core
