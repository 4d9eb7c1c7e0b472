#include "protocol/base/log.h"

#include "protocol/base/clock.h"
#include "protocol/base/text.h"

#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

namespace obcanal {
namespace {

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
        current() = make_logger(std::make_shared<spdlog::sinks::stderr_sink_mt>(), target.level);
        return true;
    }
    try {
        current() = make_logger(
            std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
                target.file, target.rotate_bytes, target.keep_files
            ),
            target.level
        );
        return true;
    } catch (const spdlog::spdlog_ex&) {
        return false;
    }
}

void flush_log() { current()->flush(); }

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
