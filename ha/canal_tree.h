// The tree that Canal servers and clients share in ZooKeeper (canal-server, 5.2): paths, what
// stands in them, and who may take a destination that nobody serves. Pure.
//
// Beside Java's nodes a destination has `epoch`, whose version grows with each take-over by an
// obcanal server and with nothing else; Java's servers and clients don't look at it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::ha {

inline constexpr std::string_view kDestinationsPath = "/otter/canal/destinations";
inline constexpr std::string_view kClusterPath = "/otter/canal/cluster";

std::string destination_path(std::string_view destination);

// Of `running`: who serves. `active` false: somebody asks that server to let another one serve,
// `next` if it is given; Java's servers obey too.
struct Running {
    std::string address = "unknown";
    bool active = true;
    std::string next;

    bool operator==(const Running&) const = default;
};

std::string running_payload(const Running& running);
Running parse_running(std::string_view payload);  // as far as it can be told

// Of `epoch`: which obcanal server served last, and whether it went of its own accord.
struct EpochNote {
    std::string address;
    bool released = false;
    std::string next;  // to whom

    bool operator==(const EpochNote&) const = default;
};

std::string epoch_payload(const EpochNote& note);
EpochNote parse_epoch(std::string_view payload);

// A destination without `running`, as a candidate sees it.
struct Vacancy {
    std::string self;
    std::string last_leader;  // empty: never seen
    bool yielded = false;     // it was us, and we were asked to
    EpochNote epoch;
    std::vector<std::string> candidates;  // of the destination's `cluster`
};

// How long others have precedence, counted from when `running` went. Canal's five seconds protect
// a server that is only cut off for a moment; nobody waits for one that is gone.
std::chrono::milliseconds precedence(const Vacancy& vacancy);

// `{ip}:{port}` under which clients find this server: the first that is given, else the first
// address of this machine that is not loopback's.
std::string register_address(
    const std::string& register_ip, const std::string& bind_ip, uint16_t port
);

}  // namespace obcanal::ha
