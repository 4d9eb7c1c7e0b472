// All destinations together: what a change of one does to it and to the others.
#include "server/instance/instance_set.h"

#include "protocol/net/asio.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace obcanal::instance {
namespace {

using testing::ElementsAre;

class NoTracker : public source::PositionTracker {
 public:
    void consumed(const Consumed&) override {}
    void checkpoint(int64_t) override {}
    canal::LogPosition position() const override { return {}; }
};

// Is connected and silent until it is stopped.
class SilentSource : public source::Source {
 public:
    Awaitable<Error> run(std::optional<canal::LogPosition>, source::ChangeSink&) override {
        const Executor strand = co_await asio::this_coro::executor;
        timer_.emplace(strand, SteadyTime::max());
        if (!stopped_) co_await timer_->async_wait(kNoThrow);
        timer_.reset();
        co_return Error{Errc::Stopped, Retry::Never, "stopped"};
    }

    void stop() override {
        stopped_ = true;
        if (timer_) timer_->cancel();
    }

    std::unique_ptr<source::PositionTracker> tracker(std::optional<canal::LogPosition>)
        const override {
        return std::make_unique<NoTracker>();
    }

    const source::SourceState& state() const override { return state_; }

 private:
    source::SourceState state_;
    std::optional<asio::steady_timer> timer_;
    bool stopped_ = false;
};

class InstanceSetTest : public testing::Test {
 protected:
    InstanceSetTest() {
        runtime_.start();
        InstanceSet::Means means;
        means.read_config = [this](const std::string& name) { return read(name); };
        means.make_source = [this](const config::InstanceConfig&, auto, BlockingLane&, auto) {
            return make_source();
        };
        set_.emplace(runtime_, runtime_, std::move(means));
    }

    ~InstanceSetTest() override { await(set_->stop()); }

    static config::InstanceConfig config_of(const std::string& name, bool lazy = false) {
        config::InstanceConfig config;
        config.destination = name;
        config.meta = config::MetaKind::Memory;
        config.lazy = lazy;
        return config;
    }

    void start(std::vector<config::RefusedInstance> refused = {}) {
        std::vector<config::InstanceConfig> configs{config_of("one"), config_of("other")};
        await(set_->start(std::move(configs), std::move(refused)));
    }

    // What the files of a destination say from now on.
    void write(const std::string& name, Result<config::InstanceConfig> content) {
        const std::lock_guard lock(mutex_);
        files_.insert_or_assign(name, std::move(content));
    }

    static Error wrong() { return {Errc::BadConfig, Retry::Never, "one:7: key: is wrong"}; }

    InstanceStatus status(const std::string& name) {
        for (InstanceStatus& one : await(set_->status())) {
            if (one.destination == name) return std::move(one);
        }
        ADD_FAILURE() << name << " is not known";
        return {};
    }

    template <class T>
    T await(Awaitable<T> work) {
        std::promise<T> promise;
        std::future<T> future = promise.get_future();
        asio::co_spawn(
            set_->control(), finish(std::move(work), std::move(promise)), asio::detached
        );
        return future.get();
    }

    template <class T>
    static Awaitable<void> finish(Awaitable<T> work, std::promise<T> promise) {
        if constexpr (std::is_void_v<T>) {
            co_await std::move(work);
            promise.set_value();
        } else {
            T value = co_await std::move(work);
            promise.set_value(std::move(value));
        }
    }

    Runtime runtime_{2};
    std::optional<InstanceSet> set_;
    std::optional<Error> source_fails_;

 private:
    Result<config::InstanceConfig> read(const std::string& name) {
        const std::lock_guard lock(mutex_);
        const auto found = files_.find(name);
        return found == files_.end() ? config_of(name) : found->second;
    }

    Result<std::unique_ptr<source::Source>> make_source() {
        if (source_fails_) return *source_fails_;
        return std::unique_ptr<source::Source>(std::make_unique<SilentSource>());
    }

