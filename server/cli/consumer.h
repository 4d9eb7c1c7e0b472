// What `tail` and `drain` have in common: a Canal client that gets, hands each batch over and
// acknowledges it, waits for a server that is not there yet, and leaves nothing unacknowledged
// behind. Everything on the Foreground's executor.
#pragma once

#include "protocol/base/clock.h"
#include "protocol/base/result.h"
#include "protocol/client/canal_client.h"
#include "protocol/net/awaitable.h"
#include "server/cli/foreground.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace obcanal::cli {

struct ConsumerOptions {
    ConsumerOptions();

    client::CanalClientOptions client;
    std::string filter;
    int32_t batch = 1000;
    std::optional<uint64_t> rows;
    std::optional<std::chrono::milliseconds> idle_exit;
    std::optional<std::chrono::milliseconds> wait;
    bool no_ack = false;
    size_t depth = 1;  // gets in flight
};

// What becomes of a batch.
enum class Verdict : uint8_t {
    Continue,  // acknowledge it
    Last,      // acknowledge it and end
    GiveBack,  // end without acknowledging it: not all of it was wanted
};

class BatchHandler {
 public:
    virtual ~BatchHandler() = default;
    virtual void on_subscribed() {}
    // Errc::Closed: nobody wants more; ends the verb without a fault.
    virtual Result<Verdict> on_batch(const canal::Messages& messages) = 0;
    // Called at least every quarter of a second.
    virtual void on_tick() {}
};

class Consumer {
 public:
    // `verb`: for messages to standard error.
    Consumer(
        std::string verb, ConsumerOptions options, BatchHandler& handler, Foreground& foreground
    );

    // The exit status.
    Awaitable<int> run();
    // Executor. Ends run() soon, in an orderly way where the server answers.
    void stop();

 private:
    Awaitable<Result<void>> session();
    Awaitable<Result<void>> consume();
    Awaitable<Result<void>> leave();
    Awaitable<void> quit_later(std::chrono::milliseconds after);
    bool worth_waiting(const Error& error) const;
    void complain(const Error& error) const;

    std::string verb_;
    ConsumerOptions options_;
    BatchHandler& handler_;
    Foreground& foreground_;
    Pause pause_;
    std::unique_ptr<client::CanalClient> client_;
    bool connected_once_ = false;
    bool finished_ = false;  // all that was wanted was delivered
    bool failed_ = false;    // on our side
    SteadyTime last_entry_;
    SteadyTime give_up_;
};

}  // namespace obcanal::cli
