#include "server/cli/filter_test.h"

#include "protocol/base/text.h"
#include "server/cli/verbs.h"

#include <CLI/CLI.hpp>

#include <iostream>
#include <memory>
#include <vector>

namespace obcanal::cli {
namespace {

struct FilterTestOptions {
    std::string white;
    std::string black;
    std::vector<std::string> names;
};

int filter_test(const FilterTestOptions& options) {
    const Result<filter::TableFilter> filter =
        filter::TableFilter::compile(options.white, options.black);
    if (!filter) {
        std::cerr << "obcanal filter test: " << filter.error().detail << '\n';
        return kExitUsage;
    }
    for (const std::string& name : options.names) {
        const FilterAnswer answer = explain_filter(*filter, name);
        std::cout << (answer.passes ? "yes  " : "no   ") << printable(name) << "  "
                  << answer.because << '\n';
    }
    return std::cout.flush() ? kExitDone : kExitFailed;
}

}  // namespace

FilterAnswer explain_filter(const filter::TableFilter& filter, std::string_view name) {
    const auto item = [](const char* list, const filter::TableFilter::Verdict& verdict) {
        return std::string(list) + " item " + printable(verdict.item);
    };
    const filter::TableFilter::Verdict white = filter.white(name);
    if (white.limit_exceeded) return {false, item("white", white) + " takes too long for it"};
    if (!white.matches && white.item.empty()) return {false, "no white item"};
    if (!white.matches) {
        return {false, item("white", white) + " fits its beginning, which ends the search"};
    }
    const filter::TableFilter::Verdict black = filter.black(name);
    if (black.matches) return {false, item("black", black)};
    std::string because = white.item.empty() ? "the white list is empty" : item("white", white);
    if (black.limit_exceeded) because += "; " + item("black", black) + " takes too long for it";
    return {true, std::move(because)};
}

void add_filter(CLI::App& app, Run& chosen) {
    CLI::App* filter = app.add_subcommand("filter", "look into table filters");
    filter->require_subcommand(1);
    CLI::App* test = filter->add_subcommand(
        "test", "say whether and by which item of canal.instance.filter.regex a table passes"
    );
    const auto options = std::make_shared<FilterTestOptions>();
    test->add_option("PATTERN", options->white, "the white list, as in canal.instance.filter.regex")
        ->required();
    test->add_option("NAME", options->names, "schema.table")
        ->required()
        ->check([](const std::string& name) {
            const size_t dot = name.find('.');
            const bool complete = dot != std::string::npos && dot > 0 && dot + 1 < name.size();
            return complete ? std::string() : printable(name) + " has not the form schema.table";
        });
    test->add_option(
        "--black", options->black, "the black list, as in canal.instance.filter.black.regex"
    );
    test->footer("In a .properties file each \\ is written twice; here it is not.");
    test->callback([options, &chosen] { chosen = [options] { return filter_test(*options); }; });
}

}  // namespace obcanal::cli
