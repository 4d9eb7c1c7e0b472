#include "server/config/server_rules.h"

#include "protocol/base/crypto.h"
#include "protocol/base/text.h"
#include "server/config/instance_rules.h"

#include <unistd.h>

#include <algorithm>
#include <set>
#include <utility>

namespace obcanal::config {
namespace {

constexpr size_t kMaxDestinations = 10'000;
constexpr size_t kPasswordDigits = 40;
constexpr std::string_view kHowToHash =
    "; make one with: printf %s 'PASSWORD' | openssl sha1 -binary | openssl sha1";

// What samples, images and tutorials of the reference have, beside the user's own name.
constexpr std::string_view kDefaultPasswords[] = {"", "canal", "admin", "123456", "password"};

bool is_loopback(std::string_view ip) {
    return ip == "localhost" || ip == "::1" || ip.starts_with("127.");
}

bool is_password(std::string_view stage2, std::string_view password) {
    const Sha1 once = sha1(as_bytes(password));
    const Sha1 twice = sha1(Bytes(once));
    return equals_ignore_case(to_hex(Bytes(twice)), stage2);
}

struct Port {
    std::string_view user_key;
    std::string_view password_key;
    std::string_view what;  // what somebody at this port can do
};

constexpr Port kClients{"canal.user", "canal.passwd", "read every destination"};
constexpr Port kAdmin{"canal.admin.user", "canal.admin.passwd", "stop this server"};

// A password that is set must be one, and not one that everybody knows.
void check_password(
    KeyReader& reader,
    const Port& port,
    const std::string& user,
    const std::string& password,
    bool open_to_network
) {
    if (password.empty()) return;
    if (password.size() != kPasswordDigits || !from_hex(password)) {
        return reader.error(
            port.password_key,
            "must be the 40 hex digits of SHA1(SHA1(password)): what MySQL's PASSWORD() gives, "
            "without the '*'" +
                std::string(kHowToHash)
        );
    }
    if (!open_to_network) return;
    const bool is_default =
        std::any_of(
            std::begin(kDefaultPasswords),
            std::end(kDefaultPasswords),
            [&password](std::string_view known) { return is_password(password, known); }
        ) ||
        is_password(password, user);
    if (is_default) {
        reader.error(
            port.password_key,
            "is a default password, with which anybody on the network could " +
                std::string(port.what) + ": set another or bind canal.ip to 127.0.0.1" +
                std::string(kHowToHash)
        );
    }
}

void check_tls(KeyReader& reader, const std::string& prefix, const TlsConfig& tls) {
    if (tls.cert_file.empty() != tls.key_file.empty()) {
        reader.error(
            prefix + (tls.cert_file.empty() ? ".key" : ".cert"),
            "certificate and key go together: " + prefix + ".cert and " + prefix + ".key"
        );
    } else if (!tls.client_ca_file.empty() && tls.cert_file.empty()) {
        reader.error(prefix + ".client.ca", "needs " + prefix + ".cert and " + prefix + ".key");
    }
    const std::pair<std::string_view, const std::string&> files[] = {
        {".cert", tls.cert_file}, {".key", tls.key_file}, {".client.ca", tls.client_ca_file}
    };
    for (const auto& [suffix, file] : files) {
        if (!file.empty() && ::access(file.c_str(), R_OK) != 0)
            reader.error(prefix + std::string(suffix), file + ": can't be read");
    }
}

// "name{1-9}"
Result<std::vector<std::string>> expand_expression(std::string_view text) {
    const size_t open = text.find('{');
    const size_t dash = text.find('-', std::min(open, text.size()));
    const size_t close = text.find('}', std::min(dash, text.size()));
    if (close != std::string_view::npos) {
        const auto first = parse_uint(text.substr(open + 1, dash - open - 1));
        const auto last = parse_uint(text.substr(dash + 1, close - dash - 1));
        if (first && last && *first <= *last && *last - *first < kMaxDestinations) {
            std::vector<std::string> names;
            for (uint64_t n = *first; n <= *last; ++n)
                names.push_back(std::string(text.substr(0, open)) + std::to_string(n));
            return names;
        }
    }
    return Error{
        Errc::BadConfig,
        Retry::Never,
        "'" + printable(text) + "' is not name{first-last}, of at most " +
            std::to_string(kMaxDestinations) + " names"
    };
}

}  // namespace

void check_server(KeyReader& reader, ServerConfig& config) {
    const bool open_to_network = !is_loopback(config.bind_ip);
    check_password(reader, kClients, config.user, config.passwd, open_to_network);
    if (config.passwd.empty() && !config.user.empty()) {
        reader.error(
            kClients.user_key,
            "is set, but canal.passwd is empty, so that any password would do; set canal.passwd, "
            "or remove canal.user to ask for nothing" +
                std::string(kHowToHash)
        );
    }
    if (config.passwd.empty() && config.users.empty() && open_to_network &&
        config.client_tls.client_ca_file.empty()) {
        reader.warning(
            kClients.password_key,
            "is not set: anybody who reaches the client port can " + std::string(kClients.what) +
                ". Set it, or bind canal.ip to 127.0.0.1" + std::string(kHowToHash)
        );
    }

    config.admin_bind_ip = config.bind_ip;
    if (config.admin_port != 0) {
        check_password(reader, kAdmin, config.admin_user, config.admin_passwd, open_to_network);
        if (config.admin_passwd.empty() && open_to_network &&
            config.admin_tls.client_ca_file.empty()) {
            config.admin_bind_ip = "127.0.0.1";
            reader.warning(
                kAdmin.password_key,
                "is not set, so the admin port answers on 127.0.0.1 only: anybody who reaches it "
                "can " +
                    std::string(kAdmin.what) + std::string(kHowToHash)
            );
        }
    }
    check_tls(reader, "canal.tls", config.client_tls);
    check_tls(reader, "canal.admin.tls", config.admin_tls);
    check_tls(reader, "canal.metrics.tls", config.metrics_tls);
}

void read_destination_list(KeyReader& reader, ServerConfig& config) {
    constexpr std::string_view kList = "canal.destinations";
    constexpr std::string_view kExpression = "canal.destinations.expr";
    std::vector<std::string> names;
    std::string_view from = kList;
    const std::string& expression = reader.setting(kExpression).text;
    if (!expression.empty()) {
        from = kExpression;
        Result<std::vector<std::string>> expanded = expand_expression(expression);
        if (!expanded) return reader.error(kExpression, expanded.error().detail);
        names = std::move(expanded).value();
    } else {
        const Setting& list = reader.setting(kList);
        if (list.origin == kDefaultOrigin)
            return reader.error(kList, "must be set, if only to nothing");
        for (const std::string_view name : split(list.text, ',')) {
            if (!trim(name).empty()) names.emplace_back(trim(name));
        }
        if (names.size() > kMaxDestinations) {
            return reader.error(
                kList, "more than " + std::to_string(kMaxDestinations) + " destinations"
            );
        }
    }
    std::set<std::string> seen;
    for (std::string& name : names) {
        const Result<void> good = check_destination_name(name);
        if (!good) {
            reader.error(from, good.error().detail);
        } else if (!seen.insert(name).second) {
            reader.warning(from, "'" + name + "' is listed twice");
        } else {
            config.destinations.push_back(std::move(name));
        }
    }
}

}  // namespace obcanal::config
