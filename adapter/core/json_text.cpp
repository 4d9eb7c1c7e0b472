#include "adapter/core/json_text.h"

#include "protocol/base/bytes.h"
#include "protocol/base/text.h"

#include <array>

namespace obcanal::adapter::core {
namespace {

// java.sql.Types
enum SqlType : int32_t {
    kBit = -7,
    kTinyInt = -6,
    kBigInt = -5,
    kLongVarBinary = -4,
    kVarBinary = -3,
    kBinary = -2,
    kLongVarChar = -1,
    kChar = 1,
    kNumeric = 2,
    kDecimal = 3,
    kInteger = 4,
    kSmallInt = 5,
    kFloat = 6,
    kReal = 7,
    kDouble = 8,
    kVarChar = 12,
    kBoolean = 16,
    kBlob = 2004,
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_text_type(std::string_view mysql_type) {
    return mysql_type == "tinytext" || mysql_type == "text" || mysql_type == "mediumtext" ||
           mysql_type == "longtext";
}

}  // namespace

// -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)? : what JSON takes for a number.
bool is_json_number(std::string_view text) {
    size_t i = 0;
    const auto digits = [&] {
        const size_t from = i;
        while (i < text.size() && is_digit(text[i])) ++i;
        return i - from;
    };
    if (i < text.size() && text[i] == '-') ++i;
    const bool zero = i < text.size() && text[i] == '0';
    const size_t whole = digits();
    if (whole == 0 || (zero && whole > 1)) return false;
    if (i < text.size() && text[i] == '.') {
        ++i;
        if (digits() == 0) return false;
    }
    if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
        ++i;
        if (i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
        if (digits() == 0) return false;
    }
    return i == text.size();
}

std::string narrow_latin1(std::string_view text, bool& good) {
    std::string bytes;
    for (size_t i = 0; i < text.size(); ++i) {
        const auto lead = static_cast<uint8_t>(text[i]);
        if (lead < 0x80) {
            bytes.push_back(text[i]);
        } else if ((lead == 0xc2 || lead == 0xc3) && i + 1 < text.size()) {
            bytes.push_back(
                static_cast<char>((lead & 0x03) << 6 | (static_cast<uint8_t>(text[++i]) & 0x3f))
            );
        } else {
            good = false;
        }
    }
    return bytes;
}

void append_base64(std::string& to, std::string_view bytes) {
    constexpr std::string_view kDigits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    to.push_back('"');
    for (size_t i = 0; i < bytes.size(); i += 3) {
        uint32_t group = 0;
        const size_t count = std::min<size_t>(3, bytes.size() - i);
        for (size_t k = 0; k < 3; ++k) {
            group = group << 8 | (k < count ? static_cast<uint8_t>(bytes[i + k]) : 0U);
        }
        for (size_t k = 0; k < 4; ++k) {
            to.push_back(k <= count ? kDigits[group >> (18 - 6 * k) & 63] : '=');
        }
    }
    to.push_back('"');
}

void append_json_string(std::string& to, std::string_view text) {
    if (!is_utf8(as_bytes(text))) return append_json_string(to, repair_utf8(as_bytes(text)));
    constexpr std::string_view kHex = "0123456789abcdef";
    to.push_back('"');
    for (const char c : text) {
        switch (c) {
            case '"': to += "\\\""; break;
            case '\\': to += "\\\\"; break;
            case '\n': to += "\\n"; break;
            case '\r': to += "\\r"; break;
            case '\t': to += "\\t"; break;
            case '\b': to += "\\b"; break;
            case '\f': to += "\\f"; break;
            default: {
                const auto byte = static_cast<uint8_t>(c);
                if (byte >= 0x20 && byte != 0x7f) {
                    to.push_back(c);
                } else {
                    to += "\\u00";
                    to.push_back(kHex[byte >> 4]);
                    to.push_back(kHex[byte & 15]);
                }
            }
        }
    }
    to.push_back('"');
}

void append_json_value(std::string& to, const DmlColumn& column, const DmlValue& value) {
    if (value.state != ValueState::Value) {
        to += "null";
        return;
    }
    switch (value.sql_type) {
        case kBit:
        case kTinyInt:
        case kSmallInt:
        case kInteger:
        case kBigInt:
        case kFloat:
        case kReal:
        case kDouble:
        case kDecimal:
        case kNumeric:
            if (value.text.empty()) {
                to += "null";
            } else if (is_json_number(value.text)) {
                to += value.text;
            } else {
                append_json_string(to, value.text);
            }
            return;
        case kBoolean: to += value.text == "0" ? "false" : "true"; return;
        case kBinary:
        case kVarBinary:
        case kLongVarBinary:
        case kBlob: {
            bool good = true;
            const std::string bytes = narrow_latin1(value.text, good);
            if (good) {
                append_base64(to, bytes);
            } else {
                append_json_string(to, value.text);
            }
            return;
        }
        case kChar:
        case kVarChar:
        case kLongVarChar: append_json_string(to, value.text); return;
        default:
            // Dates and LOBs of text; an empty one is null unless it is a text.
            if (value.text.empty() && !is_text_type(column.mysql_type)) {
                to += "null";
            } else {
                append_json_string(to, value.text);
            }
    }
}

}  // namespace obcanal::adapter::core
