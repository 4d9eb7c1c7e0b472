// Binary JSON and differences: the text is no longer than the document can account for, it is
// UTF-8, and the last bytes that were there before are kept.
#include "protocol/base/assert.h"
#include "protocol/base/text.h"
#include "protocol/mysql/json_text.h"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace obcanal;
    const Bytes document(reinterpret_cast<const std::byte*>(data), size);
    // A byte becomes six at most ("\u0001"), a value of two bytes 25 ("0000-00-00 ..." of a time).
    const size_t longest = 16 + size * 32;
    ReverseWriter out(16);
    out.reserve(8);
    out.copy("end");
    const bool written = mysql::write_json(document, out);
    OBC_ASSERT(as_text(out.bytes()).ends_with("end") && out.size() <= longest);
    OBC_ASSERT(is_utf8(out.bytes()) && (written || out.size() == 3));
    out.rewind(3);
    const bool changed = mysql::write_json_difference(document, "c", out);
    OBC_ASSERT(as_text(out.bytes()).ends_with("end") && out.size() <= longest);
    OBC_ASSERT(is_utf8(out.bytes()) && (changed || out.size() == 3));
    return 0;
}
