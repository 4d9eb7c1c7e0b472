// The content of meta.dat, byte for byte as Java Canal's FileMixedMetaManager writes it, and what
// of it is not ours to drop. Pure functions, any thread.
#pragma once

#include "protocol/base/result.h"
#include "server/meta/meta_store.h"

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace obcanal::meta {

struct MetaDocument {
    ClientTable table;
    // Members that we do not know, each as `,"name":value`; of the document and of one client.
    std::string unknown;
    std::map<canal::ClientId, std::string> unknown_of_client;
    // Whole entries of other destinations, as JSON; Java ignores them on load.
    std::vector<std::string> foreign;
};

// Blank text is an empty table, as no file is. An error names the member that is wrong.
Result<MetaDocument> parse_meta_document(std::string_view text, std::string_view destination);
// `table` instead of the document's own.
std::string render_meta_document(
    const MetaDocument& document, const ClientTable& table, std::string_view destination
);

// The cursors of some clients on their own: the payload of a journal slot.
using Cursors = std::vector<std::pair<canal::ClientId, canal::LogPosition>>;
void append_cursor(std::string& to, canal::ClientId client, const canal::LogPosition& cursor);
// Of any number of append_cursor(), in order.
Result<Cursors> parse_cursors(std::string_view text);

}  // namespace obcanal::meta
