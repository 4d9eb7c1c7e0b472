#include "adapter/core/load_progress.h"

#include "protocol/base/json.h"

#include <algorithm>
#include <cmath>

namespace obcanal::adapter::core {
namespace {

// Rows that come meanwhile make more than all.
constexpr double kNearlyAll = 99.9;

double rounded(double value) { return std::round(value * 10) / 10; }

}  // namespace

std::string LoadFigures::text() const {
    boost::json::object object{
        {"task", task},
        {"table", table},
        {"state", state},
        {"rows", rows},
        {"seconds", rounded(seconds)},
        {"rowsPerSecond", std::round(rate)}
    };
    if (total > 0) object["total"] = total;
    if (percent >= 0) object["percent"] = rounded(percent);
    if (remaining_seconds >= 0) object["remainingSeconds"] = std::round(remaining_seconds);
    if (!cause.empty()) object["cause"] = cause;
    return to_json_text(object);
}

void LoadProgress::begin(
    const std::string& task, const std::string& table, uint64_t rows, uint64_t total
) {
    const std::lock_guard lock(mutex_);
    now_ = {};
    now_.task = task;
    now_.table = table;
    now_.state = "running";
    now_.rows = rows;
    now_.total = total;
    before_ = rows;
    start_ = steady_now();
}

void LoadProgress::add(uint64_t rows) {
    const std::lock_guard lock(mutex_);
    now_.rows += rows;
}

void LoadProgress::end(const std::string& state, const std::string& cause) {
    const std::lock_guard lock(mutex_);
    if (now_.task.empty()) return;
    now_.state = state;
    now_.cause = cause;
    end_ = steady_now();
}

std::optional<LoadFigures> LoadProgress::figures() const {
    const std::lock_guard lock(mutex_);
    if (now_.task.empty()) return std::nullopt;
    LoadFigures figures = now_;
    const SteadyTime until = figures.running() ? steady_now() : end_;
    figures.seconds = std::chrono::duration<double>(until - start_).count();
    if (figures.seconds > 0)
        figures.rate = static_cast<double>(now_.rows - before_) / figures.seconds;
    if (figures.state == "done") {
        figures.percent = 100;
    } else if (now_.total > 0) {
        const double part = static_cast<double>(now_.rows) / static_cast<double>(now_.total);
        figures.percent = std::min(kNearlyAll, part * 100);
        if (figures.running() && figures.rate > 0 && now_.total > now_.rows) {
            figures.remaining_seconds = static_cast<double>(now_.total - now_.rows) / figures.rate;
        }
    }
    return figures;
}

}  // namespace obcanal::adapter::core
