// Which tables a destination delivers: Canal's white and black list (canal-server, 7.1;
// AviaterRegexFilter). Immutable after compile(), any thread.
#pragma once

#include "protocol/base/result.h"

#include <memory>
#include <string_view>

namespace obcanal::filter {

class TableFilter {
 public:
    // BadConfig names the item and the place in it that is no Perl 5 expression.
    static Result<TableFilter> compile(std::string_view white, std::string_view black);

    TableFilter(TableFilter&&) noexcept;
    TableFilter& operator=(TableFilter&&) noexcept;
    ~TableFilter();

    // White list matches and black list does not. An expression that exceeds the match limits
    // matches nothing.
    bool passes(std::string_view schema, std::string_view table) const;

 private:
    struct Lists;
    explicit TableFilter(std::unique_ptr<Lists> lists);
    std::unique_ptr<Lists> lists_;
};

}  // namespace obcanal::filter
