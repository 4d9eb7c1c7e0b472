// Any bytes as the bodies of Messages packets, each behind its length in two bytes: read one after
// the other by one reader, which compares entries with what it saw before, and entry by entry by
// readers that saw nothing; both must say the same, and so must one that leaves statements out.
// What is read is printed as the logger does.
#include "adapter/core/dml_reader.h"
#include "adapter/core/log_writer.h"
#include "protocol/base/assert.h"
#include "protocol/canal/wire_fields.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

using namespace obcanal;
using namespace obcanal::adapter::core;

namespace {

bool same_value(const DmlValue& a, const DmlValue& b) {
    return a.text == b.text && a.sql_type == b.sql_type && a.state == b.state &&
           a.updated == b.updated;
}

bool same_row(const DmlRow& a, const DmlRow& b) {
    return std::ranges::equal(a.before, b.before, same_value) &&
           std::ranges::equal(a.after, b.after, same_value);
}

bool same_column(const DmlColumn& a, const DmlColumn& b) {
    return a.name == b.name && a.mysql_type == b.mysql_type && a.key == b.key;
}

void check(const Dml& dml, const Dml& alone) {
    OBC_ASSERT(std::ranges::equal(dml.columns, alone.columns, same_column));
    OBC_ASSERT(std::ranges::equal(dml.rows, alone.rows, same_row));
    for (const DmlRow& row : dml.rows) {
        OBC_ASSERT(row.before.empty() || row.before.size() == dml.columns.size());
        OBC_ASSERT(row.after.empty() || row.after.size() == dml.columns.size());
    }
    const std::string line = dml_line(dml, "fuzz", "g", 0);
    OBC_ASSERT(!line.empty());
    OBC_ASSERT(line == dml_line(alone, "fuzz", "g", 0));
}

// `brief`: leaves statements out, and nothing else.
void check_brief(const DmlBatch& batch, const DmlBatch& brief) {
    size_t at = 0;
    for (const Dml& dml : batch.dmls) {
        if (at < brief.dmls.size() && brief.dmls[at].entry == dml.entry) {
            check(brief.dmls[at++], dml);
            continue;
        }
        OBC_ASSERT(dml.type == canal::EventType::Query && !dml.is_ddl && dml.rows.empty());
    }
    OBC_ASSERT(at == brief.dmls.size() && brief.rows == batch.rows && brief.whole == batch.whole);
}

void read_body(DmlReader& reader, DmlReader& brief, Bytes body) {
    const Result<canal::Messages> messages = canal::parse_messages(body);
    if (!messages) return;
    const Result<DmlBatch> batch = reader.read("fuzz", *messages);
    const Result<DmlBatch> without = brief.read("fuzz", *messages);
    size_t dmls = 0;
    size_t rows = 0;
    bool fault = false;
    canal::EntryCursor cursor(*messages);
    while (const std::optional<Bytes> entry = cursor.next()) {
        std::string one;
        canal::append_bytes_field(one, canal::messages_field::kMessages, as_text(*entry));
        DmlReader fresh;
        const Result<DmlBatch> alone = fresh.read("fuzz", canal::Messages{0, as_bytes(one)});
        fault = !alone;
        if (fault) break;
        if (!batch) continue;
        for (const Dml& dml : alone->dmls) {
            OBC_ASSERT(dmls < batch->dmls.size());
            check(batch->dmls[dmls++], dml);
            rows += dml.rows.size();
        }
    }
    OBC_ASSERT(batch.ok() == (!fault && cursor.end().ok()));
    if (!batch) return;
    OBC_ASSERT(dmls == batch->dmls.size());
    OBC_ASSERT(rows == batch->rows);
    OBC_ASSERT(without.ok());
    check_brief(*batch, *without);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    DmlReader reader;
    DmlReader brief;
    brief.leave_out_statements(true);
    Bytes rest(reinterpret_cast<const std::byte*>(data), size);
    while (rest.size() > 2) {
        const size_t length =
            std::to_integer<size_t>(rest[0]) << 8U | std::to_integer<size_t>(rest[1]);
        const size_t taken = std::min(length, rest.size() - 2);
        // Bytes of its own, which end with it: what the reader remembers may not point there.
        const std::string body(as_text(rest.subspan(2, taken)));
        read_body(reader, brief, as_bytes(body));
        rest = rest.subspan(2 + taken);
    }
    return 0;
}
