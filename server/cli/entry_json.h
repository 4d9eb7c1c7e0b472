// One line of JSON per Entry: every field that is on the wire, in the protocol's order and under
// its names; storeValue decoded into rowChange, transactionBegin, transactionEnd or gtidLog.
#pragma once

#include "protocol/canal/entry_reader.h"
#include "server/cli/entry_format.h"

namespace obcanal::cli {

class EntryJson : public EntryFormat {
 public:
    Result<uint64_t> append(Bytes entry, uint64_t row_limit, std::string& to) override;

 private:
    canal::RowView row_;
};

}  // namespace obcanal::cli
