// The tables of keys: one row per key with the member it fills, its default, its range and what it
// is for. Reading, checking, printing and the documentation of the keys all follow these rows.
#pragma once

#include "protocol/base/result.h"

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace obcanal::config {

struct ServerConfig;
struct InstanceConfig;
struct OblogConfig;
struct BinlogConfig;
struct MysqlServer;
struct TlsConfig;

// Behind the name of a secret: the file that holds it.
constexpr std::string_view kFileSuffix = ".file";

enum class KeyKind : uint8_t {
    Server,          // read as server keys are: no placeholders
    PerDestination,  // a server key: "canal.instance.{destination}.x", else "...global.x"
    Instance,        // instance.properties over canal.properties
};

// The part of a row that does not depend on the struct it fills.
struct KeyInfo {
    std::string_view name;
    std::string_view fallback;  // the default, as it would stand in the file
    std::string_view doc;
    int64_t least = std::numeric_limits<int64_t>::min();
    int64_t most = std::numeric_limits<int64_t>::max();
    bool power_of_two = false;
    bool secret = false;  // masked, and may stand in the file that "<name>.file" names
    bool path = false;    // resolved against the configuration directory
    bool own = false;     // not a key of the reference
    // Why the key has no effect; empty when it has one.
    std::string_view unsupported = {};
    // A value beside the default that asks for nothing else than what is done anyway.
    std::string_view neutral = {};
    // Keys of one topic are named together in one warning.
    std::string_view topic = {};
};

struct NoMember {};

template <class S>
struct Key : KeyInfo {
    // Fills the struct from text; the error says what is wrong with the text.
    using Parse = Result<void> (*)(S& to, std::string_view text);
    using Member = std::variant<
        NoMember,
        std::string S::*,
        bool S::*,
        uint16_t S::*,
        uint32_t S::*,
        int64_t S::*,
        size_t S::*,
        Parse>;

    constexpr Key(std::string_view key, Member to, std::string_view value, std::string_view text)
        : KeyInfo{key, value, text}, member(to) {}

    constexpr Key in(int64_t from, int64_t upto) const {
        Key copy = *this;
        copy.least = from;
        copy.most = upto;
        return copy;
    }

    constexpr Key as_power_of_two() const {
        Key copy = *this;
        copy.power_of_two = true;
        return copy;
    }

    constexpr Key as_secret() const {
        Key copy = *this;
        copy.secret = true;
        return copy;
    }

    constexpr Key as_path() const {
        Key copy = *this;
        copy.path = true;
        return copy;
    }

    constexpr Key as_own() const {
        Key copy = *this;
        copy.own = true;
        return copy;
    }

    constexpr Key no_effect(std::string_view why, std::string_view same = {}) const {
        Key copy = *this;
        copy.unsupported = why;
        copy.neutral = same;
        return copy;
    }

    constexpr Key on(std::string_view which) const {
        Key copy = *this;
        copy.topic = which;
        return copy;
    }

    Member member;
};

std::span<const Key<ServerConfig>> server_keys();
// Names without "canal.tls", "canal.admin.tls" and "canal.metrics.tls".
std::span<const Key<TlsConfig>> tls_keys();
std::span<const Key<InstanceConfig>> per_destination_keys();
std::span<const Key<InstanceConfig>> instance_keys();
std::span<const Key<OblogConfig>> oblog_keys();
std::span<const Key<BinlogConfig>> binlog_keys();
// Names without "canal.instance.master" and "canal.instance.standby".
std::span<const Key<MysqlServer>> mysql_server_keys();
// Keys of parts of the reference that obcanal does not have.
std::span<const KeyInfo> foreign_keys();

// All keys that begin so are passed on by the reference without a look at them.
struct KeyPrefix {
    std::string_view prefix;
    std::string_view unsupported;
    std::string_view topic;
};

std::span<const KeyPrefix> foreign_prefixes();

}  // namespace obcanal::config
