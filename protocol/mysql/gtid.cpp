#include "protocol/mysql/gtid.h"

#include "protocol/base/text.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

namespace obcanal::mysql {
namespace {

constexpr size_t kLongestTag = 32;
constexpr size_t kUuidText = 36;
constexpr std::byte kTaggedForm{1};

Error malformed(std::string_view what, std::string_view text) {
    return Error{Errc::BadConfig, Retry::Never, std::string(what) + ": " + printable(text)};
}

Error bad_bytes(const char* what) {
    return Error{Errc::BadPacket, Retry::Backoff, std::string("GTID set: ") + what};
}

template <class Integer>
void append_le(std::string& to, Integer value) {
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    to.append(bytes, sizeof bytes);
}

bool is_tag(std::string_view text) {
    if (text.empty() || text.size() > kLongestTag) return false;
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
    return is_letter(text[0]) && std::all_of(text.begin(), text.end(), [&](char c) {
               return is_letter(c) || (c >= '0' && c <= '9');
           });
}

struct Numbers {
    int64_t first;
    int64_t last;
};

// "5" or "1-5".
std::optional<Numbers> parse_numbers(std::string_view text) {
    const size_t dash = text.find('-');
    const auto first = parse_int(trim(text.substr(0, dash)));
    const auto last =
        dash == std::string_view::npos ? first : parse_int(trim(text.substr(dash + 1)));
    if (!first || !last || *first < 1 || *last < *first) return std::nullopt;
    if (*last == std::numeric_limits<int64_t>::max()) return std::nullopt;
    return Numbers{*first, *last};
}

}  // namespace

std::string uuid_text(const Uuid& uuid) {
    std::string text = to_hex(uuid);
    for (const size_t at : std::array<size_t, 4>{8, 13, 18, 23}) text.insert(at, 1, '-');
    return text;
}

Result<Uuid> parse_uuid(std::string_view text) {
    std::string digits;
    for (size_t i = 0; i < text.size(); ++i) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash != (text[i] == '-')) return malformed("not a uuid", text);
        if (!dash) digits += text[i];
    }
    const auto bytes = from_hex(digits);
    if (text.size() != kUuidText || !bytes) return malformed("not a uuid", text);
    Uuid uuid;
    std::memcpy(uuid.data(), bytes->data(), uuid.size());
    return uuid;
}

std::string Gtid::text() const {
    return uuid_text(source) + (tag.empty() ? "" : ":" + tag) + ":" + std::to_string(number);
}

Result<GtidSet> GtidSet::parse(std::string_view text) {
    GtidSet set;
    for (const std::string_view item : split(text, ',')) {
        if (trim(item).empty()) continue;
        const auto parts = split(item, ':');
        const auto uuid = parse_uuid(trim(parts[0]));
        if (!uuid) return malformed("GTID set: not a uuid", trim(parts[0]));
        Source source{*uuid, {}};
        bool has_numbers = false;
        for (size_t i = 1; i < parts.size(); ++i) {
            const std::string part = to_lower(trim(parts[i]));
            if (const auto numbers = parse_numbers(part)) {
                insert(set.sources_[source], {numbers->first, numbers->last});
                has_numbers = true;
            } else if (is_tag(part)) {
                source.tag = part;
                has_numbers = false;
            } else {
                return malformed("GTID set: neither numbers nor a tag", part);
            }
        }
        if (!has_numbers) return malformed("GTID set: no numbers in", item);
    }
    return set;
}

Result<GtidSet> GtidSet::decode(Bytes bytes) {
    ByteReader in(bytes);
    uint64_t sources = in.u64_le();
    const bool tagged = in.ok() && bytes[7] == kTaggedForm;
    if (tagged) sources = sources >> 8 & 0xFFFF'FFFF'FFFF;
    GtidSet set;
    for (; sources > 0 && in.ok(); --sources) {
        Source source;
        const Bytes uuid = in.take(source.uuid.size());
        if (!in.ok()) break;
        std::memcpy(source.uuid.data(), uuid.data(), uuid.size());
        if (tagged) source.tag = std::string(in.text(in.u8() >> 1));
        const uint64_t count = in.u64_le();
        if (!source.tag.empty() && !is_tag(source.tag)) return bad_bytes("bad tag");
        if (!in.ok() || count > in.remaining() / 16) return bad_bytes("bad number of intervals");
        if (count == 0) continue;  // the first log of OceanBase's Binlog Service
        Intervals& intervals = set.sources_[source];
        for (uint64_t i = 0; i < count; ++i) {
            const auto first = static_cast<int64_t>(in.u64_le());
            const auto behind = static_cast<int64_t>(in.u64_le());
            if (first < 1 || behind <= first) return bad_bytes("bad interval");
            insert(intervals, {first, behind - 1});
        }
    }
    if (!in.ok() || !in.empty()) return bad_bytes("wrong length");
    return set;
}

