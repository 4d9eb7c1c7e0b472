// How `tail` prints entries. One thread.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"

#include <cstdint>
#include <string>

namespace obcanal::cli {

class EntryFormat {
 public:
    virtual ~EntryFormat() = default;
    // Appends the lines of one serialised Entry and gives the number of rows among them. A format
    // that prints rows apart leaves out those beyond `row_limit`.
    virtual Result<uint64_t> append(Bytes entry, uint64_t row_limit, std::string& to) = 0;
};

}  // namespace obcanal::cli
