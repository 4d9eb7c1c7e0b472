// Message types and field numbers of oblogproxy's framing (package oceanbase.logproxy), for its
// reader and writer.
#pragma once

#include <cstddef>
#include <cstdint>

namespace obcanal::oblog {

enum MessageType : int32_t {
    kError = -1,
    kHandshakeRequest = 1,
    kHandshakeResponse = 2,
    kData = 6,
    kStatus = 7,
};

namespace request_field {
constexpr uint32_t kLogType = 1, kIp = 2, kId = 3, kVersion = 4, kMonitor = 5, kConfiguration = 6;
}

namespace response_field {
constexpr uint32_t kCode = 1, kIp = 2, kVersion = 3;
}

namespace error_field {
constexpr uint32_t kCode = 1, kMessage = 2;
}

namespace status_field {
constexpr uint32_t kIp = 1, kPort = 2, kStreams = 3, kWorkers = 4;
}

namespace data_field {
constexpr uint32_t kCompression = 1, kRawSize = 2, kCompressedSize = 3, kCount = 4, kRecords = 100;
}

namespace legacy_field {  // PbPacket
constexpr uint32_t kType = 1, kPayload = 100;
}

constexpr size_t kV2Header = 7;
constexpr size_t kLegacyHeader = 6;

}  // namespace obcanal::oblog
