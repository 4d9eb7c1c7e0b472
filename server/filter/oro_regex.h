// One item of a table list, compiled: Jakarta ORO's Perl 5 expressions on PCRE2, within limits, so
// that no expression can stall the feed. Immutable, any thread.
#pragma once

#include "protocol/base/result.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

struct pcre2_real_code_8;

namespace obcanal::filter {

class OroRegex {
 public:
    // REQUIRES: `item` is not empty. BadConfig: "at character N: ...".
    static Result<OroRegex> compile(std::string_view item);

    struct Match {
        std::optional<size_t>
            end;  // of the match that begins with the name; nothing: there is none
        bool limit_exceeded = false;  // given up
    };

    // `name` in lower case, valid UTF-8.
    Match match(std::string_view name) const;

 private:
    struct Free {
        void operator()(pcre2_real_code_8* code) const;
    };

    using Code = std::unique_ptr<pcre2_real_code_8, Free>;

    explicit OroRegex(Code code) : code_(std::move(code)) {}

    Code code_;
};

}  // namespace obcanal::filter
