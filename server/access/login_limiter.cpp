#include "server/access/login_limiter.h"

#include <arpa/inet.h>

#include <algorithm>

namespace obcanal::access {
namespace {

constexpr std::chrono::seconds kSweepPeriod{1};
// Who has one IPv6 address has its whole network of 64 bits.
constexpr size_t kIpv6NetworkBytes = 8;

}  // namespace

LoginLimiter::LoginLimiter(int64_t failures_per_minute) {
    if (failures_per_minute <= 0) return;
    pace_ = std::chrono::nanoseconds(std::chrono::minutes(1)) / failures_per_minute;
    allowance_ = std::chrono::minutes(1);
}

LoginLimiter::Key LoginLimiter::key_of(const std::string& address) const {
    in6_addr parsed{};
    if (::inet_pton(AF_INET6, address.c_str(), &parsed) != 1) return address;
    return {reinterpret_cast<const char*>(&parsed), kIpv6NetworkBytes};
}

void LoginLimiter::forget_settled(SteadyTime now) {
    if (now < next_sweep_) return;
    next_sweep_ = now + kSweepPeriod;
    std::erase_if(due_, [this, now](const auto& entry) {
        return entry.second <= now - allowance_;
    });
}

std::optional<std::chrono::milliseconds> LoginLimiter::reserve(
    const std::string& address, SteadyTime now
) {
    using std::chrono::milliseconds;
    if (pace_.count() == 0) return milliseconds(0);
    const std::lock_guard lock(mutex_);
    const Key key = key_of(address);
    auto found = due_.find(key);
    if (found == due_.end()) {
        if (due_.size() >= kMaxAddresses) forget_settled(now);
        if (due_.size() < kMaxAddresses) found = due_.emplace(key, now - allowance_).first;
    }
    SteadyTime& due = found == due_.end() ? shared_due_ : found->second;
    const SteadyTime next = std::max(due, now - allowance_) + pace_;
    const auto wait = std::max(next - now, SteadyTime::duration::zero());
    if (wait > kLongestWait) return std::nullopt;
    due = next;
    return std::chrono::ceil<milliseconds>(wait);
}

void LoginLimiter::accepted(const std::string& address, SteadyTime now) {
    if (pace_.count() == 0) return;
    const std::lock_guard lock(mutex_);
    const auto found = due_.find(key_of(address));
    SteadyTime& due = found == due_.end() ? shared_due_ : found->second;
    due -= pace_;
    if (found != due_.end() && due <= now - allowance_) due_.erase(found);
}

size_t LoginLimiter::addresses() const {
    const std::lock_guard lock(mutex_);
    return due_.size();
}

}  // namespace obcanal::access
