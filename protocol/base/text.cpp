#include "protocol/base/text.h"

#include <iconv.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <memory>
#include <utility>

namespace obcanal {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kBlanks = " \t\r\n\f\v";
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

bool is_continuation(std::byte b) { return (b & std::byte{0xC0}) == std::byte{0x80}; }

// Length of the valid sequence at `at`, 0 when there is none (RFC 3629: no surrogates, no overlong
// forms).
size_t sequence_length(Bytes text, size_t at) {
    const auto lead = std::to_integer<unsigned>(text[at]);
    if (lead < 0x80) return 1;
    const size_t left = text.size() - at;
    if (lead < 0xC2) return 0;
    if (lead < 0xE0) return left > 1 && is_continuation(text[at + 1]) ? 2 : 0;
    if (left < 3) return 0;
    const auto second = std::to_integer<unsigned>(text[at + 1]);
    if (!is_continuation(text[at + 1]) || !is_continuation(text[at + 2])) return 0;
    if (lead < 0xF0) {
        if (lead == 0xE0 && second < 0xA0) return 0;
        if (lead == 0xED && second > 0x9F) return 0;
        return 3;
    }
    if (left < 4 || lead > 0xF4 || !is_continuation(text[at + 3])) return 0;
    if (lead == 0xF0 && second < 0x90) return 0;
    if (lead == 0xF4 && second > 0x8F) return 0;
    return 4;
}

// Position of the first byte that is not ASCII, or the size.
size_t skip_ascii(Bytes text, size_t at) {
    constexpr uint64_t kHighBits = 0x8080808080808080ULL;
    while (at + 8 <= text.size() && (load_le<uint64_t>(text.data() + at) & kHighBits) == 0) at += 8;
    while (at < text.size() && std::to_integer<unsigned>(text[at]) < 0x80) ++at;
    return at;
}

struct CharsetName {
    std::string_view mysql;
    const char* iconv;
};

// MySQL's latin1 is Windows-1252, and has control characters where that has nothing.
constexpr std::string_view kLatin1 = "latin1";
constexpr std::string_view kLatin1Controls = "\x81\x8d\x8f\x90\x9d";

// What a CharsetDecoder keeps.
struct Conversion {
    iconv_t descriptor;
    bool latin1;
};

constexpr std::array kCharsets = std::to_array<CharsetName>({
    {kLatin1, "CP1252"},      {"latin2", "ISO-8859-2"},
    {"latin5", "ISO-8859-9"}, {"latin7", "ISO-8859-13"},
    {"ascii", "US-ASCII"},    {"us-ascii", "US-ASCII"},
    {"gbk", "GBK"},           {"gb2312", "GB2312"},
    {"gb18030", "GB18030"},   {"gb18030_2022", "GB18030"},
    {"big5", "BIG5"},         {"utf16", "UTF-16BE"},
    {"utf16le", "UTF-16LE"},  {"utf32", "UTF-32BE"},
    {"ucs2", "UCS-2BE"},      {"sjis", "SJIS"},
    {"cp932", "CP932"},       {"ujis", "EUC-JP"},
    {"eucjpms", "EUC-JP-MS"}, {"euckr", "EUC-KR"},
    {"cp1250", "CP1250"},     {"cp1251", "CP1251"},
    {"cp1256", "CP1256"},     {"cp1257", "CP1257"},
    {"cp850", "CP850"},       {"cp852", "CP852"},
    {"cp866", "CP866"},       {"koi8r", "KOI8-R"},
    {"koi8u", "KOI8-U"},      {"greek", "ISO-8859-7"},
    {"hebrew", "ISO-8859-8"}, {"tis620", "TIS-620"},
    {"hkscs", "BIG5-HKSCS"},  {"hkscs31", "BIG5-HKSCS"},
});

}  // namespace

std::string to_hex(Bytes bytes) {
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const std::byte b : bytes) {
        out.push_back(kHexDigits[std::to_integer<size_t>(b) >> 4]);
        out.push_back(kHexDigits[std::to_integer<size_t>(b) & 15]);
    }
    return out;
}

