// Compression of texts for peers that ask for it, and for what is kept (RFC 1952), by zlib.
#pragma once

#include "protocol/base/result.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace obcanal {

std::string gzip(std::string_view text);
// BadPacket: not the whole of one gzip member, or the text is larger than `most`.
Result<std::string> gunzip(std::string_view bytes, size_t most);

}  // namespace obcanal
