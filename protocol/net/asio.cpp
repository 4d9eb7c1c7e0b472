#include "protocol/net/asio.h"

// Asio's own code is compiled here, once.
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/impl/src.hpp>

namespace obcanal {

Error to_error(const boost::system::error_code& code, std::string_view context) {
    const bool closed = code == asio::error::eof || code == asio::error::operation_aborted ||
                        code == asio::error::connection_reset || code == asio::error::broken_pipe ||
                        code == asio::error::bad_descriptor ||
                        code == asio::ssl::error::stream_truncated;
    const Errc errc = closed ? Errc::Closed : Errc::Io;
    return Error{errc, Retry::Backoff, std::string(context) + ": " + code.message()};
}

}  // namespace obcanal
