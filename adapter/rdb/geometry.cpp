#include "adapter/rdb/geometry.h"

#include "protocol/base/text.h"

#include <array>
#include <charconv>
#include <cstring>

namespace obcanal::adapter::rdb {

namespace {

constexpr size_t kSrid = 4;
constexpr size_t kHead = kSrid + 5;  // and byte order and type
constexpr int kDepth = 16;           // collections in collections

constexpr std::array<std::string_view, 7> kKinds{
    "point",
    "linestring",
    "polygon",
    "multipoint",
    "multilinestring",
    "multipolygon",
    "geometrycollection"
};

void append_u32(std::string& to, uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8) {
        to += static_cast<char>(value >> shift & 0xFFU);
    }
}

void append_double(std::string& to, double value) {
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    for (int shift = 0; shift < 64; shift += 8) {
        to += static_cast<char>(bits >> shift & 0xFFU);
    }
}

// WKT, two dimensions, into WKB.
class WktReader {
 public:
    explicit WktReader(std::string_view text) : rest_(text) {}

    bool read(std::string& wkb) {
        const bool done = geometry(wkb, 0);
        skip();
        return done && rest_.empty();
    }

 private:
    void skip() {
        while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t')) {
            rest_.remove_prefix(1);
        }
    }

    bool take(char c) {
        skip();
        if (rest_.empty() || rest_.front() != c) {
            return false;
        }
        rest_.remove_prefix(1);
        return true;
    }

    bool take_empty() {
        skip();
        if (!starts_with_word("empty")) {
            return false;
        }
        rest_.remove_prefix(5);
        return true;
    }

    bool starts_with_word(std::string_view lower) const {
        return equals_ignore_case(rest_.substr(0, lower.size()), lower);
    }

    bool coordinates(std::string& to) {
        for (int i = 0; i < 2; i++) {
            skip();
            double value = 0;
            const char* end = rest_.data() + rest_.size();
            const auto read = std::from_chars(rest_.data(), end, value);
            if (read.ec != std::errc()) {
                return false;
            }
            rest_.remove_prefix(static_cast<size_t>(read.ptr - rest_.data()));
            append_double(to, value);
        }
        return true;
    }

    // "(item, item)" with their number in front.
    template <class Item>
    bool list(std::string& to, Item item) {
        uint32_t count = 0;
        std::string items;
        if (!take_empty()) {
            if (!take('(')) {
                return false;
            }
            do {
                if (!item(items)) {
                    return false;
                }
                count++;
            } while (take(','));
            if (!take(')')) {
                return false;
            }
        }
        append_u32(to, count);
        to += items;
        return true;
    }

    bool points(std::string& to) {
        return list(to, [this](std::string& items) { return coordinates(items); });
    }

    bool rings(std::string& to) {
        return list(to, [this](std::string& items) { return points(items); });
    }

    static void head(std::string& to, uint32_t kind) {
        to += '\1';  // little endian
        append_u32(to, kind);
    }

    bool geometry(std::string& to, int depth) {
        skip();
        size_t length = 0;
        while (length < rest_.size() && rest_[length] != '(' && rest_[length] != ' ') {
            length++;
        }
        const std::string word = to_lower(rest_.substr(0, length));
        uint32_t kind = 1;
        while (kind <= kKinds.size() && kKinds[kind - 1] != word) {
            kind++;
        }
        if (kind > kKinds.size() || depth > kDepth) {
            return false;
        }
        rest_.remove_prefix(length);
        head(to, kind);
        switch (kind) {
            case 1: return take('(') && coordinates(to) && take(')');
            case 2: return points(to);
            case 3: return rings(to);
            case 4:
                return list(to, [this](std::string& items) {
                    head(items, 1);
                    const bool inner = take('(');  // both forms are written
                    return coordinates(items) && (!inner || take(')'));
                });
            case 5:
                return list(to, [this](std::string& items) {
                    head(items, 2);
                    return points(items);
                });
            case 6:
                return list(to, [this](std::string& items) {
                    head(items, 3);
                    return rings(items);
                });
            default:
                return list(to, [this, depth](std::string& items) {
                    return geometry(items, depth + 1);
                });
        }
    }

    std::string_view rest_;
};

}  // namespace

std::optional<std::string> geometry_of_text(std::string_view ewkt) {
    uint32_t srid = 0;
    const auto semicolon = ewkt.find(';');
    if (equals_ignore_case(ewkt.substr(0, 5), "srid=") && semicolon != std::string_view::npos) {
        const auto number = parse_uint(ewkt.substr(5, semicolon - 5));
        if (!number || *number > UINT32_MAX) {
            return std::nullopt;
        }
        srid = static_cast<uint32_t>(*number);
        ewkt.remove_prefix(semicolon + 1);
    }
    std::string bytes;
    append_u32(bytes, srid);
    if (!WktReader(ewkt).read(bytes)) {
        return std::nullopt;
    }
    return bytes;
}

std::string geometry_ewkb(std::string_view bytes) {
    if (bytes.size() < kHead) {
        return to_hex(as_bytes(bytes));
    }
    std::string out(bytes.substr(kSrid, 5));
    out[4] = static_cast<char>(static_cast<uint8_t>(out[4]) | 0x20U);  // little endian: has an SRID
    out += bytes.substr(0, kSrid);
    out += bytes.substr(kHead);
    return to_hex(as_bytes(out));
}

}  // namespace obcanal::adapter::rdb
