#include "server/cli/status_table.h"

#include "protocol/base/json.h"
#include "server/cli/table.h"

#include <boost/json/array.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <vector>

namespace obcanal::cli {
namespace {

namespace json = boost::json;

constexpr double kPurgeWarningHours = 24;

std::string bytes_text(int64_t bytes) {
    constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
    auto value = static_cast<double>(bytes);
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < kUnits.size()) {
        value /= 1024;
        ++unit;
    }
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
    return text.data();
}

std::string duration_text(int64_t ms) {
    if (ms < 1000) return std::to_string(ms) + " ms";
    const int64_t seconds = ms / 1000;
    if (seconds < 120) return std::to_string(seconds) + " s";
    if (seconds < 7200) return std::to_string(seconds / 60) + " min";
    if (seconds < 172'800) return std::to_string(seconds / 3600) + " h";
    return std::to_string(seconds / 86'400) + " d";
}

// Nothing: the source keeps its logs, or nobody knows.
std::optional<double> purge_hours(const json::object& one) {
    const json::value* const hours = object_at(one, "source").if_contains("purgeHours");
    if (hours == nullptr || !hours->is_number()) return std::nullopt;
    return hours->to_number<double>();
}

Row destination_row(const json::object& one) {
    const json::object& source = object_at(one, "source");
    const json::object& ring = object_at(one, "ring");
    const json::object& put = object_at(one, "put");
    const json::object& acked = object_at(one, "acked");
    const bool known = number_at(put, "sequence") >= 0;
    std::string link = text_at(source, "kind");
    link += flag_at(source, "connected") ? "" : " (away)";
    return {
        text_at(one, "destination"),
        text_at(one, "phase"),
        std::move(link),
        known ? duration_text(number_at(put, "delayMs")) : "-",
        known ? duration_text(number_at(acked, "delayMs")) : "-",
        std::to_string(number_at(put, "rows")),
        std::to_string(number_at(acked, "rows")),
        std::to_string(number_at(ring, "entries")) + "/" +
            std::to_string(number_at(ring, "entriesLimit")),
        bytes_text(number_at(ring, "bytes")) + "/" + bytes_text(number_at(ring, "bytesLimit"))
    };
}

Row client_row(const std::string& destination, const json::object& client) {
    const std::string filter = text_at(client, "filter");
    return {
        destination,
        std::to_string(number_at(client, "id")),
        std::to_string(number_at(client, "openBatches")),
        filter.empty() ? "-" : filter,
        cursor_text(object_at(client, "cursor"))
    };
}

}  // namespace

Result<std::string> status_table(std::string_view text) {
    Result<json::value> parsed = parse_json(text);
    if (!parsed) return std::move(parsed).error();
    const json::value* const list =
        parsed->is_object() ? parsed->get_object().if_contains("destinations") : nullptr;
    if (list == nullptr || !list->is_array())
        return Error{Errc::BadPacket, Retry::Never, "the answer is no status"};
    const json::object& all = parsed->get_object();

    std::string out = "obcanal-server " + text_at(all, "version") + ", process " +
                      std::to_string(number_at(all, "pid")) + ", up " +
                      duration_text(number_at(all, "uptimeMs")) + ", " +
                      std::to_string(number_at(all, "clientConnections")) + " client connections\n";
    if (!flag_at(all, "serving")) return out + "stopped: it serves nothing until it is started\n";
    std::vector<Row> rows{
        {"DESTINATION", "PHASE", "SOURCE", "DELAY", "ACK DELAY", "ROWS", "ACKED", "ENTRIES", "BYTES"
        }
    };
    std::vector<Row> clients{{"DESTINATION", "CLIENT", "OPEN BATCHES", "FILTER", "CURSOR"}};
    std::string failures;
    for (const json::value& one : list->get_array()) {
        if (!one.is_object()) continue;
        const json::object& destination = one.get_object();
        rows.push_back(destination_row(destination));
        const std::string name = rows.back().front();
        if (const std::string failure = text_at(destination, "failure"); !failure.empty())
            failures += name + ": " + failure + "\n";
        const std::string refused = text_at(destination, "refusedConfiguration");
        if (!refused.empty()) failures += name + ": configuration refused: " + refused + "\n";
        if (const std::string gap = text_at(object_at(destination, "source"), "gap"); !gap.empty())
            failures += name + ": " + gap + "\n";
        if (const auto hours = purge_hours(destination); hours && *hours < kPurgeWarningHours) {
            failures += name + ": the source may purge the log of its first cursor in " +
                        std::to_string(static_cast<int64_t>(*hours)) + " h\n";
        }
        const json::value* const subscribed = destination.if_contains("clients");
        if (subscribed == nullptr || !subscribed->is_array()) continue;
        for (const json::value& client : subscribed->get_array()) {
            if (client.is_object()) clients.push_back(client_row(name, client.get_object()));
        }
    }
    out += "\n";
    append_rows(out, rows);
    if (clients.size() > 1) {
        out += "\n";
        append_rows(out, clients);
    }
    if (!failures.empty()) out += "\n" + failures;
    return out;
}

}  // namespace obcanal::cli
