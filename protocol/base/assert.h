// OBC_ASSERT: our own invariants, checked in all builds. Never for bytes from outside.
#pragma once

namespace obcanal {

[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);

}  // namespace obcanal

#define OBC_ASSERT(expression)                            \
    (static_cast<bool>(expression) ? static_cast<void>(0) \
                                   : ::obcanal::assertion_failed(#expression, __FILE__, __LINE__))
