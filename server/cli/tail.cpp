// obcanal tail: a Canal client in a terminal.
#include "protocol/net/asio.h"
#include "server/cli/arguments.h"
#include "server/cli/binlog_files.h"
#include "server/cli/consumer.h"
#include "server/cli/entry_json.h"
#include "server/cli/entry_line.h"
#include "server/cli/foreground.h"
#include "server/cli/output.h"
#include "server/cli/verbs.h"

#include <CLI/CLI.hpp>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace obcanal::cli {
namespace {

struct TailOptions {
    ConsumerOptions consumer;
    std::string format = "pretty";
    std::string colour = "auto";
    bool full = false;
    std::vector<std::string> binlog_files;
};

class Printer : public BatchHandler {
 public:
    Printer(Output& output, std::unique_ptr<EntryFormat> format, std::optional<uint64_t> rows)
        : output_(output), format_(std::move(format)), rows_left_(rows.value_or(UINT64_MAX)) {}

    Result<Verdict> on_batch(const canal::Messages& messages) override {
        canal::EntryCursor entries(messages);
        std::optional<Bytes> entry = entries.next();
        for (uint64_t number = 1; entry && rows_left_ > 0; ++number, entry = entries.next()) {
            const uint64_t limit = rows_left_;
            Result<uint64_t> rows = format_->append(*entry, limit, text_);
            if (!rows) {
                return std::move(rows).error().in(
                    "batch " + std::to_string(messages.batch_id) + ", entry " +
                    std::to_string(number)
                );
            }
            rows_left_ -= std::min(*rows, limit);
            if (text_.size() < kFlushBytes) continue;
            if (Result<void> written = flush(); !written) return std::move(written).error();
        }
        if (Result<void> written = flush(); !written) return std::move(written).error();
        if (Result<void> whole = entries.end(); !whole) return std::move(whole).error();
        if (rows_left_ > 0) return Verdict::Continue;
        return entry ? Verdict::GiveBack : Verdict::Last;
    }

 private:
    static constexpr size_t kFlushBytes = size_t{1} << 20;

    Result<void> flush() {
        Result<void> written = output_.write(text_);
        text_.clear();
        return written;
    }

    Output& output_;
    std::unique_ptr<EntryFormat> format_;
    uint64_t rows_left_;
    std::string text_;
};

std::unique_ptr<EntryFormat> make_format(const TailOptions& options, const Output& output) {
    if (options.format == "jsonl") return std::make_unique<EntryJson>();
    constexpr size_t kNarrowest = 80;
    constexpr size_t kValueWidth = 40;
    LineStyle style;
    style.colour = options.colour == "always" || (options.colour == "auto" && output.is_terminal());
    if (!options.full) {
        style.value_width = kValueWidth;
        if (output.is_terminal()) style.width = std::max(kNarrowest, output.width());
    }
    return std::make_unique<EntryLine>(style);
}

// Without a server: what a destination that reads these logs would send.
int tail_files(TailOptions options) {
    constexpr size_t kFlushBytes = size_t{1} << 16;
    Foreground foreground;
    Output output(STDOUT_FILENO, [&foreground] { return foreground.stopping(); });
    const std::unique_ptr<EntryFormat> format = make_format(options, output);
    config::InstanceConfig config;
    if (!options.consumer.filter.empty()) config.filter_regex = options.consumer.filter;
    uint64_t rows_left = options.consumer.rows.value_or(UINT64_MAX);
    std::string text;
    const auto flush = [&]() -> Result<void> {
        Result<void> written = output.write(text);
        text.clear();
        return written;
    };
    const EntryTaker take = [&](Bytes entry) -> Result<bool> {
        Result<uint64_t> rows = format->append(entry, rows_left, text);
        if (!rows) return std::move(rows).error();
        rows_left -= std::min(*rows, rows_left);
        if (text.size() >= kFlushBytes || foreground.stopping()) {
            if (Result<void> written = flush(); !written) return std::move(written).error();
        }
        return rows_left > 0 && !foreground.stopping();
    };
    const Result<void> read = read_binlog_files(options.binlog_files, config, take);
    const Result<void> written = flush();
    const Error* failed = nullptr;
    if (!read) failed = &read.error();
    if (read && !written) failed = &written.error();
    if (failed == nullptr || failed->code == Errc::Closed || failed->code == Errc::Stopped)
        return kExitDone;
    std::cerr << "obcanal tail: " << failed->detail << '\n';
    return kExitFailed;
}

int tail(TailOptions options) {
    if (!options.binlog_files.empty()) return tail_files(std::move(options));
    Foreground foreground;
    Output output(STDOUT_FILENO, [&foreground] { return foreground.stopping(); });
    Printer printer(output, make_format(options, output), options.consumer.rows);
    Consumer consumer("tail", std::move(options.consumer), printer, foreground);
    return foreground.run(consumer.run(), [&consumer] { consumer.stop(); });
}

}  // namespace

void add_tail(CLI::App& app, Run& chosen) {
    CLI::App* command = app.add_subcommand("tail", "print the changes of a destination");
    const auto options = std::make_shared<TailOptions>();
    add_consumer_options(*command, options->consumer);
    command
        ->add_option(
            "--format",
            options->format,
            "pretty: one line per row; jsonl: one line per entry with all its fields"
        )
        ->capture_default_str()
        ->check(CLI::IsMember({"pretty", "jsonl"}));
    command->add_option("--color", options->colour, "colours: on a terminal, always or never")
        ->capture_default_str()
        ->check(CLI::IsMember({"auto", "always", "never"}));
    command->add_flag("--full", options->full, "pretty: never cut a value or a line");
    command
        ->add_option(
            "--binlog-file",
            options->binlog_files,
            "read these binary logs of a MySQL or MariaDB server instead of asking an obcanal "
            "server"
        )
        ->type_name("FILE");
    command->footer(
        "A batch is acknowledged when it is printed. With --count ending inside a batch, that "
        "batch is given back whole."
    );
    command->callback([options, &chosen] { chosen = [options] { return tail(*options); }; });
}

}  // namespace obcanal::cli
