#include "server/source/oblog_request.h"

#include "protocol/base/text.h"
#include "protocol/oblog/handshake.h"

#include <optional>
#include <utility>

namespace obcanal::source {
namespace {

constexpr int64_t kSecondUs = 1'000'000;

// A client id is a folder's name at the proxy.
std::string safe_id(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
        out.push_back(plain ? c : '_');
    }
    return out;
}

bool names_purged_position(std::string_view message) {
    const std::string text = to_lower(message);
    return text.find("clog") != std::string::npos && text.find("min") != std::string::npos;
}

}  // namespace

int64_t configured_start_us(const config::OblogConfig& config) {
    if (config.start_timestamp_us != 0) return config.start_timestamp_us;
    return config.start_timestamp_s * kSecondUs;
}

Result<oblog::HandshakeRequest> make_request(
    const config::OblogConfig& config,
    int64_t start_us,
    std::string_view client_id,
    std::string_view local
) {
    oblog::HandshakeConfiguration configuration;
    const std::string white_list = (config.tenant.empty() ? "*" : config.tenant) + ".*.*";
    const std::string password =
        config.hash_password ? oblog::password_hash(config.password) : config.password;
    const std::pair<std::string_view, std::string> items[] = {
        {"tb_white_list", white_list},
        {"tb_black_list", "|"},
        {"cluster_user", config.username},
        {"cluster_password", password},
        {"rootserver_list", config.rs_list},
        {"timezone", config.timezone},
        {"working_mode", config.working_mode},
        {"first_start_timestamp_us", std::to_string(start_us)},
        {"first_start_timestamp", std::to_string(start_us / kSecondUs)},
    };
    for (const auto& [key, value] : items) {
        if (Result<void> added = configuration.add(key, value); !added)
            return std::move(added).error();
    }
    const std::pair<std::string_view, std::string_view> optional_items[] = {
        {"cluster_url", config.cluster_url},
        {"sys_user", config.sys_username},
        {"sys_password", config.sys_password},
    };
    for (const auto& [key, value] : optional_items) {
        if (value.empty()) continue;
        if (Result<void> added = configuration.add(key, value); !added)
            return std::move(added).error();
    }
    for (const auto& [key, value] : config.extra_configs) {
        if (Result<void> added = configuration.add(key, value); !added)
            return std::move(added).error();
    }

    oblog::HandshakeRequest request;
    request.version = oblog::kNewestVersion;
    if (const std::optional<Endpoint> us = parse_endpoint(local)) request.ip = us->host;
    request.id = safe_id(client_id);
    request.client_version = OBCANAL_VERSION;
    request.configuration = configuration.text();
    return request;
}

Error refused(const oblog::ErrorResponse& error) {
    const std::string text =
        "refused with code " + std::to_string(error.code) + ": " + printable(error.message, 1000);
    if (error.code == oblog::error_code::kNoAuth && names_purged_position(error.message)) {
        return {Errc::PositionPurged, Retry::Never, text};
    }
    const bool login = error.code == oblog::error_code::kNoAuth;
    return {login ? Errc::Auth : Errc::Refused, Retry::Backoff, text};
}

}  // namespace obcanal::source
