// The right to serve a destination in a cluster. A server stands by (look), takes the ephemeral
// node `running` and raises the destination's epoch in one step (acquire), and has a Term from then
// on: whatever is written under it takes effect only while no other server has taken over. One
// Leadership per destination, owned by the instance set. look(), acquire(), resign() and
// Term::write() wait for ZooKeeper, on one BlockingLane; the rest is for any thread.
#pragma once

#include "ha/canal_tree.h"
#include "ha/zookeeper_client.h"
#include "protocol/base/clock.h"
#include "protocol/base/result.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::ha {

class Term {
 public:
    // An Error when another server may serve by now, so that nothing may be handed out, accepted or
    // read. Timeout: ZooKeeper is silent, which may end. Conflict: the term is over.
    Result<void> held() const;
    // When held() has to be looked at again, if nothing is heard from ZooKeeper.
    SteadyTime sure_until() const { return session_->sure_until(); }
    int32_t epoch() const { return epoch_; }
    ZookeeperSession& session() const { return *session_; }

    // All of the steps, or none; `failed` counts from the first of them. Conflict: this term is
    // over. Another Error: it is not known whether they were done.
    Result<ZookeeperSteps> write(const std::vector<ZookeeperStep>& steps);

 private:
    friend class Leadership;

    Term(
        std::shared_ptr<ZookeeperSession> session,
        std::string path,
        int32_t epoch,
        std::shared_ptr<ZookeeperClient> client
    );
    // Whoever listens for changes of `running` is told.
    void end(Error why);
    Result<bool> still_ours();

    const std::shared_ptr<ZookeeperSession> session_;
    const std::string path_;
    const int32_t epoch_;  // version of the epoch node
    const std::shared_ptr<ZookeeperClient> client_;
    std::atomic<int32_t> running_version_{-1};  // of `running`, as long as it is ours
    mutable std::mutex mutex_;
    std::optional<Error> over_;
};

// What a look at the tree has shown.
struct Standing {
    enum class Who : uint8_t { Nobody, We, Other };

    Who who = Who::Nobody;
    std::string leader;                   // its address
    std::string why;                      // Other: in words
    std::chrono::milliseconds wait{0};    // Nobody: as long others have precedence
    bool yield = false;                   // We: somebody asks us to let another serve
    std::string next;                     // that one, if it is said
    std::vector<std::string> candidates;  // servers that have the destination, in order
};

class Leadership {
 public:
    Leadership(
        std::shared_ptr<ZookeeperClient> client, std::string_view destination, std::string address
    );

    // Joins the destination's cluster where that has to be done, and tells who serves. What it has
    // read is watched: see listen(). Ends a term that is another's by now.
    Result<Standing> look();
    // Conflict: another server has it.
    Result<std::shared_ptr<Term>> acquire();

    // Pause: we will serve again at once. Yield: another shall serve, `next` if it is given. Leave:
    // another shall, and we are no candidate any more.
    enum class Parting : uint8_t { Pause, Yield, Leave };
    // Gives up `running` where it is ours.
    Result<void> resign(Parting how, const std::string& next = {});

    // The latest one, if it has not been resigned.
    std::shared_ptr<Term> term() const;
    // Calls `changed`, on ZooKeeper's thread, when look() may show something else.
    void listen(ZookeeperEvents::Listener changed);
    const std::string& address() const { return address_; }

 private:
    Result<void> join(ZookeeperSession& session);
    Result<std::optional<Running>> read_running(ZookeeperSession& session, Standing& standing);
    Result<void> judge_vacancy(ZookeeperSession& session, Standing& standing);
    Result<std::vector<ZookeeperStep>> steps_to_take(ZookeeperSession& session);
    Result<void> withdraw(const std::string& member);
    Error serves(const Running& running) const;
    void set_term(std::shared_ptr<Term> term);

    const std::shared_ptr<ZookeeperClient> client_;
    const std::string path_;
    const std::string running_path_;
    const std::string epoch_path_;
    const std::string address_;
    // Of the lane.
    int64_t joined_by_ = 0;  // the session that is in `cluster`
    bool looked_ = false;
    int64_t former_session_ = 0;  // of this server's last run, seen at the first look
    std::string last_leader_;
    bool yielded_ = false;
    std::optional<SteadyTime> vacant_since_;
    // Of any thread.
    mutable std::mutex mutex_;
    std::shared_ptr<Term> term_;
    std::vector<ZookeeperEvents::Subscription> listening_;
};

}  // namespace obcanal::ha
