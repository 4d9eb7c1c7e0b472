#include "ha/zookeeper_client.h"

#include <zookeeper/zookeeper.h>

#include <cerrno>
#include <condition_variable>
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
        case ZNODEEXISTS: return {Errc::Conflict, Retry::Backoff, detail};
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

}  // namespace

struct ZookeeperSession::Reply {
    int code = ZOK;
    ZookeeperNode node;
    std::vector<std::string> names;
};

struct ZookeeperSession::State {
    ZookeeperPlace place;
    Logger log{"zookeeper"};
    zhandle_t* handle = nullptr;
    mutable std::mutex mutex;
    std::condition_variable changed;
    int state = 0;  // mutex; ZOO_*_STATE as last announced

    using Promise = std::promise<Reply>;

    static void on_event(zhandle_t*, int type, int state, const char*, void* context) {
        if (type != ZOO_SESSION_EVENT) return;
        static_cast<State*>(context)->entered(state);
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
        const std::unique_ptr<std::shared_ptr<Promise>> promise(
            static_cast<std::shared_ptr<Promise>*>(const_cast<void*>(context))
        );
        (*promise)->set_value(std::move(reply));
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
        if (code == ZOK && stat != nullptr) reply.node.owner = stat->ephemeralOwner;
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

Result<std::shared_ptr<ZookeeperSession>> ZookeeperSession::start(const ZookeeperPlace& place) {
    zoo_set_debug_level(ZOO_LOG_LEVEL_WARN);
    auto state = std::make_unique<State>();
    state->place = place;
    State* const raw = state.get();
    raw->handle = zookeeper_init2(
        place.servers.c_str(),
        State::on_event,
        static_cast<int>(place.session_timeout.count()),
        nullptr,
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

template <class Start>
Result<ZookeeperSession::Reply> ZookeeperSession::call(const std::string& path, Start start) {
    // Without this the C client would hold the call until it is connected again.
    if (Result<void> ready = connected(steady_clock::now()); !ready)
        return std::move(ready).error().in(path);
    const auto promise = std::make_shared<State::Promise>();
    std::future<Reply> reply = promise->get_future();
    auto context = std::make_unique<std::shared_ptr<State::Promise>>(promise);
    if (const int code = start(state_->handle, context.get()); code != ZOK)
        return failed(code, path);
    static_cast<void>(context.release());  // its completion's
    if (reply.wait_for(kCallTimeout) != std::future_status::ready)
        return failed(ZOPERATIONTIMEOUT, path);
    return reply.get();
}

Result<std::optional<ZookeeperNode>> ZookeeperSession::get(const std::string& path) {
    const auto start = [&path](zhandle_t* handle, const void* context) {
        return zoo_aget(handle, path.c_str(), 0, State::on_data, context);
    };
    Result<Reply> reply = call(path, start);
    if (!reply) return std::move(reply).error();
    if (reply->code == ZNONODE) return std::optional<ZookeeperNode>();
    if (reply->code != ZOK) return failed(reply->code, path);
    return std::optional(std::move(reply->node));
}

Result<std::vector<std::string>> ZookeeperSession::children(const std::string& path) {
    const auto start = [&path](zhandle_t* handle, const void* context) {
        return zoo_aget_children(handle, path.c_str(), 0, State::on_names, context);
    };
    Result<Reply> reply = call(path, start);
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
    Result<Reply> reply = call(path, start);
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
        reply = call(path, start);
        if (!reply) return std::move(reply).error();
    }
    if (reply->code == ZNODEEXISTS) return false;
    if (reply->code != ZOK) return failed(reply->code, path);
    return true;
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
    Result<Reply> reply = call(path, start);
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
    Result<Reply> reply = call(path, start);
    if (!reply) return std::move(reply).error();
    if (reply->code != ZOK && reply->code != ZNONODE) return failed(reply->code, path);
    return {};
}

Result<void> ZookeeperSession::remove_tree(const std::string& path) {
    Result<std::vector<std::string>> below = children(path);
    if (!below) return std::move(below).error();
    for (const std::string& name : *below) {
        if (Result<void> gone = remove_tree(path + "/" + name); !gone) return gone;
    }
    return remove(path);
}

Result<std::shared_ptr<ZookeeperSession>> ZookeeperClient::session() {
    const std::lock_guard lock(mutex_);
    if (!session_ || !session_->alive()) {
        session_.reset();
        Result<std::shared_ptr<ZookeeperSession>> started = ZookeeperSession::start(place_);
        if (!started) return started;
        session_ = std::move(started).value();
        patience_ = steady_clock::now() + kConnectTimeout;
    }
    if (Result<void> ready = session_->connected(patience_); !ready)
        return std::move(ready).error();
    return session_;
}

}  // namespace obcanal::ha
