#include "protocol/base/time_zone.h"

#include "protocol/base/bytes.h"
#include "protocol/base/text.h"

#include <algorithm>
#include <ctime>
#include <fstream>
#include <iterator>
#include <limits>
#include <optional>
#include <string>

namespace obcanal {
namespace {

constexpr std::string_view kDatabase = "/usr/share/zoneinfo/";

// "+08:00", "-3:30", "+5"
std::optional<int32_t> parse_offset(std::string_view text) {
    if (text.size() < 2 || (text[0] != '+' && text[0] != '-')) return std::nullopt;
    const std::string_view digits = text.substr(1);
    const size_t colon = digits.find(':');
    const auto hours = parse_uint(digits.substr(0, colon));
    const auto minutes = colon == std::string_view::npos ? std::optional<uint64_t>(0)
                                                         : parse_uint(digits.substr(colon + 1));
    if (!hours || !minutes || *hours > 18 || *minutes > 59) return std::nullopt;
    const auto seconds = static_cast<int32_t>(*hours * 3600 + *minutes * 60);
    return text[0] == '-' ? -seconds : seconds;
}

// A path below the database, and none out of it.
bool is_zone_name(std::string_view name) {
    if (name.empty() || name.front() == '/' || name.find("..") != std::string_view::npos)
        return false;
    return std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '/' || c == '_' || c == '-' || c == '+';
    });
}

struct Counts {
    uint32_t utc_flags, standard_flags, leaps, times, types, characters;
};

Counts read_counts(ByteReader& in) {
    in.skip(15);
    Counts counts{};
    for (uint32_t* count :
         {&counts.utc_flags,
          &counts.standard_flags,
          &counts.leaps,
          &counts.times,
          &counts.types,
          &counts.characters})
        *count = in.u32_be();
    return counts;
}

}  // namespace

// RFC 8536: a block with 32-bit times, then one with 64-bit times.
Result<std::vector<TimeZone::Transition>> TimeZone::read_database(std::string_view name) {
    const std::string path = std::string(kDatabase) + std::string(name);
    std::ifstream file(path, std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(file), {}};
    const auto bad = [&](const char* what) {
        return Error{Errc::BadConfig, Retry::Never, "time zone " + std::string(name) + ": " + what};
    };
    if (!file || content.substr(0, 4) != "TZif" || content.size() < 5) return bad("not known");
    if (content[4] < '2') return bad("its file is of the first version");
    ByteReader in(as_bytes(content));
    in.skip(5);
    const Counts old = read_counts(in);
    in.skip(
        size_t{old.times} * 5 + size_t{old.types} * 6 + old.characters + size_t{old.leaps} * 8 +
        old.standard_flags + old.utc_flags
    );
    in.skip(5);
    const Counts counts = read_counts(in);
    if (!in.ok() || counts.types == 0 || counts.times > content.size()) return bad("broken file");
    std::vector<Transition> transitions{{std::numeric_limits<int64_t>::min(), 0}};
    for (uint32_t i = 0; i < counts.times; ++i)
        transitions.push_back({static_cast<int64_t>(in.u64_be()), 0});
    const Bytes types = in.take(counts.times);
    std::vector<int32_t> offsets;
    for (uint32_t i = 0; i < counts.types && in.ok(); ++i) {
        offsets.push_back(static_cast<int32_t>(in.u32_be()));
        in.skip(2);
    }
    if (!in.ok()) return bad("broken file");
    transitions[0].offset = offsets[0];
    for (size_t i = 0; i < types.size(); ++i) {
        const auto type = std::to_integer<size_t>(types[i]);
        if (type >= offsets.size()) return bad("broken file");
        transitions[i + 1].offset = offsets[type];
    }
    return transitions;
}

std::shared_ptr<const TimeZone> TimeZone::utc() {
    return std::shared_ptr<const TimeZone>(new TimeZone(Kind::Fixed, 0));
}

Result<std::shared_ptr<const TimeZone>> TimeZone::open(std::string_view name) {
    name = trim(name);
    if (name.empty()) return std::shared_ptr<const TimeZone>(new TimeZone(Kind::Process, 0));
    if (equals_ignore_case(name, "UTC") || equals_ignore_case(name, "Z")) return utc();
    if (const auto offset = parse_offset(name))
        return std::shared_ptr<const TimeZone>(new TimeZone(Kind::Fixed, *offset));
    if (!is_zone_name(name)) {
        return Error{
            Errc::BadConfig, Retry::Never, "time zone " + printable(name) + ": not understood"
        };
    }
    auto transitions = read_database(name);
    if (!transitions) return transitions.error();
    std::shared_ptr<TimeZone> zone(new TimeZone(Kind::Database, 0));
    zone->transitions_ = std::move(*transitions);
    return std::shared_ptr<const TimeZone>(std::move(zone));
}

int32_t TimeZone::look_up(int64_t unix_seconds) const {
    if (kind_ == Kind::Process) {
        const auto time = static_cast<std::time_t>(unix_seconds);
        std::tm local{};
        localtime_r(&time, &local);
        return static_cast<int32_t>(local.tm_gmtoff);
    }
    const auto behind = std::upper_bound(
        transitions_.begin() + 1,
        transitions_.end(),
        unix_seconds,
        [](int64_t at, const Transition& t) { return at < t.at; }
    );
    return (behind - 1)->offset;
}

}  // namespace obcanal