std::optional<std::string> from_hex(std::string_view hex) {
    if (hex.size() % 2 != 0) return std::nullopt;
    std::string out;
    out.reserve(hex.size() / 2);
    for (size_t i = 0; i < hex.size(); i += 2) {
        const int high = hex_value(hex[i]);
        const int low = hex_value(hex[i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        out.push_back(static_cast<char>(high * 16 + low));
    }
    return out;
}

std::string_view trim(std::string_view text) {
    const size_t first = text.find_first_not_of(kBlanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::string to_lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = lower(c);
    return out;
}

std::string to_upper(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = upper(c);
    return out;
}

bool equals_ignore_case(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    for (size_t i = 0; i < a.size(); ++i) {
        if (lower(a[i]) != lower(b[i])) return false;
    }
    return true;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    for (;;) {
        const size_t end = text.find(separator);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos) return parts;
        text.remove_prefix(end + 1);
    }
}

template <class Integer>
static std::optional<Integer> parse_number(std::string_view text) {
    Integer value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || text.empty())
        return std::nullopt;
    return value;
}

std::optional<int64_t> parse_int(std::string_view text) { return parse_number<int64_t>(text); }

std::optional<uint64_t> parse_uint(std::string_view text) { return parse_number<uint64_t>(text); }

std::string Endpoint::text() const {
    const bool v6 = host.find(':') != std::string::npos;
    return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::optional<Endpoint> parse_endpoint(std::string_view text) {
    text = trim(text);
    const size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto port = parse_uint(text.substr(colon + 1));
    if (!port || *port == 0 || *port > 65535) return std::nullopt;
    std::string_view host = text.substr(0, colon);
    if (host.size() >= 2 && host.front() == '[' && host.back() == ']')
        host = host.substr(1, host.size() - 2);
    if (host.empty()) return std::nullopt;
    return Endpoint{std::string(host), static_cast<uint16_t>(*port)};
}

bool is_utf8(Bytes text) {
    for (size_t at = skip_ascii(text, 0); at < text.size(); at = skip_ascii(text, at)) {
        const size_t length = sequence_length(text, at);
        if (length == 0) return false;
        at += length;
    }
    return true;
}

std::string repair_utf8(Bytes text) {
    std::string out;
    out.reserve(text.size() + 8);
    for (size_t at = 0; at < text.size();) {
        const size_t length = sequence_length(text, at);
        if (length == 0) {
            out += kReplacement;
            ++at;
        } else {
            out += as_text(text.subspan(at, length));
            at += length;
        }
    }
    return out;
}

void append_latin1(std::string& to, Bytes bytes) {
    for (const std::byte b : bytes) {
        const auto value = std::to_integer<unsigned>(b);
        if (value < 0x80) {
            to.push_back(static_cast<char>(value));
        } else {
            to.push_back(static_cast<char>(0xC0 | (value >> 6)));
            to.push_back(static_cast<char>(0x80 | (value & 0x3F)));
        }
    }
}

std::string printable(std::string_view text, size_t limit) {
    std::string out;
    for (const char c : text.substr(0, limit)) {
        const auto value = static_cast<unsigned char>(c);
        if (value < 0x20 || value == 0x7F) {
            out += "\\x";
            out.push_back(kHexDigits[value >> 4]);
            out.push_back(kHexDigits[value & 15]);
        } else {
            out.push_back(c);
        }
    }
    if (text.size() > limit) out += "...";
    return is_utf8(as_bytes(out)) ? out : repair_utf8(as_bytes(out));
}

std::optional<CharsetDecoder> CharsetDecoder::open(std::string_view mysql_name) {
    for (const CharsetName& name : kCharsets) {
        if (!equals_ignore_case(name.mysql, mysql_name)) continue;
        const iconv_t descriptor = iconv_open("UTF-8", name.iconv);
        if (descriptor == iconv_t(-1)) return std::nullopt;
        return CharsetDecoder(new Conversion{descriptor, name.mysql == kLatin1});
    }
    return std::nullopt;
}

CharsetDecoder::CharsetDecoder(CharsetDecoder&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, nullptr)) {}

CharsetDecoder& CharsetDecoder::operator=(CharsetDecoder&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
}

CharsetDecoder::~CharsetDecoder() {
    const std::unique_ptr<Conversion> conversion(static_cast<Conversion*>(descriptor_));
    if (conversion) iconv_close(conversion->descriptor);
}

void CharsetDecoder::decode(Bytes from, std::string& to) {
    const auto& [descriptor, latin1] = *static_cast<const Conversion*>(descriptor_);
    iconv(descriptor, nullptr, nullptr, nullptr, nullptr);
    // iconv() does not write through its input pointer; its signature predates const.
    char* in = const_cast<char*>(as_text(from).data());
    size_t in_left = from.size();
    std::array<char, 4096> buffer;
    while (in_left > 0) {
        char* out = buffer.data();
        size_t out_left = buffer.size();
        const size_t converted = iconv(descriptor, &in, &in_left, &out, &out_left);
        to.append(buffer.data(), buffer.size() - out_left);
        if (converted != size_t(-1) || errno == E2BIG) continue;
        if (latin1 && kLatin1Controls.find(*in) != std::string_view::npos) {
            to += {'\xc2', *in};
        } else {
            to += kReplacement;
        }
        ++in;
        --in_left;
    }
}

}  // namespace obcanal
