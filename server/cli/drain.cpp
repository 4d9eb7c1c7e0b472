// obcanal drain: takes everything as fast as the server gives it, and says how fast that was.
#include "protocol/canal/entry_reader.h"
#include "protocol/net/asio.h"
#include "server/cli/arguments.h"
#include "server/cli/consumer.h"
#include "server/cli/foreground.h"
#include "server/cli/output.h"
#include "server/cli/verbs.h"

#include <CLI/CLI.hpp>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

namespace obcanal::cli {
namespace {

using namespace std::chrono_literals;

// While one batch is counted the next is under way.
constexpr size_t kDepth = 2;
constexpr std::chrono::milliseconds kProgressPeriod = 500ms;

class Meter : public BatchHandler {
 public:
    Meter(std::optional<uint64_t> rows, Output& progress)
        : rows_wanted_(rows.value_or(UINT64_MAX)), progress_(progress) {}

    void on_subscribed() override { last_ = next_progress_ = start_ = steady_now(); }

    Result<Verdict> on_batch(const canal::Messages& messages) override {
        canal::EntryCursor entries(messages);
        while (const std::optional<Bytes> entry = entries.next()) {
            Result<void> counted = canal::count_entry(*entry, totals_);
            if (!counted) {
                return std::move(counted).error().in("batch " + std::to_string(messages.batch_id));
            }
        }
        if (Result<void> whole = entries.end(); !whole) return std::move(whole).error();
        ++batches_;
        last_ = steady_now();
        return totals_.rows >= rows_wanted_ ? Verdict::Last : Verdict::Continue;
    }

    void on_tick() override {
        if (!progress_.is_terminal() || steady_now() < next_progress_) return;
        next_progress_ = steady_now() + kProgressPeriod;
        static_cast<void>(progress_.write("\r\x1b[K" + summary()));
    }

    void clear_progress() {
        if (progress_.is_terminal()) static_cast<void>(progress_.write("\r\x1b[K"));
    }

    std::string summary() const {
        const double seconds = std::chrono::duration<double>(last_ - start_).count();
        const auto per_second = [seconds](uint64_t count) {
            return seconds > 0 ? static_cast<double>(count) / seconds : 0.0;
        };
        std::array<char, 256> text{};
        const int size = std::snprintf(
            text.data(),
            text.size(),
            "rows=%llu entries=%llu transactions=%llu batches=%llu bytes=%llu seconds=%.3f "
            "rows/s=%.0f MB/s=%.1f",
            static_cast<unsigned long long>(totals_.rows),
            static_cast<unsigned long long>(totals_.entries),
            static_cast<unsigned long long>(totals_.transactions),
            static_cast<unsigned long long>(batches_),
            static_cast<unsigned long long>(totals_.bytes),
            seconds,
            per_second(totals_.rows),
            per_second(totals_.bytes) / 1e6
        );
        return {text.data(), static_cast<size_t>(size)};
    }

 private:
    uint64_t rows_wanted_;
    Output& progress_;
    canal::EntryTotals totals_;
    uint64_t batches_ = 0;
    // From the subscription to the last batch: waiting for an end does not count.
    SteadyTime start_ = steady_now();
    SteadyTime last_ = start_;
    SteadyTime next_progress_ = start_;
};

int drain(ConsumerOptions options) {
    Foreground foreground;
    const auto stopping = [&foreground] { return foreground.stopping(); };
    Output output(STDOUT_FILENO, stopping);
    Output progress(STDERR_FILENO, stopping);
    Meter meter(options.rows, progress);
    options.depth = kDepth;
    Consumer consumer("drain", std::move(options), meter, foreground);
    const int status = foreground.run(consumer.run(), [&consumer] { consumer.stop(); });
    meter.clear_progress();
    const Result<void> written = output.write(meter.summary() + "\n");
    return written ? status : kExitFailed;
}

}  // namespace

void add_drain(CLI::App& app, Run& chosen) {
    CLI::App* command =
        app.add_subcommand("drain", "take the changes of a destination and measure the speed");
    const auto options = std::make_shared<ConsumerOptions>();
    add_consumer_options(*command, *options);
    command->footer("--count is reached with whole batches, so a few more rows may be counted.");
    command->callback([options, &chosen] { chosen = [options] { return drain(*options); }; });
}

}  // namespace obcanal::cli
