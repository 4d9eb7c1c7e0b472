#include "ha/leadership.h"

#include "protocol/base/text.h"

#include <algorithm>
#include <array>
#include <utility>

namespace obcanal::ha {
namespace {

constexpr int kTries = 5;  // while others change what was just read
// `running` is created with version 0, by everybody; ours is set once, in the same step, so that a
// version tells it from a Java server's.
constexpr int32_t kOurRunningVersion = 1;

using Kind = ZookeeperStep::Kind;

Error over(const std::string& why) { return Error{Errc::Conflict, Retry::Backoff, why}; }

}  // namespace

Term::Term(
    std::shared_ptr<ZookeeperSession> session,
    std::string path,
    int32_t epoch,
    std::shared_ptr<ZookeeperClient> client
)
    : session_(std::move(session)),
      path_(std::move(path)),
      epoch_(epoch),
      client_(std::move(client)) {}

Result<void> Term::held() const {
    {
        const std::lock_guard lock(mutex_);
        if (over_) return *over_;
    }
    if (!session_->alive())
        return over("the session with ZooKeeper has ended: another server may serve by now");
    if (steady_now() < session_->sure_until()) return {};
    return Error{
        Errc::Timeout,
        Retry::Backoff,
        "no word from ZooKeeper for the time of a session: another server may serve by now"
    };
}

void Term::end(Error why) {
    {
        const std::lock_guard lock(mutex_);
        if (over_) return;
        over_ = std::move(why);
    }
    client_->events().changed(path_ + "/running");
}

// False: `running` is another's, or gone.
Result<bool> Term::still_ours() {
    Result<std::optional<ZookeeperNode>> node = session_->get(path_ + "/running");
    if (!node) return std::move(node).error();
    if (!*node || (*node)->owner != session_->id()) return false;
    running_version_ = (*node)->version;
    return true;
}

Result<ZookeeperSteps> Term::write(const std::vector<ZookeeperStep>& steps) {
    if (Result<void> ours = held(); !ours) return std::move(ours).error();
    constexpr size_t kChecks = 2;
    for (int tries = 0;; ++tries) {
        std::vector<ZookeeperStep> all{
            {Kind::Check, path_ + "/epoch", std::nullopt, epoch_},
            {Kind::Check, path_ + "/running", std::nullopt, running_version_.load()}
        };
        all.insert(all.end(), steps.begin(), steps.end());
        Result<ZookeeperSteps> outcome = session_->multi(all);
        if (!outcome) return outcome;
        outcome->versions.erase(outcome->versions.begin(), outcome->versions.begin() + kChecks);
        if (!outcome->failed) return outcome;
        if (*outcome->failed >= kChecks) {
            *outcome->failed -= kChecks;
            return outcome;
        }
        if (*outcome->failed == 1 && tries < kTries) {
            // An operator may have written to it.
            Result<bool> ours = still_ours();
            if (!ours) return std::move(ours).error();
            if (*ours) continue;
        }
        Error ended = over("another server has taken over (" + outcome->why.detail + ")");
        end(ended);
        return ended;
    }
}

Leadership::Leadership(
    std::shared_ptr<ZookeeperClient> client, std::string_view destination, std::string address
)
    : client_(std::move(client)),
      path_(destination_path(destination)),
      running_path_(path_ + "/running"),
      epoch_path_(path_ + "/epoch"),
      address_(std::move(address)) {}

std::shared_ptr<Term> Leadership::term() const {
    const std::lock_guard lock(mutex_);
    return term_;
}

void Leadership::set_term(std::shared_ptr<Term> term) {
    const std::lock_guard lock(mutex_);
    term_ = std::move(term);
}

void Leadership::listen(ZookeeperEvents::Listener changed) {
    const std::lock_guard lock(mutex_);
    listening_ = {
        client_->events().listen(running_path_, changed),
        client_->events().listen(path_ + "/cluster", changed)
    };
}

// Ephemeral nodes with our address may be an earlier session's, which end with it: those are
// replaced by our own.
Result<void> Leadership::join(ZookeeperSession& session) {
    if (joined_by_ == session.id()) return {};
    for (const std::string& cluster : {std::string(kClusterPath), path_ + "/cluster"}) {
        const std::string path = cluster + "/" + address_;
        Result<std::optional<ZookeeperNode>> node = session.get(path);
        if (!node) return std::move(node).error();
        if (*node && (*node)->owner == session.id()) continue;
        if (*node) {
            if (Result<void> gone = session.remove(path); !gone) return gone;
        }
        Result<bool> made = session.create(path, std::nullopt, NodeMode::Ephemeral);
        if (!made) return std::move(made).error();
    }
    joined_by_ = session.id();
    return {};
}

Error Leadership::serves(const Running& running) const {
    return over(
        running.address == address_
            ? "the session of this server's last run has not ended yet (ZooKeeper " +
                  running_path_ + ")"
            : "the server " + running.address + " serves this destination (ZooKeeper " +
                  running_path_ + ")"
    );
}

Result<std::optional<Running>> Leadership::read_running(
    ZookeeperSession& session, Standing& standing
) {
    Result<std::optional<ZookeeperNode>> node = session.get(running_path_, Watch::Yes);
    if (!node) return std::move(node).error();
    const bool first = !std::exchange(looked_, true);
    const std::shared_ptr<Term> term = this->term();
    if (!*node) {
        if (term) term->end(over("somebody has removed ZooKeeper " + running_path_));
        return std::optional<Running>();
    }
    Running running = parse_running((*node)->data);
    const int64_t owner = (*node)->owner;
    // This server has its port, so the one that had the same address is gone. Only what was there
    // before us: two servers that are given one address by mistake must not chase each other.
    if (first && running.address == address_ && owner != 0) former_session_ = owner;
    if (owner == session.id()) {
        standing.who = Standing::Who::We;
        standing.yield = !running.active;
        standing.next = running.next;
        if (term && &term->session() == &session) term->running_version_ = (*node)->version;
    } else if (owner != 0 && owner == former_session_) {
        standing.who = Standing::Who::Nobody;
    } else {
        standing.who = Standing::Who::Other;
        standing.why = owner != 0 ? serves(running).detail
                                  : "ZooKeeper " + running_path_ +
                                        " belongs to no session, so that no server may serve: "
                                        "remove it";
        if (term) term->end(serves(running));
    }
    return std::optional(std::move(running));
}

Result<void> Leadership::judge_vacancy(ZookeeperSession& session, Standing& standing) {
    Result<std::optional<ZookeeperNode>> epoch = session.get(epoch_path_);
    if (!epoch) return std::move(epoch).error();
    Vacancy vacancy{address_, last_leader_, yielded_, {}, standing.candidates};
    if (*epoch) vacancy.epoch = parse_epoch((*epoch)->data);
    const SteadyTime now = steady_now();
    if (!vacant_since_) vacant_since_ = now;
    const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(now - *vacant_since_);
    standing.wait = std::max(precedence(vacancy) - passed, std::chrono::milliseconds{0});
    return {};
}

Result<Standing> Leadership::look() {
    Result<std::shared_ptr<ZookeeperSession>> session = client_->session();
    if (!session) return std::move(session).error();
    ZookeeperSession& use = **session;
    if (Result<void> joined = join(use); !joined) return std::move(joined).error();
    Standing standing;
    Result<std::vector<std::string>> candidates = use.children(path_ + "/cluster", Watch::Yes);
    if (!candidates) return std::move(candidates).error();
    standing.candidates = std::move(candidates).value();
    std::sort(standing.candidates.begin(), standing.candidates.end());
    Result<std::optional<Running>> running = read_running(use, standing);
    if (!running) return std::move(running).error();
    if (*running) {
        standing.leader = (*running)->address;
        last_leader_ = standing.leader;
        vacant_since_.reset();
        if (standing.who == Standing::Who::Other) yielded_ = false;
        return standing;
    }
    if (Result<void> judged = judge_vacancy(use, standing); !judged)
        return std::move(judged).error();
    return standing;
}

// Raises the epoch and makes `running` ours.
Result<std::vector<ZookeeperStep>> Leadership::steps_to_take(ZookeeperSession& session) {
    Result<std::optional<ZookeeperNode>> epoch = session.get(epoch_path_);
    if (!epoch) return std::move(epoch).error();
    if (!*epoch) {
        Result<bool> made = session.create(epoch_path_, epoch_payload({}), NodeMode::Persistent);
        if (!made) return std::move(made).error();
        epoch = session.get(epoch_path_);
        if (!epoch) return std::move(epoch).error();
        if (!*epoch) return over("ZooKeeper " + epoch_path_ + " vanishes");
    }
    Result<std::optional<ZookeeperNode>> node = session.get(running_path_);
    if (!node) return std::move(node).error();
    std::vector<ZookeeperStep> steps{
        {Kind::Set, epoch_path_, epoch_payload({address_, false, {}}), (*epoch)->version}
    };
    const std::string payload = running_payload({address_, true, {}});
    if (*node) {
        const int32_t version = (*node)->version;
        if ((*node)->owner == session.id()) {
            // An earlier term's. Set, so that no answer to an older request passes for this term's.
            steps.push_back({Kind::Set, running_path_, payload, version});
            return steps;
        }
        const Running running = parse_running((*node)->data);
        if ((*node)->owner == 0 || (*node)->owner != former_session_) return serves(running);
        steps.push_back({Kind::Remove, running_path_, std::nullopt, version});
    }
    steps.push_back({Kind::CreateEphemeral, running_path_, payload, -1});
    steps.push_back({Kind::Set, running_path_, payload, kOurRunningVersion - 1});
    return steps;
}

Result<std::shared_ptr<Term>> Leadership::acquire() {
    Result<std::shared_ptr<ZookeeperSession>> session = client_->session();
    if (!session) return std::move(session).error();
    if (Result<void> joined = join(**session); !joined) return std::move(joined).error();
    Error why;
    for (int tries = 0; tries < kTries; ++tries) {
        Result<std::vector<ZookeeperStep>> steps = steps_to_take(**session);
        if (!steps) return std::move(steps).error();
        Result<ZookeeperSteps> outcome = (*session)->multi(*steps);
        if (!outcome) return std::move(outcome).error();
        if (outcome->failed) {
            why = std::move(outcome->why);
            continue;
        }
        std::shared_ptr<Term> term(new Term(*session, path_, outcome->versions.front(), client_));
        term->running_version_ = outcome->versions.back();
        yielded_ = false;
        last_leader_ = address_;
        vacant_since_.reset();
        set_term(term);
        return term;
    }
    return why;
}

// Without a term: `running` may still be of our session.
Result<void> Leadership::withdraw(const std::string& member) {
    const std::shared_ptr<ZookeeperSession> session = client_->current();
    if (!session) return {};
    Result<std::optional<ZookeeperNode>> node = session->get(running_path_);
    if (!node) return std::move(node).error();
    if (*node && (*node)->owner == session->id()) {
        if (Result<void> gone = session->remove(running_path_); !gone) return gone;
    }
    return member.empty() ? Result<void>() : session->remove(member);
}

Result<void> Leadership::resign(Parting how, const std::string& next) {
    const std::shared_ptr<Term> term = this->term();
    set_term(nullptr);
    const std::string member = path_ + "/cluster/" + address_;
    const bool leave = how == Parting::Leave;
    if (how == Parting::Yield) yielded_ = true;
    if (leave) joined_by_ = 0;
    if (!term || !term->held()) return withdraw(leave ? member : std::string());
    const EpochNote note{address_, how != Parting::Pause, next};
    std::vector<ZookeeperStep> steps{
        {Kind::Set, epoch_path_, epoch_payload(note), term->epoch_},
        {Kind::Remove, running_path_, std::nullopt, term->running_version_.load()}
    };
    if (leave) steps.push_back({Kind::Remove, member, std::nullopt, -1});
    term->end(over("resigned"));
    Result<ZookeeperSteps> outcome = term->session().multi(steps);
    if (outcome && outcome->failed == steps.size() - 1 && leave) {
        steps.pop_back();  // somebody else has removed us
        outcome = term->session().multi(steps);
    }
    if (!outcome) return std::move(outcome).error();
    if (outcome->failed && outcome->why.code != Errc::Conflict &&
        outcome->why.code != Errc::NotFound)
        return outcome->why;
    return {};
}

}  // namespace obcanal::ha
