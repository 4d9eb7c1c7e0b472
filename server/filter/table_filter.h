// Which tables a destination delivers: Canal's white and black list (canal-server, 7.1;
// AviaterRegexFilter). Immutable after compile(), any thread.
#pragma once

#include "protocol/base/result.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::filter {

// The items of a list in the order in which they are tried: split at the commas outside of (), []
// and {}, empty ones left out, the longest first.
std::vector<std::string_view> list_items(std::string_view list);

class TableFilter {
 public:
    // BadConfig names the list, the item and the place in it that is no Perl 5 expression.
    static Result<TableFilter> compile(std::string_view white, std::string_view black);

    TableFilter(TableFilter&&) noexcept;
    TableFilter& operator=(TableFilter&&) noexcept;
    ~TableFilter();

    // White list matches and black list does not. An expression that exceeds the match limits
    // matches nothing.
    bool passes(std::string_view schema, std::string_view table) const;

    // What one list says of a name, and because of which of its items.
    struct Verdict {
        bool matches = false;
        std::string_view item;        // empty: the list is, or no item fits
        bool limit_exceeded = false;  // at this item
    };

    Verdict white(std::string_view name) const;  // "schema.table"
    Verdict black(std::string_view name) const;

    // How often a name was given up because an expression exceeded the match limits.
    uint64_t limits_exceeded() const;

 private:
    struct Lists;
    explicit TableFilter(std::unique_ptr<Lists> lists);
    std::unique_ptr<Lists> lists_;
};

}  // namespace obcanal::filter
