// The instance set in a cluster: which destinations it stands by for, takes, serves and gives up.
#include "protocol/net/run_on.h"
#include "server/instance/destination.h"
#include "server/instance/instance_set.h"

#include <algorithm>
#include <utility>

namespace obcanal::instance {
namespace {

constexpr std::chrono::seconds kRetryPeriod{10};
constexpr std::chrono::seconds kLookAgain{1};
constexpr std::chrono::milliseconds kMostBetweenSigns{2000};
// A destination that others should take is left to them for so long.
constexpr std::chrono::milliseconds kLeave{500};
// Consumers come and go without news from ZooKeeper.
constexpr std::chrono::minutes kBalanceAgain{1};

Error not_led() { return {Errc::Stopped, Retry::Backoff, "the destination is not led"}; }

Result<void> held(const InstanceSet::Leader& leader) {
    const std::shared_ptr<ha::Term> term = leader->term();
    return term ? term->held() : not_led();
}

}  // namespace

// The first time, joins in.
void InstanceSet::enter_cluster(std::shared_ptr<Destination> one) {
    if (one->leadership || one->config.meta != config::MetaKind::ZooKeeper) return;
    one->leadership = std::make_shared<ha::Leadership>(
        means_.cluster.zookeeper, one->name, means_.cluster.address
    );
    one->news = std::make_shared<News>(control_);
    one->leadership->listen([news = one->news] { news->add(); });
    tasks_.spawn(control_, contend(one));
    if (std::exchange(keeping_session_, true)) return;
    tasks_.spawn(control_, keep_session());
}

// Signs of life from ZooKeeper, on which every term depends; see ha::ZookeeperSession::renew().
Awaitable<void> InstanceSet::keep_session() {
    while (!stopping_) {
        std::chrono::milliseconds pause = kMostBetweenSigns / 10;
        if (const auto session = means_.cluster.zookeeper->current()) {
            session->renew();
            pause = std::min(session->timeout() / 6, kMostBetweenSigns);
        }
        keeping_.arm();
        if (stopping_) break;
        co_await keeping_.wait(steady_now() + pause);
    }
}

Awaitable<void> InstanceSet::contend(std::shared_ptr<Destination> one) {
    const std::shared_ptr<News> news = one->news;
    while (!stopping_ && !one->removed) {
        const uint64_t seen = news->count.load();
        SteadyTime planned = SteadyTime::max();
        {
            const Turn turn = co_await take_turn(one);
            planned = co_await look_after(one);
        }
        for (;;) {
            news->notifier.arm();
            if (stopping_ || one->removed || news->count.load() != seen) break;
            SteadyTime until = planned;
            // As long as ZooKeeper is heard, nothing has to be asked.
            const std::shared_ptr<ha::Term> term = one->leadership->term();
            if (one->running && term)
                until = std::min(until, term->held() ? term->sure_until() : steady_now());
            if (steady_now() >= until) break;
            co_await news->notifier.wait(until);
        }
    }
}

Awaitable<Result<ha::Standing>> InstanceSet::look(std::shared_ptr<Destination> one) {
    Result<ha::Standing> standing = ha::Standing{};
    const std::function<void()> work = [&one, &standing] { standing = one->leadership->look(); };
    co_await cluster_lane_.run(work);
    co_return standing;
}

Awaitable<void> InstanceSet::resign(
    std::shared_ptr<Destination> one, ha::Leadership::Parting how, std::string next
) {
    Result<void> resigned;
    const std::function<void()> work = [&] { resigned = one->leadership->resign(how, next); };
    co_await cluster_lane_.run(work);
    if (resigned) co_return;
    log_.warn(
        "not released, it ends with the session",
        {{"destination", one->name}, {"cause", resigned.error().detail}}
    );
}

void InstanceSet::stand_by(Destination& one, Phase phase, std::string why) {
    const bool new_to_us = one.phase != phase || one.failure != why;
    one.phase = phase;
    one.failure = std::move(why);
    if (!new_to_us) return;
    if (phase == Phase::Standby) {
        log_.info("stands by", {{"destination", one.name}, {"cause", one.failure}});
    } else {
        log_.error("can't be served", {{"destination", one.name}, {"cause", one.failure}});
    }
}

// Another server serves or may serve: ends at once, and writes nothing any more.
Awaitable<void> InstanceSet::end_lost(std::shared_ptr<Destination> one, std::string why) {
    log_.warn("no longer served", {{"destination", one->name}, {"cause", why}});
    one->phase = Phase::Standby;  // while it ends, too
    co_await end_instance(one);
    one->failure = std::move(why);
}

// REQUIRES: the destination's turn. Returns when to look again if there are no news.
Awaitable<SteadyTime> InstanceSet::look_after(std::shared_ptr<Destination> one) {
    if (!one->clustered() || one->phase == Phase::Stopped) co_return SteadyTime::max();
    if (stopping_ || one->removed) co_return SteadyTime::max();
    if (one->running) {
        if (const Result<void> ours = held(one->leadership); !ours)
            co_await end_lost(one, ours.error().detail);
    }
    Result<ha::Standing> standing = co_await look(one);
    if (!standing) {
        const bool idle = one->phase == Phase::Idle && one->config.lazy;
        if (!one->running && !idle) stand_by(*one, Phase::Failed, standing.error().detail);
        co_return steady_now() + kLookAgain;
    }
    one->standing = std::move(standing).value();
    if (one->running) {
        SteadyTime again = co_await look_after_running(one);
        co_return again;
    }
    if (one->phase == Phase::Idle && one->config.lazy) co_return SteadyTime::max();
    SteadyTime again = co_await take_if_free(one);
    co_return again;
}

Awaitable<SteadyTime> InstanceSet::look_after_running(std::shared_ptr<Destination> one) {
    if (const Result<void> ours = held(one->leadership); !ours) {
        co_await end_lost(one, ours.error().detail);
        co_return steady_now();
    }
    if (one->standing.yield) {
        const std::string next = one->standing.next;
        log_.info("hands over, as it is asked to", {{"destination", one->name}, {"to", next}});
        co_await hand_over(one, next);
        co_return steady_now();
    }
    if (one->running->in_use()) co_return steady_now() + kBalanceAgain;
    const std::string to = balance().give_to(one->leadership->address(), one->standing.candidates);
    if (to.empty()) co_return steady_now() + kBalanceAgain;
    log_.info("hands over, to share the load", {{"destination", one->name}, {"to", to}});
    co_await hand_over(one, to);
    co_return steady_now();
}

Awaitable<void> InstanceSet::hand_over(std::shared_ptr<Destination> one, std::string to) {
    one->standing.leader = to;  // until it is seen
    one->phase = Phase::Standby;
    co_await end_instance(one);
    co_await resign(one, ha::Leadership::Parting::Yield, std::move(to));
}

ha::Balance InstanceSet::balance() const {
    std::vector<ha::Share> shares;
    const std::lock_guard lock(mutex_);
    for (const auto& [name, one] : destinations_) {
        if (!one->clustered()) continue;
        shares.push_back({one->standing.leader, one->standing.candidates});
        if (one->running) shares.back().leader = one->leadership->address();
    }
    return ha::Balance(shares);
}

Awaitable<SteadyTime> InstanceSet::take_if_free(std::shared_ptr<Destination> one) {
    const ha::Standing& standing = one->standing;
    if (standing.who == ha::Standing::Who::Other) {
        one->left_until = {};
        stand_by(*one, Phase::Standby, standing.why);
        co_return SteadyTime::max();
    }
    if (standing.yield) {
        co_await resign(one, ha::Leadership::Parting::Yield, standing.next);
        co_return steady_now();
    }
    const SteadyTime now = steady_now();
    const SteadyTime free_at = now + standing.wait;
    if (free_at > now && one->phase != Phase::Failed)
        stand_by(*one, Phase::Standby, "no server serves this destination: others have precedence");
    SteadyTime take_at = std::max(free_at, one->not_before);
    if (take_at <= now && standing.who == ha::Standing::Who::Nobody &&
        balance().leaves_to_others(one->leadership->address(), standing.candidates)) {
        if (one->left_until == SteadyTime{}) one->left_until = now + kLeave;
        take_at = one->left_until;
    }
    if (take_at > now) co_return take_at;
    one->left_until = {};
    const Result<void> started = co_await launch(one);
    co_return started ? SteadyTime::max() : std::max(one->not_before, steady_now() + kLookAgain);
}

// A start failed: whoever can shall serve.
Awaitable<void> InstanceSet::give_up(std::shared_ptr<Destination> one, Error why) {
    if (why.code == Errc::Conflict) {
        stand_by(*one, Phase::Standby, why.detail);
        co_return;
    }
    const bool led = one->leadership->term() != nullptr;
    if (led) co_await resign(one, ha::Leadership::Parting::Pause, {});
    one->not_before = SteadyTime::max();
    if (why.retry != Retry::Never)
        one->not_before = steady_now() + (led ? kRetryPeriod : kLookAgain);
}

std::optional<ClusterStatus> InstanceSet::cluster_status(const Destination& one) {
    if (!one.clustered()) return std::nullopt;
    ClusterStatus status{one.standing.leader, one.standing.candidates, std::nullopt};
    const std::shared_ptr<ha::Term> term = one.leadership->term();
    if (one.running && term) {
        status.leader = one.leadership->address();
        status.epoch = term->epoch();
    }
    return status;
}

Awaitable<void> InstanceSet::leave_cluster() {
    if (!means_.cluster.zookeeper || !keeping_session_) co_return;
    const std::function<void()> work = [this] {
        const auto session = means_.cluster.zookeeper->current();
        const std::string member = std::string(ha::kClusterPath) + "/" + means_.cluster.address;
        if (session) {
            const Result<void> left = session->remove(member);
            if (!left) log_.warn("not left the cluster", {{"cause", left.error().detail}});
        }
        means_.cluster.zookeeper->drop();
    };
    co_await cluster_lane_.run(work);
}

}  // namespace obcanal::instance
