// The reply of POST /_bulk, item by item, and what is to be done about each; and that of POST
// /_mget, which says what a document is before fields are put into it.
//   {"took":3,"errors":true,"items":[{"index":{"status":201}},
//     {"update":{"status":404,"error":{"type":"document_missing_exception","reason":"..."}}}, ...]}
//   {"docs":[{"_id":"1","_version":7,"_seq_no":3,"_primary_term":1,"found":true},
//     {"_id":"2","found":false}, {"_id":"3","error":{"type":"...","reason":"..."}}]}
// `error` may be a text. Pure functions.
#pragma once

#include "protocol/base/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::adapter::es {

struct BulkItem {
    int status = 0;
    std::string type;    // of the error; empty: there is none
    std::string reason;  // with the innermost cause
};

// An Error: no such reply, or another number of items.
Result<std::vector<BulkItem>> read_bulk_reply(std::string_view text, size_t expected);

// A document as it was when we looked. Elasticsearch 6 before 6.7 has versions only.
struct DocumentState {
    bool found = false;
    int64_t seq_no = -1;
    int64_t primary_term = 0;
    int64_t version = 0;
    BulkItem error;  // its type is empty: there is none
};

// An Error: no such reply, or another number of documents. Of an index that isn't there no document
// is found.
Result<std::vector<DocumentState>> read_states(std::string_view text, size_t expected);

enum class ItemOutcome : uint8_t {
    Done,
    Missing,  // an update found no document
    Stale,    // the document has a higher version, or is another than it was
    Again,    // too busy, read-only, not available: the same once more, later
    Refused,  // for a cause of its own
    Blocked,  // for a cause that is not the document's
};

ItemOutcome outcome_of(const BulkItem& item);
// The version that the document has, of a Stale item's reason; 0: it doesn't say.
uint64_t current_version(std::string_view reason);

}  // namespace obcanal::adapter::es
