// Canal's table expressions are written for Jakarta ORO's Perl 5 compiler; this turns one into the
// PCRE2 expression with the same meaning. Own parser instead of the same text handed on, because
// the two read several things differently: \w, \s and \b (Java's letters), \p, \z and \Q (plain
// characters in ORO), quantified anchors, options that reach back to the beginning, ranges of
// upper-case letters. Pure function, any thread.
#pragma once

#include "protocol/base/result.h"

#include <string>
#include <string_view>

namespace obcanal::filter {

// Of ^item$, as Canal completes the items of its lists. The result is for PCRE2 with UTF, UCP,
// CASELESS and DOTALL, and for subjects whose ASCII letters are lower case. What ORO does not
// accept is BadConfig: "at character N: ...", counted from 1.
Result<std::string> oro_item_to_pcre2(std::string_view item);

}  // namespace obcanal::filter
