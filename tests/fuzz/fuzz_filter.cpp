// The first line as white list, the second as column list, the rest as a name. Whatever compiles
// must answer, and within its limits: libFuzzer's own timeout is the judge.
#include "server/filter/column_filter.h"
#include "server/filter/table_filter.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace {

std::string_view take_line(std::string_view& text) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    return line;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::string_view list = take_line(text);
    const std::string_view columns = take_line(text);
    if (const auto filter = obcanal::filter::TableFilter::compile(list, list); filter.ok()) {
        const auto white = filter->white(text);
        if (white.matches && white.limit_exceeded) __builtin_trap();
        // The same list on both sides lets nothing through but by being empty.
        if (filter->passes(text, "t") && !obcanal::filter::list_items(list).empty())
            __builtin_trap();
    }
    if (const auto filter = obcanal::filter::ColumnFilter::parse("", columns); filter.ok()) {
        if (filter->empty() && !filter->keeps("s", "t", text)) __builtin_trap();
    }
    return 0;
}
