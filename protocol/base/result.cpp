#include "protocol/base/result.h"

#include <cstdio>
#include <cstdlib>

namespace obcanal {

void assertion_failed(const char* expression, const char* file, int line) {
    std::fprintf(stderr, "obcanal: internal error: %s at %s:%d\n", expression, file, line);
    std::abort();
}

std::string_view errc_name(Errc code) {
    switch (code) {
        case Errc::BadPacket: return "bad packet";
        case Errc::BadConfig: return "bad configuration";
        case Errc::Io: return "i/o";
        case Errc::Closed: return "closed";
        case Errc::Timeout: return "timeout";
        case Errc::Stopped: return "stopped";
        case Errc::Auth: return "authentication";
        case Errc::Refused: return "refused";
        case Errc::NotFound: return "not found";
        case Errc::OutOfOrder: return "out of order";
        case Errc::Conflict: return "conflict";
        case Errc::PositionPurged: return "position purged";
        case Errc::Unsupported: return "unsupported";
    }
    return "unknown";
}

Error Error::in(std::string_view context) const& {
    Error copy = *this;
    return std::move(copy).in(context);
}

Error Error::in(std::string_view context) && {
    detail.insert(0, ": ").insert(0, context);
    return std::move(*this);
}

}  // namespace obcanal
