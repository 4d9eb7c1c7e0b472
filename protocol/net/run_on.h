// The awaited hop between strands that returns a value; one of the three bridges between them
// (architecture, section 5). For sources: includes Asio.
#pragma once

#include "protocol/net/asio.h"

#include <optional>
#include <utility>

namespace obcanal {

namespace detail {

template <class T>
Awaitable<void> keep_result(Awaitable<T> work, std::optional<T>& to) {
    T value = co_await std::move(work);
    to.emplace(std::move(value));
}

}  // namespace detail

// Runs `work` on `where`, then goes on where the caller was. Asio's own form wants a T that can be
// made from nothing.
template <class T>
Awaitable<T> run_on(Executor where, Awaitable<T> work) {
    std::optional<T> result;
    Awaitable<void> keeping = detail::keep_result(std::move(work), result);
    co_await asio::co_spawn(std::move(where), std::move(keeping), asio::use_awaitable);
    co_return std::move(*result);
}

template <>
inline Awaitable<void> run_on(Executor where, Awaitable<void> work) {
    co_await asio::co_spawn(std::move(where), std::move(work), asio::use_awaitable);
}

}  // namespace obcanal
