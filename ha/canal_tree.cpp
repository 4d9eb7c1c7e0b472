#include "ha/canal_tree.h"

#include "protocol/base/json.h"
#include "protocol/base/text.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <memory>

namespace obcanal::ha {
namespace {

namespace json = boost::json;

// ServerRunningMonitor.delayTime
constexpr std::chrono::seconds kDelay{5};

std::string first_address() {
    ifaddrs* list = nullptr;
    if (getifaddrs(&list) != 0) return {};
    const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owned(list, freeifaddrs);
    for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
        if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET) continue;
        if ((one->ifa_flags & IFF_LOOPBACK) != 0 || (one->ifa_flags & IFF_UP) == 0) continue;
        sockaddr_in address{};
        std::copy_n(
            reinterpret_cast<const char*>(one->ifa_addr),
            sizeof(address),
            reinterpret_cast<char*>(&address)
        );
        std::array<char, INET_ADDRSTRLEN> text{};
        if (inet_ntop(AF_INET, &address.sin_addr, text.data(), text.size()) != nullptr)
            return text.data();
    }
    return {};
}

json::object object_of(std::string_view payload) {
    Result<json::value> value = parse_json(payload);
    if (!value || !value->is_object()) return {};
    return std::move(value->get_object());
}

std::string text_at(const json::object& object, std::string_view key, std::string otherwise) {
    const json::value* const found = object.if_contains(key);
    if (found == nullptr || !found->is_string()) return otherwise;
    return printable({found->get_string().data(), found->get_string().size()});
}

bool flag_at(const json::object& object, std::string_view key, bool otherwise) {
    const json::value* const found = object.if_contains(key);
    return found == nullptr || !found->is_bool() ? otherwise : found->get_bool();
}

bool contains(const std::vector<std::string>& candidates, const std::string& address) {
    return std::find(candidates.begin(), candidates.end(), address) != candidates.end();
}

}  // namespace

std::string destination_path(std::string_view destination) {
    return std::string(kDestinationsPath) + "/" + std::string(destination);
}

std::string running_payload(const Running& running) {
    json::object payload{{"active", running.active}, {"address", running.address}};
    if (!running.next.empty()) payload["next"] = running.next;
    return to_json_text(payload);
}

Running parse_running(std::string_view payload) {
    const json::object object = object_of(payload);
    return {
        text_at(object, "address", "unknown"),
        flag_at(object, "active", true),
        text_at(object, "next", {})
    };
}

std::string epoch_payload(const EpochNote& note) {
    json::object payload{{"address", note.address}, {"released", note.released}};
    if (!note.next.empty()) payload["next"] = note.next;
    return to_json_text(payload);
}

EpochNote parse_epoch(std::string_view payload) {
    const json::object object = object_of(payload);
    return {
        text_at(object, "address", {}),
        flag_at(object, "released", false),
        text_at(object, "next", {})
    };
}

std::chrono::milliseconds precedence(const Vacancy& vacancy) {
    if (vacancy.last_leader.empty()) return {};
    if (vacancy.yielded) return kDelay;
    if (vacancy.last_leader == vacancy.self) return {};
    // A Java server goes on serving while it is cut off, and takes the node again at once.
    if (vacancy.epoch.address != vacancy.last_leader) return kDelay;
    if (vacancy.epoch.released) {
        const std::string& next = vacancy.epoch.next;
        const bool for_other = next != vacancy.self && contains(vacancy.candidates, next);
        return for_other ? kDelay : std::chrono::seconds{0};
    }
    return contains(vacancy.candidates, vacancy.last_leader) ? kDelay : std::chrono::seconds{0};
}

std::string register_address(
    const std::string& register_ip, const std::string& bind_ip, uint16_t port
) {
    std::string ip = register_ip.empty() ? bind_ip : register_ip;
    if (ip.empty()) ip = first_address();
    if (ip.empty()) ip = "127.0.0.1";
    return ip + ":" + std::to_string(port);
}

}  // namespace obcanal::ha
