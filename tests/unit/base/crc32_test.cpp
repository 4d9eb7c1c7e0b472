// The checksum by carry-less multiplication equals zlib's, at every length and alignment.
#include "protocol/base/crypto.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>

namespace obcanal {
namespace {

TEST(Crc32, KnownValue) { EXPECT_EQ(crc32(as_bytes("123456789")), 0xCBF43926U); }

TEST(Crc32, EqualsZlib) {
    std::string text(4096 + 16, '\0');
    uint32_t state = 1;
    for (char& c : text) {
        state = state * 1664525 + 1013904223;
        c = static_cast<char>(state >> 24);
    }
    for (size_t offset = 0; offset < 16; ++offset) {
        for (size_t size = 0; size < 600; ++size) {
            const Bytes part = as_bytes(text).subspan(offset, size);
            const auto wanted = static_cast<uint32_t>(::crc32(
                0, reinterpret_cast<const unsigned char*>(part.data()), static_cast<uInt>(size)
            ));
            ASSERT_EQ(crc32(part), wanted) << offset << " " << size;
        }
    }
    const Bytes all = as_bytes(text);
    EXPECT_EQ(
        crc32(all),
        static_cast<uint32_t>(::crc32(
            0, reinterpret_cast<const unsigned char*>(all.data()), static_cast<uInt>(all.size())
        ))
    );
}

}  // namespace
}  // namespace obcanal
