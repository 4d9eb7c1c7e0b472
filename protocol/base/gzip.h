// Compression of texts for peers that ask for it (RFC 1952), by zlib.
#pragma once

#include <string>
#include <string_view>

namespace obcanal {

std::string gzip(std::string_view text);

}  // namespace obcanal
