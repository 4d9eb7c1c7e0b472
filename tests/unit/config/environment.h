// Sets environment variables for the length of a test.
#pragma once

#include <cstdlib>
#include <string>

namespace obcanal::config {

class Environment {
 public:
    Environment(std::string name, const std::string& value) : name_(std::move(name)) {
        ::setenv(name_.c_str(), value.c_str(), 1);
    }
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;
    ~Environment() { ::unsetenv(name_.c_str()); }

 private:
    std::string name_;
};

}  // namespace obcanal::config
