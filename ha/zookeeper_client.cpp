#include "ha/zookeeper_client.h"

#include <zookeeper/zookeeper.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <future>
#include <system_error>
#include <utility>

namespace obcanal::ha {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kCallTimeout{5};
constexpr std::chrono::seconds kConnectTimeout{5};
constexpr int kMaxNodeBytes = 1 << 20;

Error failed(int code, const std::string& path) {
    const std::string detail = "ZooKeeper " + path + ": " + zerror(code);
    switch (code) {
        case ZNOAUTH:
            return {
                Errc::Auth,
                Retry::Backoff,
                detail + " (the node is protected; canal.zookeeper.digest names the user)"
            };
        case ZAUTHFAILED: return {Errc::Auth, Retry::Backoff, detail};
        case ZNONODE: return {Errc::NotFound, Retry::Backoff, detail};
        case ZNODEEXISTS:
        case ZBADVERSION: return {Errc::Conflict, Retry::Backoff, detail};
        case ZCONNECTIONLOSS: return {Errc::Io, Retry::Backoff, detail};
        case ZOPERATIONTIMEOUT: return {Errc::Timeout, Retry::Backoff, detail};
        case ZSESSIONEXPIRED:
        case ZINVALIDSTATE:
        case ZCLOSING: return {Errc::Closed, Retry::Backoff, detail};
        case ZBADARGUMENTS: return {Errc::BadConfig, Retry::Never, detail};
        default: return {Errc::Refused, Retry::Backoff, detail};
    }
}

void to_our_log(const char* message) { Logger("zookeeper").debug(message); }

// Steps as the C client wants them, and what it writes of their outcome. Kept until its completion.
struct RawSteps {
    RawSteps(const std::vector<ZookeeperStep>& steps, const ACL_vector* acl)
        : ops(steps.size()), results(steps.size()), stats(steps.size()) {
        for (size_t i = 0; i < steps.size(); ++i) {
            const ZookeeperStep& step = steps[i];
            const char* const path = step.path.c_str();
            const char* const data = step.data ? step.data->data() : nullptr;
            const int size = step.data ? static_cast<int>(step.data->size()) : -1;
            zoo_op_t* const op = &ops[i];
            switch (step.kind) {
                case ZookeeperStep::Kind::Check: zoo_check_op_init(op, path, step.version); break;
                case ZookeeperStep::Kind::Create:
                case ZookeeperStep::Kind::CreateEphemeral: {
                    const bool ephemeral = step.kind == ZookeeperStep::Kind::CreateEphemeral;
                    const int mode = ephemeral ? ZOO_EPHEMERAL : 0;
                    zoo_create_op_init(op, path, data, size, acl, mode, nullptr, 0);
                    break;
                }
                case ZookeeperStep::Kind::Set:
                    zoo_set_op_init(op, path, data, size, step.version, &stats[i]);
                    break;
                case ZookeeperStep::Kind::Remove: zoo_delete_op_init(op, path, step.version); break;
            }
        }
    }

    std::vector<zoo_op_t> ops;
    std::vector<zoo_op_result_t> results;
    std::vector<Stat> stats;
};

}  // namespace

struct ZookeeperSession::Reply {
    int code = ZOK;
    ZookeeperNode node;
    std::vector<std::string> names;
};

struct ZookeeperSession::State {
    State(ZookeeperPlace ensemble, std::shared_ptr<ZookeeperEvents> listeners)
        : place(std::move(ensemble)), events(std::move(listeners)) {}

    const ZookeeperPlace place;
    const std::shared_ptr<ZookeeperEvents> events;
    Logger log{"zookeeper"};
    zhandle_t* handle = nullptr;
    mutable std::mutex mutex;
    std::condition_variable changed;
    int state = 0;  // mutex; ZOO_*_STATE as last announced
    std::atomic<SteadyTime::rep> heard{0
    };  // when the last request was sent that the leader answered
    std::atomic<bool> renewing{false};

    // A call that somebody waits for, or has given up. Its completion owns it.
    struct Pending {
        std::promise<Reply> promise;
        std::shared_ptr<RawSteps> steps;  // of a multi(), which the completion writes to
    };

    // What a completion needs beside the code.
    struct Sign {
        State* state;
        SteadyTime asked;
    };

