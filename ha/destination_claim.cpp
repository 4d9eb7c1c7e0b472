#include "ha/destination_claim.h"

#include "protocol/base/json.h"
#include "protocol/base/text.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <array>
#include <utility>

namespace obcanal::ha {
namespace {

using std::chrono::steady_clock;

constexpr std::string_view kRoot = "/otter/canal";

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

}  // namespace

std::string destination_path(std::string_view destination) {
    return std::string(kRoot) + "/destinations/" + std::string(destination);
}

std::string running_payload(std::string_view address) {
    boost::json::object payload;
    payload["active"] = true;
    payload["address"] = boost::json::string_view(address.data(), address.size());
    return to_json_text(payload);
}

std::string running_address(std::string_view payload) {
    const Result<boost::json::value> value = parse_json(payload);
    const boost::json::object* object = value ? value->if_object() : nullptr;
    const boost::json::value* address =
        object == nullptr ? nullptr : object->if_contains("address");
    if (address == nullptr || !address->is_string()) return "unknown";
    return printable({address->get_string().data(), address->get_string().size()});
}

std::string register_address(
    const std::string& register_ip, const std::string& bind_ip, uint16_t port
) {
    std::string ip = register_ip.empty() ? bind_ip : register_ip;
    if (ip.empty()) ip = first_address();
    if (ip.empty()) ip = "127.0.0.1";
    return ip + ":" + std::to_string(port);
}

DestinationClaim::DestinationClaim(
    std::shared_ptr<ZookeeperClient> client, std::string_view destination, std::string address
)
    : client_(std::move(client)),
      path_(destination_path(destination)),
      address_(std::move(address)) {}

// Ephemeral nodes with our address may be an earlier session's, which end with it: those are
// replaced by our own.
Result<void> DestinationClaim::join_cluster(ZookeeperSession& session) {
    const std::string id = std::to_string(session.id());
    if (joined_of_ == id) return {};
    for (const std::string& cluster : {std::string(kRoot) + "/cluster", path_ + "/cluster"}) {
        const std::string path = cluster + "/" + address_;
        Result<std::optional<ZookeeperNode>> node = session.get(path);
        if (!node) return std::move(node).error();
        if (*node && (*node)->owner == session.id()) continue;
        if (*node) {
            if (Result<void> gone = session.remove(path); !gone) return gone;
        }
        Result<bool> made = session.create(path, std::nullopt, NodeMode::Ephemeral);
        if (!made) return std::move(made).error();
    }
    joined_of_ = id;
    return {};
}

Result<void> DestinationClaim::claim(ZookeeperSession& session) {
    const std::string path = path_ + "/running";
    Result<bool> made = session.create(path, running_payload(address_), NodeMode::Ephemeral);
    if (!made) return std::move(made).error();
    if (*made) return {};
    Result<std::optional<ZookeeperNode>> node = session.get(path);
    if (!node) return std::move(node).error();
    if (*node && (*node)->owner == session.id()) return {};
    const std::string who = *node ? running_address((*node)->data) : "unknown";
    return Error{
        Errc::Conflict,
        Retry::Backoff,
        who == address_
            ? "the session of this server's last run has not ended yet (ZooKeeper " + path + ")"
            : "the server " + who + " serves this destination (ZooKeeper " + path + ")"
    };
}

Result<DestinationClaim::Taken> DestinationClaim::take() {
    Result<std::shared_ptr<ZookeeperSession>> session = client_->session();
    if (!session) return std::move(session).error();
    ZookeeperSession& use = **session;
    const steady_clock::time_point asked = steady_clock::now();
    if (Result<void> joined = join_cluster(use); !joined) return std::move(joined).error();
    // The session counts from when the ensemble heard from it, which is later than this.
    const auto sure_until = asked + use.timeout();
    bool anew = session_ != *session;
    if (!anew) {
        Result<std::optional<ZookeeperNode>> node = use.get(path_ + "/running");
        if (!node) return std::move(node).error();
        anew = !*node || (*node)->owner != use.id();  // an operator removed it
    }
    if (anew) {
        if (Result<void> claimed = claim(use); !claimed) {
            if (claimed.error().code == Errc::Conflict) {
                const std::lock_guard lock(mutex_);
                lost_ = claimed.error();
            }
            return std::move(claimed).error();
        }
        session_ = *session;
    }
    const std::lock_guard lock(mutex_);
    sure_until_ = sure_until;
    lost_.reset();
    return Taken{std::move(session).value(), anew};
}

Result<std::shared_ptr<ZookeeperSession>> DestinationClaim::session() const {
    if (Result<void> ours = held(); !ours) return std::move(ours).error();
    if (session_) return session_;
    return Error{Errc::Stopped, Retry::Backoff, "the destination is not claimed"};
}

Result<void> DestinationClaim::held() const {
    const std::lock_guard lock(mutex_);
    if (lost_) return *lost_;
    if (steady_clock::now() < sure_until_) return {};
    return Error{
        Errc::Timeout,
        Retry::Backoff,
        "no word from ZooKeeper for the time of a session: another server may serve by now"
    };
}

Result<void> DestinationClaim::release() {
    const std::shared_ptr<ZookeeperSession> session = std::exchange(session_, nullptr);
    {
        const std::lock_guard lock(mutex_);
        sure_until_ = {};
    }
    if (!session) return {};
    Result<std::optional<ZookeeperNode>> node = session->get(path_ + "/running");
    if (!node) return std::move(node).error();
    if (*node && (*node)->owner == session->id()) {
        if (Result<void> gone = session->remove(path_ + "/running"); !gone) return gone;
    }
    joined_of_.clear();
    return session->remove(path_ + "/cluster/" + address_);
}

}  // namespace obcanal::ha