    std::mutex mutex_;
    std::map<std::string, Result<config::InstanceConfig>> files_;
};

TEST_F(InstanceSetTest, AChangedOneIsRestartedAndTheOthersAreNot) {
    start();
    const std::shared_ptr<Instance> one = set_->find("one");
    const std::shared_ptr<Instance> other = set_->find("other");
    ASSERT_TRUE(one && other);
    config::InstanceConfig changed = config_of("one");
    changed.memory_buffer_size = 64;
    write("one", changed);
    await(set_->reload("one"));
    ASSERT_TRUE(set_->find("one"));
    EXPECT_NE(set_->find("one"), one);
    EXPECT_EQ(one->phase(), Phase::Stopped);
    EXPECT_EQ(status("one").ring_slots, 64U);
    EXPECT_EQ(set_->find("other"), other);
    EXPECT_EQ(other->phase(), Phase::Running);
}

TEST_F(InstanceSetTest, WrongFilesLeaveWhatRunsAsItIs) {
    start();
    const std::shared_ptr<Instance> one = set_->find("one");
    write("one", wrong());
    await(set_->reload("one"));
    EXPECT_EQ(set_->find("one"), one);
    EXPECT_EQ(status("one").phase, Phase::Running);
    EXPECT_EQ(status("one").refused_config, "one:7: key: is wrong");
    EXPECT_EQ(status("other").refused_config, "");
    write("one", config_of("one"));
    await(set_->reload("one"));
    EXPECT_EQ(status("one").refused_config, "");
    EXPECT_NE(set_->find("one"), one);
}

TEST_F(InstanceSetTest, ARestartWithWrongFilesIsRefused) {
    start();
    const std::shared_ptr<Instance> one = set_->find("one");
    write("one", wrong());
    const Result<void> restarted = await(set_->restart_one("one"));
    ASSERT_FALSE(restarted.ok());
    EXPECT_EQ(restarted.error().detail, "one:7: key: is wrong");
    EXPECT_EQ(set_->find("one"), one);
    EXPECT_EQ(one->phase(), Phase::Running);
}

TEST_F(InstanceSetTest, AStartReadsTheFilesAgain) {
    start();
    EXPECT_TRUE(await(set_->stop_one("one")).ok());
    write("one", wrong());
    EXPECT_FALSE(await(set_->start_one("one")).ok());
    EXPECT_EQ(status("one").phase, Phase::Stopped);
    config::InstanceConfig changed = config_of("one");
    changed.memory_buffer_size = 64;
    write("one", changed);
    EXPECT_TRUE(await(set_->start_one("one")).ok());
    EXPECT_EQ(status("one").ring_slots, 64U);
}

TEST_F(InstanceSetTest, WhatWasRefusedAtStartShowsItsReasonUntilItIsMended) {
    start({{"bad", "bad:3: key: is wrong"}});
    EXPECT_TRUE(set_->knows("bad"));
    EXPECT_FALSE(set_->find("bad"));
    EXPECT_EQ(status("bad").phase, Phase::Failed);
    EXPECT_EQ(status("bad").refused_config, "bad:3: key: is wrong");
    EXPECT_FALSE(status("bad").configured);
    EXPECT_EQ(status("one").phase, Phase::Running);
    const auto asked = await(set_->find_or_start("bad"));
    ASSERT_FALSE(asked.ok());
    EXPECT_EQ(asked.error().detail, "destination:bad should start first");
    await(set_->reload("bad"));
    EXPECT_TRUE(set_->find("bad"));
    EXPECT_TRUE(status("bad").configured);
    EXPECT_EQ(status("bad").refused_config, "");
}

TEST_F(InstanceSetTest, ANewOneStartsAndARemovedOneIsForgotten) {
    start();
    await(set_->reload("third"));
    EXPECT_THAT(set_->names(), ElementsAre("one", "other", "third"));
    const std::shared_ptr<Instance> third = set_->find("third");
    ASSERT_TRUE(third);
    await(set_->remove("third"));
    EXPECT_EQ(third->phase(), Phase::Stopped);
    EXPECT_THAT(set_->names(), ElementsAre("one", "other"));
    await(set_->reload("third"));
    EXPECT_TRUE(set_->find("third"));
}

TEST_F(InstanceSetTest, ANewOneWithWrongFilesHasFailed) {
    start();
    write("third", wrong());
    await(set_->reload("third"));
    EXPECT_FALSE(set_->find("third"));
    EXPECT_EQ(status("third").phase, Phase::Failed);
    EXPECT_EQ(status("third").refused_config, "one:7: key: is wrong");
}

TEST_F(InstanceSetTest, ALazyOneWaitsForASubscriptionAfterAChangeToo) {
    start();
    write("one", config_of("one", true));
    await(set_->reload("one"));
    EXPECT_FALSE(set_->find("one"));
    EXPECT_EQ(status("one").phase, Phase::Idle);
    EXPECT_TRUE(await(set_->find_or_start("one")).ok());
    EXPECT_TRUE(set_->find("one"));
}

TEST_F(InstanceSetTest, ASourceThatCannotBeMadeFailsThatDestinationOnly) {
    start();
    source_fails_ = Error{Errc::Unsupported, Retry::Never, "no such source"};
    await(set_->reload("one"));
    EXPECT_EQ(status("one").phase, Phase::Failed);
    EXPECT_EQ(status("one").failure, "no such source");
    EXPECT_EQ(status("other").phase, Phase::Running);
}

}  // namespace
}  // namespace obcanal::instance