std::string GtidSet::text() const {
    std::string text;
    const Uuid* last = nullptr;
    for (const auto& [source, intervals] : sources_) {
        if (last == nullptr || *last != source.uuid) {
            if (last != nullptr) text += ',';
            text += uuid_text(source.uuid);
            last = &source.uuid;
        }
        if (!source.tag.empty()) text += ":" + source.tag;
        for (const Interval& interval : intervals) {
            text += ":" + std::to_string(interval.first);
            if (interval.last != interval.first) text += "-" + std::to_string(interval.last);
        }
    }
    return text;
}

std::string GtidSet::encode() const {
    const bool tagged = std::any_of(sources_.begin(), sources_.end(), [](const auto& item) {
        return !item.first.tag.empty();
    });
    std::string out;
    const uint64_t count = sources_.size();
    append_le<uint64_t>(out, tagged ? uint64_t{1} << 56 | count << 8 | 1 : count);
    for (const auto& [source, intervals] : sources_) {
        out += as_text(source.uuid);
        if (tagged) {
            out += static_cast<char>(source.tag.size() << 1);
            out += source.tag;
        }
        append_le<uint64_t>(out, intervals.size());
        for (const Interval& interval : intervals) {
            append_le(out, interval.first);
            append_le(out, interval.last + 1);
        }
    }
    return out;
}

void GtidSet::insert(Intervals& to, Interval added) {
    // The usual case: the next number of a source.
    if (!to.empty() && added.first == to.back().last + 1) {
        to.back().last = added.last;
        return;
    }
    auto first = std::lower_bound(to.begin(), to.end(), added.first, [](const auto& i, int64_t n) {
        return i.last + 1 < n;
    });
    auto last = first;
    while (last != to.end() && last->first <= added.last + 1) {
        added.first = std::min(added.first, last->first);
        added.last = std::max(added.last, last->last);
        ++last;
    }
    to.insert(to.erase(first, last), added);
}

void GtidSet::add(const Gtid& gtid) {
    insert(sources_[Source{gtid.source, gtid.tag}], {gtid.number, gtid.number});
}

void GtidSet::add(const GtidSet& other) {
    for (const auto& [source, intervals] : other.sources_) {
        for (const Interval& interval : intervals) insert(sources_[source], interval);
    }
}

bool GtidSet::contains(const Gtid& gtid) const {
    GtidSet one;
    one.add(gtid);
    return contains(one);
}

bool GtidSet::contains(const GtidSet& other) const {
    for (const auto& [source, intervals] : other.sources_) {
        const auto mine = sources_.find(source);
        if (mine == sources_.end()) return false;
        for (const Interval& wanted : intervals) {
            const bool held =
                std::any_of(mine->second.begin(), mine->second.end(), [&](const Interval& i) {
                    return i.first <= wanted.first && wanted.last <= i.last;
                });
            if (!held) return false;
        }
    }
    return true;
}

Result<MariadbGtid> MariadbGtid::parse(std::string_view text) {
    constexpr uint64_t kLargest = std::numeric_limits<uint32_t>::max();
    const auto parts = split(trim(text), '-');
    if (parts.size() != 3) return malformed("not a MariaDB GTID", text);
    const auto domain = parse_uint(parts[0]);
    const auto server = parse_uint(parts[1]);
    const auto sequence = parse_uint(parts[2]);
    if (!domain || !server || !sequence || *domain > kLargest || *server > kLargest)
        return malformed("not a MariaDB GTID", text);
    return MariadbGtid{static_cast<uint32_t>(*domain), static_cast<uint32_t>(*server), *sequence};
}

std::string MariadbGtid::text() const {
    return std::to_string(domain) + "-" + std::to_string(server) + "-" + std::to_string(sequence);
}

Result<MariadbGtidSet> MariadbGtidSet::parse(std::string_view text) {
    MariadbGtidSet set;
    for (const std::string_view item : split(text, ',')) {
        if (trim(item).empty()) continue;
        const auto gtid = MariadbGtid::parse(item);
        if (!gtid) return gtid.error();
        if (!set.domains_.emplace(gtid->domain, *gtid).second)
            return malformed("two GTIDs of one domain", text);
    }
    return set;
}

std::string MariadbGtidSet::text() const {
    std::string text;
    for (const auto& [domain, gtid] : domains_) {
        if (!text.empty()) text += ',';
        text += gtid.text();
    }
    return text;
}

bool MariadbGtidSet::contains(const MariadbGtid& gtid) const {
    const auto mine = domains_.find(gtid.domain);
    return mine != domains_.end() && mine->second.sequence >= gtid.sequence;
}

}  // namespace obcanal::mysql
