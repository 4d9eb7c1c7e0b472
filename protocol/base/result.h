// The one error type and the one result type of the project: expected failures travel as values,
// with a hint for the caller what may be done about them. Exceptions stay inside the call that can
// throw.
#pragma once

#include "protocol/base/assert.h"

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

namespace obcanal {

enum class Errc : uint8_t {
    BadPacket,       // bytes from outside that do not follow their format
    BadConfig,       // a key, a file or an argument
    Io,              // operating system call
    Closed,          // the other side ended the connection
    Timeout,         // a deadline passed
    Stopped,         // we are shutting down
    Auth,            // user, password or privilege
    Refused,         // the other side answered with an error
    NotFound,        // destination, subscription, batch, file
    OutOfOrder,      // ack or rollback of a batch that is not the oldest
    Conflict,        // state moved on meanwhile, e.g. ack after rollback
    PositionPurged,  // the source no longer holds the position
    Unsupported,     // understood, but not built
};

// What the caller may do about it.
enum class Retry : uint8_t { Never, Backoff, Now };

std::string_view errc_name(Errc code);

struct [[nodiscard]] Error {
    Errc code = Errc::Io;
    Retry retry = Retry::Never;
    std::string detail;  // what is wrong and where, for the log

    // The same error with "context: " in front of its detail.
    Error in(std::string_view context) const&;
    Error in(std::string_view context) &&;
};

template <class T>
class [[nodiscard]] Result {
 public:
    Result(T value)
        : state_(std::in_place_index<0>, std::move(value)) {
    }  // NOLINT(google-explicit-constructor)
    Result(Error error)
        : state_(std::in_place_index<1>, std::move(error)) {
    }  // NOLINT(google-explicit-constructor)

    bool ok() const { return state_.index() == 0; }
    explicit operator bool() const { return ok(); }

    // REQUIRES: ok()
    T& value() & {
        OBC_ASSERT(ok());
        return *std::get_if<0>(&state_);
    }

    const T& value() const& {
        OBC_ASSERT(ok());
        return *std::get_if<0>(&state_);
    }

    T&& value() && {
        OBC_ASSERT(ok());
        return std::move(*std::get_if<0>(&state_));
    }

    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

    // REQUIRES: !ok()
    const Error& error() const& {
        OBC_ASSERT(!ok());
        return *std::get_if<1>(&state_);
    }

    Error&& error() && {
        OBC_ASSERT(!ok());
        return std::move(*std::get_if<1>(&state_));
    }

 private:
    std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
    Result() = default;
    Result(Error error)
        : error_(std::move(error)), ok_(false) {}  // NOLINT(google-explicit-constructor)

    bool ok() const { return ok_; }
    explicit operator bool() const { return ok_; }

    const Error& error() const& {
        OBC_ASSERT(!ok_);
        return error_;
    }

    Error&& error() && {
        OBC_ASSERT(!ok_);
        return std::move(error_);
    }

 private:
    Error error_;
    bool ok_ = true;
};

}  // namespace obcanal
