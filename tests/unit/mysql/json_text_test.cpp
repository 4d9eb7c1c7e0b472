// Binary JSON as text. Documents are built here byte by byte, as MySQL lays them out.
#include "protocol/mysql/json_text.h"

#include "protocol/base/text.h"
#include "protocol/mysql/wire.h"

#include <gtest/gtest.h>

#include <bit>
#include <utility>
#include <vector>

namespace obcanal::mysql {
namespace {

struct Node {
    uint8_t type;
    std::string bytes;
};

Node literal(uint8_t which) { return {4, std::string(1, static_cast<char>(which))}; }

Node integer(uint8_t type, uint64_t value, size_t size) {
    Node node{type, {}};
    append_le(node.bytes, value, size);
    return node;
}

Node int16(int value) { return integer(5, static_cast<uint64_t>(value), 2); }

Node number(double value) { return integer(11, std::bit_cast<uint64_t>(value), 8); }

std::string sized(const std::string& text) {
    std::string bytes;
    size_t size = text.size();
    for (; size >= 0x80; size >>= 7) bytes += static_cast<char>(size | 0x80);
    bytes += static_cast<char>(size);
    return bytes + text;
}

Node string(const std::string& text) { return {12, sized(text)}; }

Node opaque(uint8_t field_type, const std::string& hex) {
    return {15, std::string(1, static_cast<char>(field_type)) + sized(*from_hex(hex))};
}

bool inlined(const Node& node, bool large) {
    return node.type == 4 || node.type == 5 || node.type == 6 ||
           (large && (node.type == 7 || node.type == 8));
}

Node container(
    const std::vector<std::string>& keys, const std::vector<Node>& values, bool object, bool large
) {
    const size_t offset_size = large ? 4 : 2;
    const size_t entries =
        2 * offset_size + keys.size() * (offset_size + 2) + values.size() * (1 + offset_size);
    std::string key_entries;
    std::string value_entries;
    std::string rest;
    for (const std::string& key : keys) {
        append_le(key_entries, entries + rest.size(), offset_size);
        append_le(key_entries, key.size(), 2);
        rest += key;
    }
    for (const Node& value : values) {
        append_le(value_entries, value.type, 1);
        if (inlined(value, large)) {
            std::string cell = value.bytes;
            cell.resize(offset_size, '\0');
            value_entries += cell;
        } else {
            append_le(value_entries, entries + rest.size(), offset_size);
            rest += value.bytes;
        }
    }
    Node node{static_cast<uint8_t>((object ? 0 : 2) + (large ? 1 : 0)), {}};
    append_le(node.bytes, values.size(), offset_size);
    append_le(node.bytes, entries + rest.size(), offset_size);
    node.bytes += key_entries + value_entries + rest;
    return node;
}

Node array(const std::vector<Node>& values, bool large = false) {
    return container({}, values, false, large);
}

Node object(const std::vector<std::pair<std::string, Node>>& members, bool large = false) {
    std::vector<std::string> keys;
    std::vector<Node> values;
    for (const auto& [key, value] : members) {
        keys.push_back(key);
        values.push_back(value);
    }
    return container(keys, values, true, large);
}

std::string document(const Node& node) {
    return std::string(1, static_cast<char>(node.type)) + node.bytes;
}

std::string json(const std::string& bytes) {
    ReverseWriter out(16);
    return write_json(as_bytes(bytes), out) ? std::string(as_text(out.bytes())) : "malformed";
}

std::string json(const Node& node) { return json(document(node)); }

TEST(JsonText, Layout) {
    EXPECT_EQ(
        json(object({{"a", int16(1)}, {"b", array({int16(1), int16(2)})}})),
        R"({"a": 1, "b": [1, 2]})"
    );
    EXPECT_EQ(json(object({})), "{}");
    EXPECT_EQ(json(array({})), "[]");
    EXPECT_EQ(
        json(object({{"", array({object({{"k", string("v")}})})}}, true)), R"({"": [{"k": "v"}]})"
    );
    EXPECT_EQ(json(std::string()), "");
}

TEST(JsonText, Scalars) {
    EXPECT_EQ(json(literal(0)), "null");
    EXPECT_EQ(json(literal(1)), "true");
    EXPECT_EQ(json(literal(2)), "false");
    EXPECT_EQ(json(int16(-32768)), "-32768");
    EXPECT_EQ(json(integer(6, 65535, 2)), "65535");
    EXPECT_EQ(json(integer(7, static_cast<uint64_t>(-70000), 4)), "-70000");
    EXPECT_EQ(json(integer(8, 4294967295, 4)), "4294967295");
    EXPECT_EQ(json(integer(9, uint64_t{1} << 63, 8)), "-9223372036854775808");
    EXPECT_EQ(json(integer(10, ~uint64_t{0}, 8)), "18446744073709551615");
    EXPECT_EQ(json(number(1.0)), "1.0");
    EXPECT_EQ(json(number(1e20)), "1.0E20");
    // In large containers 32-bit numbers stand in the entry, in small ones behind it.
    EXPECT_EQ(json(array({integer(8, 70000, 4)}, false)), "[70000]");
    EXPECT_EQ(json(array({integer(8, 70000, 4)}, true)), "[70000]");
}

TEST(JsonText, Strings) {
    EXPECT_EQ(json(string("")), "\"\"");
    EXPECT_EQ(json(string("\"\n\b\x7f")), "\"\\\"\\n\\u0008\\u007f\"");
    EXPECT_EQ(json(string("\\\r\t\f\x1f")), "\"\\\\\\r\\t\\u000c\\u001f\"");
    EXPECT_EQ(json(string("é中😀")), "\"é中😀\"");
    EXPECT_EQ(json(string("a\xC2\x80\xC2\xA0\xC2\xA1z")), "\"a\\u0080\\u00a0\xC2\xA1z\"");
    EXPECT_EQ(json(string("x\xFFy")), "\"x\xEF\xBF\xBDy\"");
    const std::string longest(100000, '"');
    std::string escaped = "\"";
    for (size_t i = 0; i < longest.size(); ++i) escaped += "\\\"";
    EXPECT_EQ(json(string(longest)), escaped + "\"");
    EXPECT_EQ(json(object({{"q\"", literal(0)}})), R"({"q\"": null})");
}

TEST(JsonText, OpaqueValues) {
    EXPECT_EQ(json(opaque(246, "04028132")), "1.50");
    EXPECT_EQ(json(opaque(246, "04028100")), "1.0");
    const auto packed = [](uint8_t type, int64_t whole, int64_t fraction) {
        std::string value;
        append_le(value, static_cast<uint64_t>(whole * (1 << 24) + fraction), 8);
        return opaque(type, to_hex(as_bytes(value)));
    };
    const int64_t noon = 12 << 12 | 30 << 6;
    EXPECT_EQ(json(packed(11, noon, 0)), "\"12:30:00.000000\"");
    EXPECT_EQ(json(packed(11, -noon, -5)), "\"-12:30:00.000005\"");
    EXPECT_EQ(json(packed(11, 100 << 12, 0)), "\"100:00:00.000000\"");
    EXPECT_EQ(json(packed(11, 0, 0)), "\"00:00:00\"");
    const int64_t day = ((int64_t{2024} * 13 + 1) << 5 | 2) << 17;
    EXPECT_EQ(json(packed(12, day | 3 << 12 | 4 << 6 | 5, 6)), "\"2024-01-02 03:04:05.000006\"");
    EXPECT_EQ(json(packed(10, day, 0)), "\"2024-01-02 00:00:00.000000\"");
    EXPECT_EQ(json(packed(7, 0, 0)), "\"0000-00-00 00:00:00\"");
    EXPECT_EQ(json(opaque(252, "610a62")), "\"a\\nb\"");
    EXPECT_EQ(json(opaque(252, "")), "\"\"");
}

TEST(JsonText, EveryCutIsMalformedOrSound) {
    const std::string whole = document(object(
        {{"a", array({string("text"), number(2.5), opaque(246, "04028132")})},
         {"b", object({{"c", literal(1)}}, true)}}
    ));
    ASSERT_EQ(json(whole), R"({"a": ["text", 2.5, 1.50], "b": {"c": true}})");
    for (size_t size = 1; size < whole.size(); ++size)
        EXPECT_EQ(json(whole.substr(0, size)), "malformed") << size;
    EXPECT_EQ(json(document({13, ""})), "malformed");
    EXPECT_EQ(json(document({4, "\x03"})), "malformed");
}

TEST(JsonText, MalformedLeavesNothingBehind) {
    ReverseWriter out(16);
    out.reserve(8);
    out.copy("tail");
    const std::string bad = document(array({literal(1), {13, "x"}, literal(1)}));
    EXPECT_FALSE(write_json(as_bytes(bad), out));
    EXPECT_EQ(as_text(out.bytes()), "tail");
}

// Offsets that all point to the same child would make a small document endless.
TEST(JsonText, SharedChildrenAreRefused) {
    std::string bytes(1, '\x02');
    constexpr size_t kCount = 8;
    // Each of the 8 elements of each of 20 arrays is the next array.
    std::string body;
    constexpr size_t kSize = 4 + 3 * kCount;
    for (size_t level = 0; level < 20; ++level) {
        append_le(body, kCount, 2);
        append_le(body, kSize * (20 - level), 2);
        for (size_t i = 0; i < kCount; ++i) {
            append_le(body, 2, 1);
            append_le(body, kSize, 2);
        }
    }
    EXPECT_EQ(json(bytes + body), "malformed");
    // An array that contains itself.
    std::string own(1, '\x02');
    append_le(own, 1, 2);
    append_le(own, 7, 2);
    append_le(own, 2, 1);
    append_le(own, 0, 2);
    EXPECT_EQ(json(own), "malformed");
}

TEST(JsonText, AsDeepAsTheServerAllows) {
    Node node = array({});
    std::string text = "[]";
    for (int depth = 1; depth < 100; ++depth) {
        node = array({node}, true);
        text = "[" + text + "]";
    }
    EXPECT_EQ(json(node), text);
    EXPECT_EQ(json(array({node}, true)), "malformed");
}

std::string difference(uint8_t operation, const std::string& path, const std::string& value = "") {
    std::string bytes(1, static_cast<char>(operation));
    append_length_text(bytes, path);
    if (operation != 2) append_length_text(bytes, value);
    return bytes;
}

std::string differences(const std::string& bytes) {
    ReverseWriter out(16);
    return write_json_difference(as_bytes(bytes), "c", out) ? std::string(as_text(out.bytes()))
                                                            : "malformed";
}

TEST(JsonDifference, FunctionCalls) {
    const std::string two = document(int16(2));
    EXPECT_EQ(differences(difference(0, "$.a", two)), "JSON_REPLACE(c, '$.a', 2)");
    EXPECT_EQ(differences(difference(1, "$.a", two)), "JSON_INSERT(c, '$.a', 2)");
    EXPECT_EQ(differences(difference(1, "$[0]", two)), "JSON_ARRAY_INSERT(c, '$[0]', 2)");
    EXPECT_EQ(differences(difference(2, "$.a")), "JSON_REMOVE(c, '$.a')");
    EXPECT_EQ(differences(""), "c");
    // One call for operations of one kind in a row, the last operation outermost.
    EXPECT_EQ(
        differences(difference(0, "$.a", two) + difference(0, "$.b", document(string("x")))),
        "JSON_REPLACE(c, '$.a', 2, '$.b', \"x\")"
    );
    EXPECT_EQ(
        differences(difference(0, "$.a", two) + difference(2, "$.b") + difference(2, "$.c")),
        "JSON_REMOVE(JSON_REPLACE(c, '$.a', 2), '$.b', '$.c')"
    );
}

TEST(JsonDifference, MalformedIsRefused) {
    const std::string good = difference(0, "$.a", document(int16(2)));
    for (size_t size = 1; size < good.size(); ++size)
        EXPECT_EQ(differences(good.substr(0, size)), "malformed") << size;
    EXPECT_EQ(differences(difference(3, "$.a", document(int16(2)))), "malformed");
    EXPECT_EQ(differences(difference(0, "$.a", "")), "malformed");
    EXPECT_EQ(differences(difference(0, "$.a", "\x0d")), "malformed");
}

}  // namespace
}  // namespace obcanal::mysql
