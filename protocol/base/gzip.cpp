#include "protocol/base/gzip.h"

#include "protocol/base/assert.h"

#include <zlib.h>

#include <algorithm>
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

Result<std::string> gunzip(std::string_view bytes, size_t most) {
    constexpr int kGzipWindow = 15 + 16;
    constexpr size_t kStep = size_t{1} << 16;
    z_stream stream{};
    if (::inflateInit2(&stream, kGzipWindow) != Z_OK) throw std::bad_alloc();
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    std::string out;
    int done = Z_OK;
    // Grows with what comes; one byte more than allowed shows that there is more.
    while (done == Z_OK && out.size() <= most) {
        const size_t have = out.size();
        out.resize(std::min(have + std::max(have, kStep), most + 1));
        stream.next_out = reinterpret_cast<Bytef*>(out.data() + have);
        stream.avail_out = static_cast<uInt>(out.size() - have);
        done = ::inflate(&stream, Z_NO_FLUSH);
        out.resize(out.size() - stream.avail_out);
    }
    const bool all_read = stream.avail_in == 0;
    ::inflateEnd(&stream);
    if (out.size() > most) {
        return Error{
            Errc::BadPacket, Retry::Never, "gzip: more than " + std::to_string(most) + " bytes"
        };
    }
    if (done != Z_STREAM_END || !all_read)
        return Error{Errc::BadPacket, Retry::Never, "gzip: damaged or cut off"};
    return out;
}

}  // namespace obcanal
