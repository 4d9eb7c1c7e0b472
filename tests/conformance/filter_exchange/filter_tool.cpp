// Reads "list TAB name" lines (percent-encoded), prints our verdict on each: 1, 0, E for a list
// that is refused, L for one that exceeds the match limits. Counterpart of java/FilterPeer.
#include "server/filter/table_filter.h"

#include <iostream>
#include <optional>
#include <string>
#include <string_view>

namespace {

using obcanal::Result;
using obcanal::filter::TableFilter;

std::string decode(std::string_view text) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size()) {
            out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
            i += 2;
        } else {
            out += text[i];
        }
    }
    return out;
}

char verdict(const std::optional<TableFilter>& filter, const std::string& name) {
    if (!filter) return 'E';
    const TableFilter::Verdict white = filter->white(name);
    return white.limit_exceeded ? 'L' : white.matches ? '1' : '0';
}

}  // namespace

int main() {
    std::string previous;
    std::optional<TableFilter> filter;
    bool first = true;
    for (std::string line; std::getline(std::cin, line);) {
        const size_t tab = line.find('\t');
        if (tab == std::string::npos) {
            std::cerr << "no TAB in: " << line << '\n';
            return 2;
        }
        const std::string list = line.substr(0, tab);
        if (first || list != previous) {
            Result<TableFilter> compiled = TableFilter::compile(decode(list), "");
            filter.reset();
            if (compiled) filter = std::move(compiled).value();
            previous = list;
            first = false;
        }
        std::cout << verdict(filter, decode(std::string_view(line).substr(tab + 1))) << '\n';
    }
    return 0;
}
