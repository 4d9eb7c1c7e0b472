// What a log proxy is asked for: the handshake of a client with a configuration of
// canal.instance.oceanbase.* keys. Pure functions.
#pragma once

#include "protocol/base/result.h"
#include "protocol/oblog/frame.h"
#include "server/config/oblog_config.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace obcanal::source {

// Where a stream begins when nothing of it was seen yet; 0: now.
int64_t configured_start_us(const config::OblogConfig& config);

// `client_id`: made safe for a folder's name at the proxy. `local`: our "address:port" on the
// connection, empty when there is none yet; the proxy logs the address. BadConfig when a value
// can't be sent.
Result<oblog::HandshakeRequest> make_request(
    const config::OblogConfig& config,
    int64_t start_us,
    std::string_view client_id,
    std::string_view local
);

// What the proxy's refusal means: Auth, PositionPurged or Refused.
Error refused(const oblog::ErrorResponse& error);

}  // namespace obcanal::source
