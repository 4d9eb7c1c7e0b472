// Character sets by MySQL's names, as its servers convert them to utf8mb4.
#include "protocol/base/text.h"

#include <gtest/gtest.h>

#include <string>

namespace obcanal {
namespace {

std::string decoded(std::string_view charset, std::string_view bytes) {
    std::string out;
    CharsetDecoder::open(charset)->decode(as_bytes(bytes), out);
    return out;
}

TEST(Charset, Latin1HasACharacterForEveryByte) {
    std::string all;
    for (int byte = 1; byte < 256; ++byte) all += static_cast<char>(byte);
    const std::string text = decoded("latin1", all);
    EXPECT_EQ(text.find("\xef\xbf\xbd"), std::string::npos);
    EXPECT_EQ(decoded("latin1", "\x80\xe9\x9f"), "€éŸ");
    // Where Windows-1252 has nothing, a server says the control character of that number.
    EXPECT_EQ(decoded("LATIN1", "6\x81\x8d\x8f\x90\x9d\xff"), "6\u0081\u008d\u008f\u0090\u009dÿ");
}

TEST(Charset, WhatIsNoCharacterIsReplaced) {
    EXPECT_EQ(
        decoded(
            "gbk",
            "\xd6\xd0\xff"
            "a"
        ),
        "中\xef\xbf\xbd"
        "a"
    );
    EXPECT_EQ(
        decoded("cp1251", "\x98\xe0"),
        "\xef\xbf\xbd"
        "а"
    );
    EXPECT_EQ(decoded("ascii", "a\x81"), "a\xef\xbf\xbd");
    EXPECT_FALSE(CharsetDecoder::open("klingon").has_value());
}

}  // namespace
}  // namespace obcanal
