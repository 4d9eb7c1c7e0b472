#include "protocol/oblog/recording.h"

#include "protocol/oblog/log_record.h"

#include <string>

namespace obcanal::oblog {

Result<std::optional<Bytes>> RecordingReader::next() {
    if (reader_.empty()) return std::optional<Bytes>();
    const size_t at = reader_.position();
    const uint32_t length = reader_.u32_be();
    const Bytes record = reader_.take(length);
    const bool whole = reader_.ok() && length >= LogRecord::kSmallest;
    if (whole && LogRecord::length_of(record) == length) return std::optional<Bytes>(record);
    reader_.fail();
    return Error{
        Errc::BadPacket,
        Retry::Never,
        "recording at byte " + std::to_string(at) + ": torn or damaged"
    };
}

void append_recorded(std::string& to, Bytes record) {
    const auto length = static_cast<uint32_t>(record.size());
    for (int shift = 24; shift >= 0; shift -= 8) to.push_back(static_cast<char>(length >> shift));
    to.append(as_text(record));
}

size_t whole_length(Bytes recording) {
    RecordingReader reader(recording);
    size_t length = 0;
    for (;;) {
        const auto record = reader.next();
        if (!record || !*record) return length;
        length += sizeof(uint32_t) + (*record)->size();
    }
}

}  // namespace obcanal::oblog
