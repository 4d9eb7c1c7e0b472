// Recordings for the tests of protocol/oblog.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/oblog/log_record.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace obcanal::oblog {

inline constexpr size_t kLimit = size_t{1} << 30;

inline std::string fixture_path(const std::string& name) {
    return std::string(OBCANAL_FIXTURES) + "/oblog/" + name;
}

inline std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    EXPECT_TRUE(file.good()) << path;
    return {std::istreambuf_iterator<char>(file), {}};
}

inline std::string read_fixture(const std::string& name) { return read_file(fixture_path(name)); }

// The records of NAME.logmsg, read without the code under test.
inline std::vector<std::string> recorded(const std::string& name) {
    const std::string file = read_fixture(name + ".logmsg");
    std::vector<std::string> records;
    for (size_t at = 0; at + 4 <= file.size();) {
        const auto length = load_be<uint32_t>(as_bytes(file).data() + at);
        records.push_back(file.substr(at + 4, length));
        at += 4 + size_t{length};
    }
    EXPECT_FALSE(records.empty());
    return records;
}

}  // namespace obcanal::oblog
