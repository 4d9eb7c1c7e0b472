// Small text work that the standard library lacks: hex, trimming, splitting, charsets, numbers.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal {

std::string to_hex(Bytes bytes);  // lower case
std::optional<std::string> from_hex(std::string_view hex
);  // nothing on an odd length or a foreign character

std::string_view trim(std::string_view text);  // blanks, tabs, line ends at both sides
std::string to_lower(std::string_view text);   // ASCII only
std::string to_upper(std::string_view text);   // ASCII only
bool equals_ignore_case(std::string_view a, std::string_view b);
std::vector<std::string_view> split(std::string_view text, char separator);  // keeps empty parts

// The whole text as a decimal number in range, or nothing.
std::optional<int64_t> parse_int(std::string_view text);
std::optional<uint64_t> parse_uint(std::string_view text);

// Host and port of "host:port", "[v6]:port"; the port must be 1..65535.
struct Endpoint {
    std::string host;
    uint16_t port = 0;

    std::string text() const;  // "host:port", "[v6]:port"
    bool operator==(const Endpoint&) const = default;
};

std::optional<Endpoint> parse_endpoint(std::string_view text);

// -- UTF-8
bool is_utf8(Bytes text);
// Valid UTF-8 of the same text: every byte that starts no valid sequence becomes U+FFFD, as Java
// decodes.
std::string repair_utf8(Bytes text);
// Appends each byte as the character of the same number (ISO-8859-1).
void append_latin1(std::string& to, Bytes bytes);

// Text of control characters and other unprintable bytes made visible, cut to `limit` bytes: for
// logs.
std::string printable(std::string_view text, size_t limit = 200);

// Decodes text of a MySQL or OceanBase character set (gbk, gb18030, utf16, latin1, ...) to UTF-8.
// One object per character set and thread.
class CharsetDecoder {
 public:
    // Nothing when the platform does not know the character set.
    static std::optional<CharsetDecoder> open(std::string_view mysql_name);

    CharsetDecoder(CharsetDecoder&& other) noexcept;
    CharsetDecoder& operator=(CharsetDecoder&& other) noexcept;
    CharsetDecoder(const CharsetDecoder&) = delete;
    CharsetDecoder& operator=(const CharsetDecoder&) = delete;
    ~CharsetDecoder();

    // Appends to `to`; bytes that are not of the character set become U+FFFD.
    void decode(Bytes from, std::string& to);

 private:
    explicit CharsetDecoder(void* descriptor) : descriptor_(descriptor) {}

    void* descriptor_;
};

}  // namespace obcanal
