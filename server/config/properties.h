// One .properties file as Java reads it (comments, separators, continuation lines, escapes), with
// the line of each key kept for messages. Text is UTF-8 when it is valid as such, else ISO-8859-1.
// Immutable after reading, any thread.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/result.h"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::config {

// Bounds on what is read: a configuration of thousands of destinations stays far below.
constexpr size_t kMaxPropertiesBytes = size_t{1} << 20;
constexpr size_t kMaxPropertiesLines = 20'000;

struct Property {
    std::string value;
    size_t line = 0;  // the logical line's first
};

class Properties {
 public:
    // Something about a line that is wrong (`error`) or surprising; the rest is read all the same.
    struct Remark {
        size_t line = 0;
        bool error = false;
        std::string key;
        std::string what;
    };

    Properties() = default;
    // `name`: the file as messages call it.
    static Properties parse(Bytes text, std::string name);
    // NotFound when there is no such file; Io or BadConfig when it can't be read or is too large.
    static Result<Properties> read(const std::string& path);

    const Property* find(std::string_view key) const;
    const std::map<std::string, Property, std::less<>>& entries() const { return entries_; }
    const std::vector<Remark>& remarks() const { return remarks_; }
    const std::string& name() const { return name_; }
    std::string at(size_t line) const { return name_ + ":" + std::to_string(line); }

 private:
    void add_line(std::string_view logical, size_t line);

    std::string name_;
    std::map<std::string, Property, std::less<>> entries_;
    std::vector<Remark> remarks_;
};

// What is in the file, at most `limit` bytes; errors as Properties::read gives them.
Result<std::string> read_small_file(const std::string& path, size_t limit);

}  // namespace obcanal::config
