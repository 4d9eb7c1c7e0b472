#include "adapter/config/jdbc_url.h"

namespace obcanal::adapter::config {

namespace {

Error bad(std::string_view url, std::string_view what) {
    const auto query = url.find('?');
    return {
        Errc::BadConfig,
        Retry::Never,
        "jdbc url \"" + std::string(url.substr(0, query)) + "\": " + std::string(what)
    };
}

std::string decoded(std::string_view text) {
    std::string out;
    for (size_t i = 0; i < text.size(); i++) {
        if (text[i] == '%' && i + 2 < text.size()) {
            if (const auto byte = from_hex(text.substr(i + 1, 2))) {
                out += *byte;
                i += 2;
                continue;
            }
        }
        out += text[i];
    }
    return out;
}

bool take(std::string_view& text, std::string_view prefix) {
    if (!text.starts_with(prefix)) {
        return false;
    }
    text.remove_prefix(prefix.size());
    return true;
}

// "host", "host:port", "[v6]", "[v6]:port", "address=(host=h)(port=p)" is not known.
std::optional<Endpoint> parse_server(std::string_view text, uint16_t port) {
    text = trim(text);
    if (text.empty()) {
        return Endpoint{"localhost", port};
    }
    if (auto endpoint = parse_endpoint(text)) {
        return endpoint;
    }
    if (text.front() == '[' && text.back() == ']') {
        return Endpoint{std::string(text.substr(1, text.size() - 2)), port};
    }
    if (text.find_first_of(":()[]=") != std::string_view::npos) {
        return std::nullopt;
    }
    return Endpoint{std::string(text), port};
}

}  // namespace

std::string JdbcUrl::text() const {
    std::string out = family == SqlFamily::Mysql ? "mysql://" : "postgresql://";
    for (size_t i = 0; i < servers.size(); i++) {
        out += (i > 0 ? "," : "") + servers[i].text();
    }
    return out + "/" + database;
}

Result<JdbcUrl> parse_jdbc_url(std::string_view url) {
    JdbcUrl parsed;
    std::string_view rest = trim(url);
    if (!take(rest, "jdbc:")) {
        return bad(url, "does not begin with jdbc:");
    }
    const auto colon = rest.find(':');
    const std::string kind = to_lower(rest.substr(0, colon));
    if (kind == "mysql" || kind == "mariadb" || kind == "oceanbase") {
        parsed.family = SqlFamily::Mysql;
    } else if (kind == "postgresql") {
        parsed.family = SqlFamily::Postgres;
    } else {
        return bad(url, "no database of this kind: mysql, mariadb, oceanbase and postgresql are");
    }
    rest.remove_prefix(colon == std::string_view::npos ? rest.size() : colon + 1);
    for (const std::string_view mode :
         {"replication:", "loadbalance:", "failover:", "sequential:"}) {
        take(rest, mode);
    }

    const auto query = rest.find('?');
    if (query != std::string_view::npos) {
        for (const std::string_view pair : split(rest.substr(query + 1), '&')) {
            if (pair.empty()) {
                continue;
            }
            const auto equals = pair.find('=');
            const std::string_view value =
                equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
            parsed.parameters.emplace_back(decoded(pair.substr(0, equals)), decoded(value));
        }
        rest = rest.substr(0, query);
    }

    const uint16_t port = parsed.family == SqlFamily::Mysql ? 3306 : 5432;
    if (!take(rest, "//")) {
        if (parsed.family == SqlFamily::Mysql) {
            return bad(url, "// is missing after its kind");
        }
        take(rest, "/");
        parsed.servers.push_back({"localhost", port});
        parsed.database = decoded(rest);
        return parsed;
    }
    const auto slash = rest.find('/');
    for (const std::string_view server : split(rest.substr(0, slash), ',')) {
        auto endpoint = parse_server(server, port);
        if (!endpoint) {
            return bad(url, "\"" + std::string(server) + "\" is no host[:port]");
        }
        parsed.servers.push_back(std::move(*endpoint));
    }
    if (slash != std::string_view::npos) {
        parsed.database = decoded(rest.substr(slash + 1));
    }
    return parsed;
}

std::string_view parameter(const JdbcUrl& url, std::string_view name) {
    for (const auto& [key, value] : url.parameters) {
        if (equals_ignore_case(key, name)) {
            return value;
        }
    }
    return {};
}

}  // namespace obcanal::adapter::config
