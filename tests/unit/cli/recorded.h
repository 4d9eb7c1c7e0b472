// Records of the packed recordings, for tests.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/oblog/recording.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace obcanal::cli {

inline std::string recording_path(const std::string& name) {
    return OBCANAL_FIXTURES "/oblog/" + name + ".logmsg";
}

inline std::vector<std::string> recorded(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    oblog::RecordingReader reader(as_bytes(bytes));
    std::vector<std::string> records;
    for (;;) {
        const auto record = reader.next();
        EXPECT_TRUE(record);
        if (!record || !*record) return records;
        records.emplace_back(as_text(**record));
    }
}

}  // namespace obcanal::cli
