// The recorded entries of the reference server, as far as the tests of this folder need them.
#pragma once

#include "protocol/base/json.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::schema {

inline std::vector<std::string> lines_of(const std::string& path) {
    std::ifstream file(path);
    EXPECT_TRUE(file) << path;
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
}

inline std::string text_member(const boost::json::object& object, std::string_view key) {
    const boost::json::value* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

inline bool bool_member(const boost::json::object& object, std::string_view key) {
    const boost::json::value* value = object.if_contains(key);
    return value != nullptr && value->is_bool() && value->as_bool();
}

// Entries with a rowChange, in order.
struct GoldenEntry {
    boost::json::object header;
    boost::json::object row_change;
};

inline std::vector<GoldenEntry> golden_entries(const std::string& file) {
    std::vector<GoldenEntry> out;
    for (const std::string& line : lines_of(std::string(OBCANAL_FIXTURES) + "/" + file)) {
        const Result<boost::json::value> read = parse_json(line);
        EXPECT_TRUE(read.ok()) << line;
        if (!read.ok()) continue;
        const boost::json::object& entry = read->as_object();
        const boost::json::value* change = entry.if_contains("rowChange");
        if (change == nullptr || !change->is_object()) continue;
        out.push_back({entry.at("header").as_object(), change->as_object()});
    }
    return out;
}

}  // namespace obcanal::schema
