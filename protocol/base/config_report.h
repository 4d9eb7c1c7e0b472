// What a program shows of its configuration: its findings, its values, the place that it is read
// from when nobody names one. One thread.
#pragma once

#include "protocol/base/finding.h"

#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal {

// A value with where it came from, for --print-config. Secrets are masked already.
struct PrintedValue {
    std::string scope;  // "server" or the destination; empty: there is but one
    std::string key;
    std::string value;
    std::string origin;
};

// One line per finding: "file:line: key: what". False when one of them is an error.
bool report(const std::vector<Finding>& findings, std::ostream& to);
// "key = value    # origin", values of one scope below its name.
void print_config(const std::vector<PrintedValue>& values, std::ostream& to);
// "../conf" beside the program if it holds this file, else /etc/obcanal.
std::string default_conf_dir(std::string_view file);

}  // namespace obcanal
