#include "adapter/core/canal_feed.h"

#include "ha/canal_tree.h"
#include "protocol/base/json.h"
#include "protocol/net/asio.h"

#include <optional>

namespace obcanal::adapter::core {

using namespace std::chrono_literals;

namespace {

// Answers to some gets wait in the socket while a batch is being written.
constexpr size_t kGetsInFlight = 2;
constexpr int kZombieGets = 2;
constexpr std::chrono::milliseconds kConnectTimeout = 3s;
constexpr std::chrono::milliseconds kAnswerTimeout = 60s;

std::string client_payload(const std::string& id) {
    return to_json_text(boost::json::object{
        {"active", true}, {"address", "obcanal-adapter"}, {"clientId", std::stoi(id)}
    });
}

}  // namespace

CanalFeed::CanalFeed(
    const config::CanalSourceConfig& source,
    std::string destination,
    std::chrono::milliseconds wait,
    BlockingLane& lane,
    std::shared_ptr<ha::ZookeeperClient> zookeeper
)
    : source_(source),
      destination_(std::move(destination)),
      wait_(wait),
      lane_(lane),
      zookeeper_(std::move(zookeeper)) {}

// Lane.
Result<Endpoint> CanalFeed::find_server() {
    Result<std::shared_ptr<ha::ZookeeperSession>> session = zookeeper_->session();
    if (!session) return std::move(session).error();
    const std::string path = ha::destination_path(destination_) + "/running";
    Result<std::optional<ha::ZookeeperNode>> node = (*session)->get(path);
    if (!node) return std::move(node).error();
    if (!*node) {
        return Error{Errc::NotFound, Retry::Backoff, path + ": no server runs the destination"};
    }
    const std::string address = ha::parse_running((*node)->data).address;
    const std::optional<Endpoint> server = parse_endpoint(address);
    if (!server) {
        return Error{
            Errc::BadPacket,
            Retry::Backoff,
            path + ": no address in '" + printable((*node)->data) + "'"
        };
    }
    return *server;
}

// Lane. Of the clients of one id, the one with this node consumes.
Result<void> CanalFeed::claim() {
    Result<std::shared_ptr<ha::ZookeeperSession>> session = zookeeper_->session();
    if (!session) return std::move(session).error();
    const std::string id = std::to_string(source_.client_id);
    const std::string path = ha::destination_path(destination_) + "/" + id + "/running";
    if (claim_ != nullptr && claim_ != *session) claim_ = nullptr;
    const Result<bool> made = (*session)->create(path, client_payload(id), ha::NodeMode::Ephemeral);
    if (!made) return made.error();
    if (!*made) {
        const Result<std::optional<ha::ZookeeperNode>> node = (*session)->get(path);
        if (!node) return node.error();
        if (!*node || (*node)->owner != (*session)->id()) {
            return Error{
                Errc::Conflict,
                Retry::Backoff,
                path + ": another client consumes, " +
                    (*node ? printable((*node)->data) : "going away")
            };
        }
    }
    claim_ = *session;
    return {};
}

Awaitable<Result<void>> CanalFeed::open() {
    Result<Endpoint> server = Endpoint{};
    const bool direct = !source_.server.empty();
    if (direct) {
        const std::optional<Endpoint> configured = parse_endpoint(source_.server);
        if (!configured) {
            co_return Error{Errc::BadConfig, Retry::Never, source_.server + ": must be host:port"};
        }
        server = *configured;
    } else {
        const std::function<void()> look = [this, &server] {
            Result<void> claimed = claim();
            if (claimed) {
                server = find_server();
            } else {
                server = std::move(claimed).error();
            }
        };
        co_await lane_.run(look);
    }
    if (!server) co_return std::move(server).error();
    server_ = server->text();

    client::CanalClientOptions options;
    options.server = *server;
    options.destination = destination_;
    options.client_id = canal::ClientId{static_cast<int16_t>(source_.client_id)};
    options.user = source_.user;
    options.password = source_.password;
    options.connect_timeout = kConnectTimeout;
    options.answer_timeout = kAnswerTimeout;
    Result<std::unique_ptr<client::CanalClient>> opened =
        co_await client::CanalClient::open(std::move(options));
    if (!opened) co_return std::move(opened).error();
    client_ = std::move(opened).value();
    Result<void> subscribed = co_await client_->subscribe({});
    if (!subscribed) {
        client_.reset();
        co_return std::move(subscribed).error().in(server_);
    }
    // A Java server does not know that the session before this one is dead, and gives a get of it
    // the next batch: the batches would come in another order. Those gets end within their wait;
    // what they took comes back with a second rollback.
    const Executor executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, kZombieGets * wait_);
    co_await timer.async_wait(kNoThrow);
    client_->rollback();
    co_return Result<void>{};
}

Awaitable<Result<canal::Messages>> CanalFeed::receive(InputBuffer* memory) {
    client::GetSize size;
    size.fetch_size = static_cast<int32_t>(source_.batch_size);
    size.wait = wait_;
    while (client_->asked() < kGetsInFlight) client_->ask(size);
    Result<canal::Messages> messages = co_await client_->receive();
    if (!messages) co_return std::move(messages).error().in(server_);
    client_->keep_in(*memory);
    co_return messages;
}

Awaitable<Result<void>> CanalFeed::flush() {
    if (!client_) co_return Result<void>{};
    Result<void> done = co_await client_->flush();
    co_return done;
}

void CanalFeed::close() {
    if (client_) client_->close();
}

Awaitable<void> CanalFeed::release() {
    client_.reset();
    if (zookeeper_ == nullptr) co_return;
    const std::function<void()> remove = [this] {
        if (claim_ == nullptr) return;
        const std::string id = std::to_string(source_.client_id);
        // When that fails, the end of the session removes it.
        static_cast<void>(claim_->remove(ha::destination_path(destination_) + "/" + id + "/running")
        );
        claim_ = nullptr;
    };
    co_await lane_.run(remove);
}

}  // namespace obcanal::adapter::core
