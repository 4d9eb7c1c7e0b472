// Keys that others hold, found by their hash.
#include "adapter/core/key_table.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace obcanal::adapter::core {
namespace {

class KeyTableTest : public testing::Test {
 protected:
    uint32_t put(const std::string& key, size_t hash) {
        const auto is_it = [&](uint32_t number) { return keys_[number] == key; };
        const auto next = static_cast<uint32_t>(keys_.size());
        const uint32_t number = table_.find_or_add(hash, next, is_it);
        if (number == next) keys_.push_back(key);
        return number;
    }
    uint32_t put(const std::string& key) { return put(key, hash_text(key)); }

    std::optional<uint32_t> find(const std::string& key, size_t hash) const {
        return table_.find(hash, [&](uint32_t number) { return keys_[number] == key; });
    }
    std::optional<uint32_t> find(const std::string& key) const { return find(key, hash_text(key)); }

    KeyTable table_;
    std::vector<std::string> keys_;
};

TEST_F(KeyTableTest, EachKeyHasOneNumber) {
    EXPECT_EQ(find("0"), std::nullopt);
    constexpr uint32_t kKeys = 10'000;
    for (int round = 0; round < 2; ++round) {
        for (uint32_t i = 0; i < kKeys; ++i) ASSERT_EQ(put(std::to_string(i)), i);
    }
    EXPECT_EQ(keys_.size(), kKeys);
    EXPECT_EQ(find("9999"), 9999U);
    EXPECT_EQ(find("10000"), std::nullopt);
}

TEST_F(KeyTableTest, EqualHashesAreNoEqualKeys) {
    for (uint32_t i = 0; i < 200; ++i) ASSERT_EQ(put(std::to_string(i), 77), i);
    EXPECT_EQ(find("150", 77), 150U);
    EXPECT_EQ(find("200", 77), std::nullopt);
    EXPECT_EQ(find("150", 78), std::nullopt);
}

TEST_F(KeyTableTest, NothingIsLeftAfterClear) {
    for (const int keys : {1'000, 3, 50}) {  // its memory is kept, and given back
        for (int i = 0; i < keys; ++i) put(std::to_string(i));
        EXPECT_EQ(find("2"), 2U);
        table_.clear();
        keys_.clear();
        EXPECT_EQ(find("2"), std::nullopt);
    }
}

TEST(HashTextTest, LengthCounts) {
    EXPECT_NE(hash_text(std::string_view("\0", 1)), hash_text(std::string_view("\0\0", 2)));
    EXPECT_NE(hash_text("12345678"), hash_text(std::string_view("12345678\0", 9)));
}

}  // namespace
}  // namespace obcanal::adapter::core
