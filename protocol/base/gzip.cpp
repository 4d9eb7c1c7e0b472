#include "protocol/base/gzip.h"

#include "protocol/base/assert.h"

#include <zlib.h>

#include <new>

namespace obcanal {

std::string gzip(std::string_view text) {
    constexpr int kGzipWindow = 15 + 16;
    constexpr int kMemory = 8;
    z_stream stream{};
    const int begun =
        ::deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzipWindow, kMemory, Z_DEFAULT_STRATEGY);
    if (begun != Z_OK) throw std::bad_alloc();  // the only thing that can be wrong
    std::string out(::deflateBound(&stream, text.size()), '\0');
    // zlib does not write to its input; its type is older than const.
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    const int done = ::deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    ::deflateEnd(&stream);
    OBC_ASSERT(done == Z_STREAM_END);
    return out;
}

}  // namespace obcanal
