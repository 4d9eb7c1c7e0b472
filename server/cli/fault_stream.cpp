#include "server/cli/fault_stream.h"

#include "protocol/net/asio.h"

#include <algorithm>

namespace obcanal::cli {

Awaitable<Result<void>> FaultStream::write(std::span<const Bytes> pieces) {
    const bool faults = faults_.cut_at || faults_.silent_at || faults_.piece > 0;
    if (!faults) {
        for (const Bytes piece : pieces) written_ += piece.size();
        Result<void> sent = co_await stream_.write(pieces);
        co_return sent;
    }
    for (const Bytes piece : pieces) {
        Result<void> sent = co_await write_with_faults(piece);
        if (!sent) co_return sent;
    }
    co_return Result<void>{};
}

Awaitable<Result<void>> FaultStream::write_with_faults(Bytes bytes) {
    while (!bytes.empty()) {
        size_t size = faults_.piece > 0 ? std::min(faults_.piece, bytes.size()) : bytes.size();
        if (faults_.silent_at) {
            if (written_ >= *faults_.silent_at) co_return Result<void>{};
            size = std::min(size, *faults_.silent_at - written_);
        }
        if (faults_.cut_at) size = std::min(size, *faults_.cut_at - written_);
        if (size > 0) {
            Result<void> sent = co_await stream_.write(bytes.first(size));
            if (!sent) co_return sent;
        }
        written_ += size;
        bytes = bytes.subspan(size);
        if (faults_.cut_at && written_ >= *faults_.cut_at) {
            stream_.close();
            co_return Error{Errc::Closed, Retry::Never, "cut as asked for"};
        }
    }
    co_return Result<void>{};
}

}  // namespace obcanal::cli