    static void on_event(zhandle_t* handle, int type, int state, const char* path, void* context) {
        State* const self = static_cast<State*>(context);
        if (type == ZOO_SESSION_EVENT) {
            if (state == ZOO_CONNECTED_STATE && self->place.guard) self->guard(handle);
            self->entered(state);
            self->events->session_changed();
        } else if (path != nullptr) {
            self->events->changed(path);
        }
    }

    void guard(zhandle_t* connected) const {
        const clientid_t* const id = zoo_client_id(connected);
        SessionKey key;
        key.id = id->client_id;
        static_assert(sizeof id->passwd == sizeof key.password);
        std::memcpy(key.password.data(), id->passwd, sizeof id->passwd);
        place.guard->watch(key);
    }

    void hear(SteadyTime asked) {
        const SteadyTime::rep at = asked.time_since_epoch().count();
        SteadyTime::rep before = heard.load();
        while (before < at && !heard.compare_exchange_weak(before, at)) {
        }
    }

    // From the leader of the ensemble, whatever it is; else it would be the client's own.
    static bool answered(int code) {
        return code == ZOK || code == ZNONODE || code == ZNODEEXISTS || code == ZBADVERSION ||
               code == ZNOTEMPTY;
    }

    // False: the code is the client's own, so that nobody knows what the ensemble has done. The
    // codes of the ensemble lie below ZAPIERROR.
    static bool said_by_ensemble(int code) {
        return code == ZOK || (code < ZAPIERROR && code != ZSESSIONEXPIRED && code != ZCLOSING &&
                               code != ZSESSIONMOVED);
    }

    static void on_sign(int code, const char*, const void* context) {
        const std::unique_ptr<const Sign> sign(static_cast<const Sign*>(context));
        if (answered(code)) sign->state->hear(sign->asked);
        sign->state->renewing.store(false);
    }

    void entered(int now) {
        const std::lock_guard lock(mutex);
        if (now == state) return;
        if (now == ZOO_CONNECTED_STATE) {
            log.info("connected", {{"servers", place.servers}});
        } else if (now == ZOO_EXPIRED_SESSION_STATE) {
            log.warn("the session has expired", {{"servers", place.servers}});
        } else if (now == ZOO_AUTH_FAILED_STATE) {
            log.error("the login is refused", {{"servers", place.servers}});
        } else if (state == ZOO_CONNECTED_STATE) {
            log.warn("connection lost, trying again", {{"servers", place.servers}});
        }
        state = now;
        changed.notify_all();
    }

    static void finish(const void* context, Reply reply) {
        const std::unique_ptr<Pending> pending(static_cast<Pending*>(const_cast<void*>(context)));
        pending->promise.set_value(std::move(reply));
    }

    static void on_done(int code, const void* context) { finish(context, {code, {}, {}}); }

    static void on_string(int code, const char*, const void* context) {
        finish(context, {code, {}, {}});
    }

    static void on_stat(int code, const Stat*, const void* context) {
        finish(context, {code, {}, {}});
    }

    static void on_data(
        int code, const char* data, int size, const Stat* stat, const void* context
    ) {
        Reply reply{code, {}, {}};
        if (code == ZOK && size > 0) reply.node.data.assign(data, static_cast<size_t>(size));
        if (code == ZOK && stat != nullptr) {
            reply.node.owner = stat->ephemeralOwner;
            reply.node.version = stat->version;
        }
        finish(context, std::move(reply));
    }

    static void on_names(int code, const String_vector* names, const void* context) {
        Reply reply{code, {}, {}};
        if (code == ZOK && names != nullptr)
            reply.names.assign(names->data, names->data + names->count);
        finish(context, std::move(reply));
    }
};

