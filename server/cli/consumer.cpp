#include "server/cli/consumer.h"

#include "protocol/net/asio.h"
#include "server/cli/verbs.h"

#include <algorithm>
#include <iostream>
#include <utility>

namespace obcanal::cli {

using namespace std::chrono_literals;

namespace {

// Long enough to keep an idle connection quiet, short enough to notice a signal in time.
constexpr std::chrono::milliseconds kGetWait = 250ms;
constexpr std::chrono::milliseconds kRetryPause = 200ms;
// How long a server may take to answer what is in flight when we want to go.
constexpr std::chrono::milliseconds kLeaveTimeout = 2s;

}  // namespace

ConsumerOptions::ConsumerOptions() {
    client.server = {"127.0.0.1", 11111};
    client.destination = "example";
}

Consumer::Consumer(
    std::string verb, ConsumerOptions options, BatchHandler& handler, Foreground& foreground
)
    : verb_(std::move(verb)),
      options_(std::move(options)),
      handler_(handler),
      foreground_(foreground),
      pause_(foreground.executor()) {}

void Consumer::complain(const Error& error) const {
    std::cerr << "obcanal " << verb_ << ": " << error.detail << '\n';
    if (error.code == Errc::Io && !connected_once_ && !options_.wait)
        std::cerr << "Is a Canal server running there? --wait SECONDS waits for one.\n";
}

// What time can heal: the server is not up yet, or went away, or does not run the destination yet.
bool Consumer::worth_waiting(const Error& error) const {
    switch (error.code) {
        case Errc::Io:
        case Errc::Closed:
        case Errc::Timeout: return true;
        case Errc::Refused: return error.detail.find("should start first") != std::string::npos;
        default: return false;
    }
}

Awaitable<int> Consumer::run() {
    const std::chrono::milliseconds patience = options_.wait.value_or(0ms);
    last_entry_ = steady_now();
    give_up_ = last_entry_ + patience;
    for (;;) {
        const Result<void> done = co_await session();
        client_.reset();
        if (done || finished_ || foreground_.stopping()) co_return kExitDone;
        if (failed_ || !worth_waiting(done.error()) || steady_now() >= give_up_) {
            complain(done.error());
            co_return kExitFailed;
        }
        co_await pause_.wait_until(std::min(steady_now() + kRetryPause, give_up_));
        if (foreground_.stopping()) co_return kExitDone;
    }
}

void Consumer::stop() {
    pause_.end();
    // Without a connection there is nothing to leave in order.
    const std::chrono::milliseconds grace = client_ ? kLeaveTimeout : 0ms;
    asio::co_spawn(foreground_.executor(), quit_later(grace), asio::detached);
}

Awaitable<void> Consumer::quit_later(std::chrono::milliseconds after) {
    asio::steady_timer timer(foreground_.executor(), after);
    co_await timer.async_wait(kNoThrow);
    foreground_.quit(kExitDone);
}

// From connecting to the end: done, or the error that ended it.
Awaitable<Result<void>> Consumer::session() {
    Result<std::unique_ptr<client::CanalClient>> opened =
        co_await client::CanalClient::open(options_.client);
    if (!opened) co_return std::move(opened).error();
    client_ = std::move(opened).value();
    Result<void> subscribed = co_await client_->subscribe(options_.filter);
    if (!subscribed) co_return subscribed;
    if (!std::exchange(connected_once_, true)) handler_.on_subscribed();
    last_entry_ = steady_now();
    Result<void> consumed = co_await consume();
    if (!consumed && options_.wait) give_up_ = steady_now() + *options_.wait;
    if (!consumed && !finished_) co_return consumed;
    co_return co_await leave();
}

// Gets and acknowledges until an end is reached or something fails.
Awaitable<Result<void>> Consumer::consume() {
    client::GetSize size;
    size.fetch_size = options_.batch;
    size.wait = kGetWait;
    for (size_t i = 0; i < options_.depth; ++i) client_->ask(size);
    while (!foreground_.stopping()) {
        Result<canal::Messages> messages = co_await client_->receive();
        if (!messages) co_return std::move(messages).error();
        handler_.on_tick();
        if (messages->batch_id > 0) {
            const Result<Verdict> verdict = handler_.on_batch(*messages);
            if (!verdict) {
                finished_ = verdict.error().code == Errc::Closed;
                failed_ = !finished_;
                co_return verdict.error();
            }
            last_entry_ = steady_now();
            const bool ack = *verdict != Verdict::GiveBack && !options_.no_ack;
            if (ack) client_->ack({messages->batch_id});
            if (*verdict != Verdict::Continue) co_return Result<void>{};
        } else if (options_.idle_exit && steady_now() - last_entry_ >= *options_.idle_exit) {
            co_return Result<void>{};
        }
        client_->ask(size);
    }
    co_return Result<void>{};
}

// Takes the answers that are still under way, and gives back what they brought, so that the next
// client gets it.
Awaitable<Result<void>> Consumer::leave() {
    finished_ = true;
    while (client_->asked() > 0) {
        Result<canal::Messages> messages = co_await client_->receive();
        if (!messages) co_return std::move(messages).error();
    }
    client_->rollback();
    co_return co_await client_->flush();
}

}  // namespace obcanal::cli
