#include "adapter/es/es_options.h"

#include "protocol/base/text.h"

#include <algorithm>
#include <optional>
#include <string_view>

namespace obcanal::adapter::es {

namespace {

using config::property;

constexpr uint16_t kPort = 9200;
constexpr uint16_t kTransportPort = 9300;
constexpr uint64_t kMostThreads = 64;

Error bad(const config::OuterAdapterConfig& adapter, std::string_view key, std::string what) {
    return {Errc::BadConfig, Retry::Never, adapter.place + ": " + std::string(key) + ": " + what};
}

std::string decoded(std::string_view text) {
    std::string plain;
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size()) {
            if (const auto byte = from_hex(text.substr(i + 1, 2))) {
                plain += *byte;
                i += 2;
                continue;
            }
        }
        plain.push_back(text[i]);
    }
    return plain;
}

struct Host {
    std::string url;
    std::string user;
    std::string password;
};

// "host", "host:port", "[v6]:port", "v6", each also with http:// or https://, "user:password@" and
// a path.
std::optional<Host> read_host(std::string_view text, bool transport) {
    Host host;
    std::string_view scheme = "http";
    if (const size_t at = text.find("://"); at != std::string_view::npos) {
        scheme = text.substr(0, at);
        text.remove_prefix(at + 3);
    }
    const std::string lower = to_lower(scheme);
    if (lower != "http" && lower != "https") return std::nullopt;
    const size_t slash = text.find('/');
    std::string path(slash == std::string_view::npos ? "" : text.substr(slash));
    while (path.ends_with('/')) path.pop_back();
    text = text.substr(0, slash);
    if (const size_t at = text.rfind('@'); at != std::string_view::npos) {
        const std::string_view login = text.substr(0, at);
        const size_t colon = login.find(':');
        host.user = decoded(login.substr(0, colon));
        if (colon != std::string_view::npos) host.password = decoded(login.substr(colon + 1));
        text.remove_prefix(at + 1);
    }
    Endpoint endpoint;
    const auto colons = static_cast<size_t>(std::count(text.begin(), text.end(), ':'));
    if (const auto whole = parse_endpoint(text); whole && (colons == 1 || text.starts_with('['))) {
        endpoint = *whole;
    } else if (colons == 1) {
        return std::nullopt;  // what follows the colon is no port
    } else {
        if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
        endpoint = {std::string(text), kPort};
    }
    if (endpoint.host.empty() || endpoint.host.find_first_of(" \t\"<>#?") != std::string::npos)
        return std::nullopt;
    if (transport && endpoint.port == kTransportPort) endpoint.port = kPort;
    host.url = lower + "://" + endpoint.text() + path;
    return host;
}

}  // namespace

Result<EsOptions> read_es_options(const config::OuterAdapterConfig& adapter) {
    EsOptions options;
    const config::Properties& properties = adapter.properties;
    const std::string mode = to_lower(trim(property(properties, "mode")));
    // The reference's es7 takes everything but these for the binary protocol; es8 knows no other.
    const bool transport = mode == "transport";
    if (transport) {
        options.warnings.push_back(
            adapter.place + ": mode: transport: HTTP is used instead, port 9300 becomes 9200"
        );
    } else if (!mode.empty() && mode != "rest" && mode != "http") {
        options.warnings.push_back(adapter.place + ": mode: '" + mode + "' is taken for rest");
    }
    for (const std::string_view part : split(adapter.hosts, ',')) {
        const std::string_view text = trim(part);
        if (text.empty()) continue;
        std::optional<Host> host = read_host(text, transport);
        if (!host) {
            const size_t login = text.rfind('@');
            const std::string shown(login == std::string_view::npos ? text : text.substr(login));
            return bad(adapter, "hosts", "'" + shown + "' is no host:port and no http(s) URL");
        }
        if (!host->user.empty()) {
            options.http.user = host->user;
            options.http.password = host->password;
        }
        options.http.hosts.push_back(std::move(host->url));
    }
    if (options.http.hosts.empty()) return bad(adapter, "hosts", "no host is named");

    if (const std::string_view login = property(properties, "security.auth"); !login.empty()) {
        const size_t colon = login.find(':');
        if (colon == std::string_view::npos || colon == 0)
            return bad(adapter, "security.auth", "user:password is wanted");
        options.http.user = login.substr(0, colon);
        options.http.password = login.substr(colon + 1);
    }
    if (const std::string_view key = trim(property(properties, "security.apiKey")); !key.empty()) {
        if (!options.http.user.empty())
            return bad(adapter, "security.apiKey", "there is a user already; one of them");
        options.http.authorization = "ApiKey " + std::string(key);
    }
    options.http.ca_file = trim(property(properties, "security.ca.path"));
    options.http.connections = 3;
    if (const std::string_view threads = property(properties, "threads"); !threads.empty()) {
        const auto count = parse_uint(trim(threads));
        if (!count || *count == 0 || *count > kMostThreads)
            return bad(adapter, "threads", "a number from 1 to 64 is wanted");
        options.http.connections = *count;
    }
    const std::string whole = to_lower(trim(property(properties, "wholeDocuments")));
    if (!whole.empty() && whole != "true" && whole != "false")
        return bad(adapter, "wholeDocuments", "true or false is wanted");
    options.whole_documents = whole != "false";
    Result<std::shared_ptr<const TimeZone>> zone =
        TimeZone::open(trim(property(properties, "canal.adapter.timeZone")));
    if (!zone) return bad(adapter, "canal.adapter.timeZone", zone.error().detail);
    options.zone = std::move(zone).value();
    return options;
}

}  // namespace obcanal::adapter::es
