#include "protocol/base/log.h"

#include "protocol/base/clock.h"
#include "protocol/base/log_file.h"
#include "protocol/base/text.h"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>

namespace obcanal {
namespace {

// Lines go into a LogFile. What a full disk has swallowed is counted, and said in the file as soon
// as there is room.
class FileSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
    explicit FileSink(const LogTarget& target)
        : file_(target.file, target.rotate_bytes, target.keep_files) {}

    bool open() {
        const std::lock_guard lock(mutex_);
        return file_.open();
    }

    void reopen() {
        const std::lock_guard lock(mutex_);
        if (file_.open()) return;
        const std::string cause = std::strerror(errno);
        write(spdlog::level::warn, "log can't open the file again, the old one goes on: " + cause);
    }

 private:
    void sink_it_(const spdlog::details::log_msg& message) override {
        if (lost_ > 0) {
            const std::string said = "log lines were lost: " + cause_;
            if (!write(spdlog::level::warn, said + " count=" + std::to_string(lost_))) {
                ++lost_;
                return;
            }
            lost_ = 0;
        }
        if (append(message)) return;
        cause_ = std::strerror(errno);
        ++lost_;
    }

    void flush_() override {}

    bool write(spdlog::level::level_enum level, std::string_view text) {
        return append({"obcanal", level, text});
    }

    bool append(const spdlog::details::log_msg& message) {
        spdlog::memory_buf_t line;
        formatter_->format(message, line);
        return file_.append({line.data(), line.size()});
    }

    LogFile file_;
    size_t lost_ = 0;
    std::string cause_;
};

spdlog::level::level_enum to_spdlog(LogLevel level) {
    switch (level) {
        case LogLevel::Debug: return spdlog::level::debug;
        case LogLevel::Info: return spdlog::level::info;
        case LogLevel::Warn: return spdlog::level::warn;
        case LogLevel::Error: return spdlog::level::err;
    }
    return spdlog::level::info;
}

std::shared_ptr<spdlog::logger> make_logger(spdlog::sink_ptr sink, LogLevel level) {
    auto logger = std::make_shared<spdlog::logger>("obcanal", std::move(sink));
    logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %l %v");
    logger->set_level(to_spdlog(level));
    logger->flush_on(spdlog::level::info);
    return logger;
}

std::shared_ptr<spdlog::logger>& current() {
    static std::shared_ptr<spdlog::logger> logger =
        make_logger(std::make_shared<spdlog::sinks::stderr_sink_mt>(), LogLevel::Info);
    return logger;
}

std::shared_ptr<FileSink>& current_file() {
    static std::shared_ptr<FileSink> sink;
    return sink;
}

std::string quoted(std::string_view value) {
    constexpr size_t kLimit = 1000;
    std::string text = printable(value, kLimit);
    if (!text.empty() && text.find_first_of(" \"=") == std::string::npos) return text;
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"') out.push_back('\\');
        out.push_back(c);
    }
    out.push_back('"');
    return out;
}

}  // namespace

bool open_log(const LogTarget& target) {
    if (target.file.empty()) {
        current_file().reset();
        current() = make_logger(std::make_shared<spdlog::sinks::stderr_sink_mt>(), target.level);
        return true;
    }
    auto sink = std::make_shared<FileSink>(target);
    if (!sink->open()) return false;
    current_file() = sink;
    current() = make_logger(std::move(sink), target.level);
    return true;
}

void reopen_log() {
    if (current_file()) current_file()->reopen();
}

void flush_log() { current()->flush(); }

void log_whole(std::string_view line) { current()->log(spdlog::level::info, "{}", line); }

LogField::LogField(std::string_view k, std::string_view v) : key(k), value(quoted(v)) {}

LogField::LogField(std::string_view k, double v) : key(k), value(fmt::format("{:.3f}", v)) {}

bool Logger::enabled(LogLevel level) { return current()->should_log(to_spdlog(level)); }

void Logger::write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields)
    const {
    if (!enabled(level)) return;
    std::string line = component_;
    line.append(" ").append(printable(message, 2000));
    for (const LogField& field : fields) {
        line.append(" ").append(field.key).append("=").append(field.value);
    }
    current()->log(to_spdlog(level), "{}", line);
}

int64_t LogGate::pass() {
    const auto now =
        std::chrono::duration_cast<std::chrono::milliseconds>(steady_now().time_since_epoch())
            .count();
    int64_t next = next_ms_.load(std::memory_order_relaxed);
    if (now < next || !next_ms_.compare_exchange_strong(next, now + period_.count())) {
        held_.fetch_add(1, std::memory_order_relaxed);
        return -1;
    }
    return held_.exchange(0, std::memory_order_relaxed);
}

}  // namespace obcanal