ZookeeperSession::ZookeeperSession(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::shared_ptr<ZookeeperSession>> ZookeeperSession::start(
    const ZookeeperPlace& place, std::shared_ptr<ZookeeperEvents> events
) {
    return open(place, std::move(events), nullptr);
}

Result<std::shared_ptr<ZookeeperSession>> ZookeeperSession::open(
    const ZookeeperPlace& place, std::shared_ptr<ZookeeperEvents> events, const SessionKey* key
) {
    clientid_t known{};
    if (key != nullptr) {
        known.client_id = key->id;
        std::memcpy(known.passwd, key->password.data(), key->password.size());
    }
    zoo_set_debug_level(ZOO_LOG_LEVEL_WARN);
    auto state = std::make_unique<State>(place, std::move(events));
    State* const raw = state.get();
    raw->handle = zookeeper_init2(
        place.servers.c_str(),
        State::on_event,
        static_cast<int>(place.session_timeout.count()),
        key != nullptr ? &known : nullptr,
        raw,
        0,
        to_our_log
    );
    if (raw->handle == nullptr) {
        const std::error_code cause(errno, std::generic_category());
        return Error{
            Errc::Io,
            Retry::Backoff,
            "ZooKeeper at " + place.servers + " can't be addressed: " + cause.message()
        };
    }
    std::shared_ptr<ZookeeperSession> session(new ZookeeperSession(std::move(state)));
    if (!place.digest.empty()) {
        // The C client sends it ahead of every other request, on each connection.
        const int code = zoo_add_auth(
            raw->handle,
            "digest",
            place.digest.data(),
            static_cast<int>(place.digest.size()),
            nullptr,
            nullptr
        );
        if (code != ZOK) return failed(code, "login");
    }
    return session;
}

Result<void> end_session(
    const ZookeeperPlace& place, const SessionKey& key, steady_clock::time_point until
) {
    Result<std::shared_ptr<ZookeeperSession>> session =
        ZookeeperSession::open(place, std::make_shared<ZookeeperEvents>(), &key);
    if (!session) return std::move(session).error();
    Result<void> connected = (*session)->connected(until);
    if (!connected && !(*session)->alive()) return {};
    return connected;
}

ZookeeperSession::~ZookeeperSession() {
    if (state_->handle != nullptr) zookeeper_close(state_->handle);
}

Result<void> ZookeeperSession::connected(steady_clock::time_point until) {
    std::unique_lock lock(state_->mutex);
    const auto settled = [this] {
        return state_->state == ZOO_CONNECTED_STATE || state_->state == ZOO_EXPIRED_SESSION_STATE ||
               state_->state == ZOO_AUTH_FAILED_STATE;
    };
    state_->changed.wait_until(lock, until, settled);
    if (state_->state == ZOO_CONNECTED_STATE) return {};
    return Error{
        Errc::Io, Retry::Backoff, "ZooKeeper at " + state_->place.servers + " does not answer"
    };
}

bool ZookeeperSession::alive() const {
    const std::lock_guard lock(state_->mutex);
    return state_->state != ZOO_EXPIRED_SESSION_STATE && state_->state != ZOO_AUTH_FAILED_STATE;
}

int64_t ZookeeperSession::id() const { return zoo_client_id(state_->handle)->client_id; }

std::chrono::milliseconds ZookeeperSession::timeout() const {
    return std::chrono::milliseconds(zoo_recv_timeout(state_->handle));
}

SteadyTime ZookeeperSession::sure_until() const {
    const SteadyTime heard{SteadyTime::duration(state_->heard.load())};
    return heard + timeout() * 4 / 5;
}

void ZookeeperSession::renew() {
    if (!connected(steady_now())) return;
    if (state_->renewing.exchange(true)) return;
    auto sign = std::make_unique<State::Sign>(State::Sign{state_.get(), steady_now()});
    if (zoo_async(state_->handle, "/", State::on_sign, sign.get()) == ZOK) {
        static_cast<void>(sign.release());  // on_sign's
    } else {
        state_->renewing.store(false);
    }
}

template <class Start>
Result<ZookeeperSession::Reply> ZookeeperSession::call(
    const std::string& path, Asks asks, Start start
) {
    // Without this the C client would hold the call until it is connected again.
    if (Result<void> ready = connected(steady_clock::now()); !ready)
        return std::move(ready).error().in(path);
    auto context = std::make_unique<State::Pending>();
    std::future<Reply> reply = context->promise.get_future();
    const SteadyTime asked = steady_now();
    if (const int code = start(state_->handle, context.get()); code != ZOK)
        return failed(code, path);
    static_cast<void>(context.release());  // its completion's
    // A session that is half over must not be waited for by those who have to give up.
    const auto patience = std::min<std::chrono::milliseconds>(kCallTimeout, timeout() / 2);
    if (reply.wait_for(patience) != std::future_status::ready)
        return failed(ZOPERATIONTIMEOUT, path);
    Reply got = reply.get();
    if (asks == Asks::Leader && State::answered(got.code)) state_->hear(asked);
    return got;
}

Result<std::optional<ZookeeperNode>> ZookeeperSession::get(const std::string& path, Watch watch) {
    const int watched = watch == Watch::Yes ? 1 : 0;
    const auto start = [&path, watched](zhandle_t* handle, const void* context) {
        return zoo_aget(handle, path.c_str(), watched, State::on_data, context);
    };
    const auto await_it = [&path](zhandle_t* handle, const void* context) {
        return zoo_aexists(handle, path.c_str(), 1, State::on_stat, context);
    };
    for (;;) {
        Result<Reply> reply = call(path, Asks::Node, start);
        if (!reply) return std::move(reply).error();
        if (reply->code == ZOK) return std::optional(std::move(reply->node));
        if (reply->code != ZNONODE) return failed(reply->code, path);
        if (watch == Watch::No) return std::optional<ZookeeperNode>();
        // Only this watches a node that isn't there.
        Result<Reply> absent = call(path, Asks::Node, await_it);
        if (!absent) return std::move(absent).error();
        if (absent->code == ZNONODE) return std::optional<ZookeeperNode>();
        if (absent->code != ZOK) return failed(absent->code, path);
    }
}

Result<std::vector<std::string>> ZookeeperSession::children(const std::string& path, Watch watch) {
    const int watched = watch == Watch::Yes ? 1 : 0;
    const auto start = [&path, watched](zhandle_t* handle, const void* context) {
        return zoo_aget_children(handle, path.c_str(), watched, State::on_names, context);
    };
    Result<Reply> reply = call(path, Asks::Node, start);
    if (!reply) return std::move(reply).error();
    if (reply->code != ZOK && reply->code != ZNONODE) return failed(reply->code, path);
    return std::move(reply->names);
}

Result<bool> ZookeeperSession::create(
    const std::string& path, const std::optional<std::string>& data, NodeMode mode
) {
    const ACL_vector* acl =
        state_->place.digest.empty() ? &ZOO_OPEN_ACL_UNSAFE : &ZOO_CREATOR_ALL_ACL;
    const auto start = [&](zhandle_t* handle, const void* context) {
        return zoo_acreate(
            handle,
            path.c_str(),
            data ? data->data() : nullptr,
            data ? static_cast<int>(data->size()) : -1,
            acl,
            mode == NodeMode::Ephemeral ? ZOO_EPHEMERAL : 0,
            State::on_string,
            context
        );
    };
    if (data && data->size() > kMaxNodeBytes) return failed(ZBADARGUMENTS, path);
    Result<Reply> reply = call(path, Asks::Leader, start);
    if (!reply) return std::move(reply).error();
    const size_t parent = path.rfind('/');
    if (reply->code == ZNONODE && parent == 0) {
        return Error{
            Errc::NotFound,
            Retry::Backoff,
            "ZooKeeper at " + state_->place.servers + ": the chroot does not exist"
        };
    }
    if (reply->code == ZNONODE) {
        Result<bool> made = create(path.substr(0, parent), std::nullopt, NodeMode::Persistent);
        if (!made) return made;
        reply = call(path, Asks::Leader, start);
        if (!reply) return std::move(reply).error();
    }
    if (reply->code == ZNODEEXISTS) return false;
    if (reply->code != ZOK) return failed(reply->code, path);
    return true;
}

Result<ZookeeperSteps> ZookeeperSession::multi(const std::vector<ZookeeperStep>& steps) {
    OBC_ASSERT(!steps.empty());
    const ACL_vector* acl =
        state_->place.digest.empty() ? &ZOO_OPEN_ACL_UNSAFE : &ZOO_CREATOR_ALL_ACL;
    const std::string& first = steps.front().path;
    size_t bytes = 0;
    for (const ZookeeperStep& step : steps) bytes += step.data ? step.data->size() : 0;
    if (bytes > kMaxNodeBytes) return failed(ZBADARGUMENTS, first);
    const auto raw = std::make_shared<RawSteps>(steps, acl);
    const auto start = [&raw](zhandle_t* handle, const void* context) {
        static_cast<State::Pending*>(const_cast<void*>(context))->steps = raw;
        return zoo_amulti(
            handle,
            static_cast<int>(raw->ops.size()),
            raw->ops.data(),
            raw->results.data(),
            State::on_done,
            context
        );
    };
    Result<Reply> reply = call(first, Asks::Leader, start);
    if (!reply) return std::move(reply).error();
    if (!State::said_by_ensemble(reply->code)) return failed(reply->code, first);
    ZookeeperSteps outcome;
    for (size_t i = 0; i < steps.size(); ++i) {
        outcome.versions.push_back(raw->stats[i].version);
        const int code = raw->results[i].err;
        // That code: the step was not looked at, because of another one.
        if (code == ZOK || code == ZRUNTIMEINCONSISTENCY || outcome.failed) continue;
        outcome.failed = i;
        outcome.why = failed(code, steps[i].path);
    }
    if (reply->code != ZOK && !outcome.failed) return failed(reply->code, first);
    return outcome;
}

Result<void> ZookeeperSession::put(const std::string& path, const std::string& data) {
    if (data.size() > kMaxNodeBytes) return failed(ZBADARGUMENTS, path);
    const auto start = [&](zhandle_t* handle, const void* context) {
        return zoo_aset(
            handle,
            path.c_str(),
            data.data(),
            static_cast<int>(data.size()),
            -1,
            State::on_stat,
            context
        );
    };
    Result<Reply> reply = call(path, Asks::Leader, start);
    if (!reply) return std::move(reply).error();
    if (reply->code == ZNONODE) {
        Result<bool> made = create(path, data, NodeMode::Persistent);
        if (!made) return std::move(made).error();
        if (!*made) return failed(ZNODEEXISTS, path);
        return {};
    }
    if (reply->code != ZOK) return failed(reply->code, path);
    return {};
}

Result<void> ZookeeperSession::remove(const std::string& path) {
    const auto start = [&path](zhandle_t* handle, const void* context) {
        return zoo_adelete(handle, path.c_str(), -1, State::on_done, context);
    };
    Result<Reply> reply = call(path, Asks::Leader, start);
    if (!reply) return std::move(reply).error();
    if (reply->code != ZOK && reply->code != ZNONODE) return failed(reply->code, path);
    return {};
}

Result<std::vector<std::string>> ZookeeperSession::tree(const std::string& path) {
    Result<std::optional<ZookeeperNode>> node = get(path);
    if (!node) return std::move(node).error();
    std::vector<std::string> all;
    if (*node) all.push_back(path);
    for (size_t i = 0; i < all.size(); ++i) {
        const std::string parent = all[i];
        Result<std::vector<std::string>> below = children(parent);
        if (!below) return std::move(below).error();
        for (const std::string& name : *below) all.push_back(parent + "/" + name);
    }
    return all;
}

Result<void> ZookeeperSession::remove_tree(const std::string& path) {
    Result<std::vector<std::string>> all = tree(path);
    if (!all) return std::move(all).error();
    for (auto node = all->rbegin(); node != all->rend(); ++node) {
        if (Result<void> gone = remove(*node); !gone) return gone;
    }
    return {};
}

std::shared_ptr<ZookeeperSession> ZookeeperClient::current() const {
    const std::lock_guard lock(session_mutex_);
    return session_;
}

void ZookeeperClient::drop() {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<ZookeeperSession> ended;
    const std::lock_guard session_lock(session_mutex_);
    ended.swap(session_);
}

Result<std::shared_ptr<ZookeeperSession>> ZookeeperClient::session() {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<ZookeeperSession> session = current();
    if (!session || !session->alive()) {
        Result<std::shared_ptr<ZookeeperSession>> started =
            ZookeeperSession::start(place_, events_);
        if (!started) return started;
        session = std::move(started).value();
        patience_ = steady_now() + kConnectTimeout;
        std::shared_ptr<ZookeeperSession> ended = session;
        {
            const std::lock_guard session_lock(session_mutex_);
            ended.swap(session_);
        }
    }
    if (Result<void> ready = session->connected(patience_); !ready) return std::move(ready).error();
    return session;
}

}  // namespace obcanal::ha
