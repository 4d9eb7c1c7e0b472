// `obcanal-adapter dead-letters`: what the operator sees of parked changes and does with them, by
// the files alone, whether the adapter runs or not. One thread.
#pragma once

#include "adapter/config/adapter_config.h"
#include "protocol/base/result.h"

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

namespace obcanal::adapter::core {

struct DeadLetterRequest {
    enum class Verb : uint8_t { List, Retry, Drop };

    Verb verb = Verb::List;
    std::string destination;    // empty: all that are configured
    std::vector<uint64_t> ids;  // of retry and drop
    bool all = false;           // instead of ids
    bool json = false;          // of list: every field
};

// An Error: a letter that is not there, a file that can't be read or written.
Result<void> run_dead_letters(
    const config::AdapterConfig& config, const DeadLetterRequest& request, std::ostream& to
);

}  // namespace obcanal::adapter::core
