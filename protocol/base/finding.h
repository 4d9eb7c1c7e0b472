// What is wrong or doubtful about a configuration, collected while it is read. One thread.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace obcanal {

struct Finding {
    enum class Severity : uint8_t { Error, Warning };

    Severity severity = Severity::Error;
    std::string where;  // "conf/example/instance.properties:14", "environment", "command line"
    std::string key;
    std::string what;
    // The destination that it concerns; empty: the whole program.
    std::string scope;
};

// "file:line: key: what", bytes that can't be printed made visible.
std::string finding_text(const Finding& finding);

// Keeps each warning once, however many destinations share the line that causes it; an error
// once for each destination that it stops.
class FindingList {
 public:
    void error(std::string where, std::string key, std::string what) {
        add({Finding::Severity::Error, std::move(where), std::move(key), std::move(what), scope_});
    }

    void warning(std::string where, std::string key, std::string what) {
        add({Finding::Severity::Warning, std::move(where), std::move(key), std::move(what), scope_}
        );
    }

    // Of the findings that follow.
    void set_scope(std::string destination) { scope_ = std::move(destination); }
    bool has_error(const std::string& scope) const { return !errors_of(scope).empty(); }
    // "file:line: key: what" of the errors in that scope, joined; of many the first few.
    std::string errors_of(const std::string& scope) const;
    std::vector<Finding> take() { return std::move(findings_); }

 private:
    void add(Finding finding);

    std::string scope_;
    std::vector<Finding> findings_;
    std::set<std::string> seen_;
};

}  // namespace obcanal
