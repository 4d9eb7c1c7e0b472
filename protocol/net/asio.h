// The only place where sources include Boost.Asio. Coroutine rules that g++ 12.2 needs: one
// co_await per statement; no capturing lambda, ?: or aggregate literal in a co_await or co_spawn
// expression; spawn named coroutine functions with by-value parameters.
#pragma once

#include "protocol/base/result.h"
#include "protocol/net/awaitable.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace obcanal {

namespace asio = boost::asio;

// Completion by (error_code, ...) instead of an exception.
inline constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);

// An Asio error as ours: what the peer or a close() caused is Closed, the rest Io.
Error to_error(const boost::system::error_code& code, std::string_view context);

}  // namespace obcanal
