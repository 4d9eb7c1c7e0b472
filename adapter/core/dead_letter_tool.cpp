#include "adapter/core/dead_letter_tool.h"

#include "adapter/core/letter_text.h"
#include "protocol/base/json.h"
#include "protocol/base/text.h"
#include "protocol/canal/entry_reader.h"

#include <algorithm>
#include <ostream>

namespace obcanal::adapter::core {
namespace {

void print_letter(
    const std::string& destination, const Letter& letter, bool json, std::ostream& to
) {
    if (json) {
        boost::json::object line{
            {"destination", destination},
            {"letter", letter.id},
            {"group", letter.owner.group},
            {"adapter", letter.owner.adapter},
            {"task", letter.task},
            {"cause", letter.cause},
            {"parked_at", letter.parked_at},
            {"retry", letter.wish == Letter::Wish::Retry},
            {"change", letter.change}
        };
        to << to_json_text(line) << '\n';
        return;
    }
    const auto type = static_cast<int32_t>(number_member(letter.change, "type"));
    to << destination << ' ' << letter.id << "  " << letter.parked_at << "  " << letter.task << "  "
       << canal::event_type_name(type) << ' ' << printable(string_member(letter.change, "database"))
       << '.' << printable(string_member(letter.change, "table")) << "  "
       << printable(string_member(letter.change, "log_file")) << ':'
       << number_member(letter.change, "log_offset") << "  " << printable(letter.cause, 500);
    if (letter.wish == Letter::Wish::Retry) to << "  (to be tried again)";
    to << '\n';
}

Result<void> change_letters(
    DeadLetterStore& store,
    const std::string& destination,
    const DeadLetterRequest& request,
    std::ostream& to
) {
    const bool retry = request.verb == DeadLetterRequest::Verb::Retry;
    size_t count = 0;
    for (const Letter& letter : store.letters()) {
        const bool named =
            std::find(request.ids.begin(), request.ids.end(), letter.id) != request.ids.end();
        if (!request.all && !named) continue;
        Result<void> done = retry ? store.wish_retry(letter.id) : store.drop(letter.id);
        if (!done) return done;
        ++count;
    }
    if (!request.all && count < request.ids.size()) {
        return Error{
            Errc::NotFound,
            Retry::Never,
            destination + ": " + std::to_string(request.ids.size() - count) +
                " of the letters are not there"
        };
    }
    to << destination << ": " << count
       << (retry ? " to be tried again by the running adapter\n" : " dropped\n");
    return {};
}

}  // namespace

Result<void> run_dead_letters(
    const config::AdapterConfig& config, const DeadLetterRequest& request, std::ostream& to
) {
    std::vector<std::string> destinations;
    for (const config::DestinationConfig& destination : config.destinations) {
        if (request.destination.empty() || request.destination == destination.name)
            destinations.push_back(destination.name);
    }
    if (destinations.empty()) {
        return Error{
            Errc::NotFound, Retry::Never, "no destination " + request.destination + " is configured"
        };
    }
    const bool list = request.verb == DeadLetterRequest::Verb::List;
    if (!list && destinations.size() > 1 && !request.all) {
        return Error{Errc::BadConfig, Retry::Never, "--destination says whose letters these are"};
    }
    for (const std::string& destination : destinations) {
        Result<std::unique_ptr<DeadLetterStore>> store =
            DeadLetterStore::open(config.data_dir, destination);
        if (!store) return std::move(store).error();
        if (list) {
            for (const Letter& letter : (*store)->letters()) {
                print_letter(destination, letter, request.json, to);
            }
            continue;
        }
        Result<void> done = change_letters(**store, destination, request, to);
        if (!done) return done;
    }
    return {};
}

}  // namespace obcanal::adapter::core
