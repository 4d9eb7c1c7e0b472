// The one logger: "time level component message key=value ...". Components keep a Logger; nothing
// logs in the row path, and code in protocol/{canal,oblog} never does: it returns errors. error =
// someone must act; warn = degraded; info = life cycle; debug = off unless asked for.
#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace obcanal {

enum class LogLevel : uint8_t { Debug, Info, Warn, Error };

// Where the lines go. Once, before the first thread starts. Empty `file`: standard error.
struct LogTarget {
    std::string file;
    size_t rotate_bytes = size_t{512} << 20;
    size_t keep_files = 14;
    LogLevel level = LogLevel::Info;
};

// False when the file can't be opened; then standard error is used.
bool open_log(const LogTarget& target);
void flush_log();

// One typed key=value.
struct LogField {
    LogField(std::string_view k, std::string_view v);
    LogField(std::string_view k, const std::string& v) : LogField(k, std::string_view(v)) {}
    LogField(std::string_view k, const char* v) : LogField(k, std::string_view(v)) {}
    LogField(std::string_view k, bool v) : key(k), value(v ? "true" : "false") {}
    LogField(std::string_view k, double v);

    template <std::integral Integer>
        requires(!std::same_as<Integer, bool>)
    LogField(std::string_view k, Integer v) : key(k), value(std::to_string(v)) {}

    std::string_view key;
    std::string value;  // quoted where it holds blanks; control characters escaped
};

// Cheap to copy. Thread-safe.
class Logger {
 public:
    explicit Logger(std::string component) : component_(std::move(component)) {}

    void debug(std::string_view message, std::initializer_list<LogField> fields = {}) const {
        write(LogLevel::Debug, message, fields);
    }

    void info(std::string_view message, std::initializer_list<LogField> fields = {}) const {
        write(LogLevel::Info, message, fields);
    }

    void warn(std::string_view message, std::initializer_list<LogField> fields = {}) const {
        write(LogLevel::Warn, message, fields);
    }

    void error(std::string_view message, std::initializer_list<LogField> fields = {}) const {
        write(LogLevel::Error, message, fields);
    }

    const std::string& component() const { return component_; }
    static bool enabled(LogLevel level);

 private:
    void write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields)
        const;

    std::string component_;
};

// Lets one line through per period and counts the rest: for causes that a peer can repeat at will.
// Thread-safe.
class LogGate {
 public:
    explicit LogGate(std::chrono::milliseconds period) : period_(period) {}

    // The number of lines held back since the last one that passed, or -1 when this one must be
    // held back.
    int64_t pass();

 private:
    std::chrono::milliseconds period_;
    std::atomic<int64_t> next_ms_{0};
    std::atomic<int64_t> held_{0};
};

}  // namespace obcanal
