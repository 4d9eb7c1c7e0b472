#include "protocol/net/http_server.h"

#include "protocol/base/clock.h"
#include "protocol/base/crypto.h"
#include "protocol/base/input_buffer.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/net/run_on.h"
#include "protocol/net/task_group.h"

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <list>

namespace obcanal {
namespace {

namespace http = boost::beast::http;

constexpr std::chrono::milliseconds kAcceptPause{100};
constexpr std::chrono::milliseconds kClosePoll{20};
constexpr size_t kReadBytes = 4096;
// For what a refused request still sends.
constexpr std::chrono::milliseconds kDiscardTime{1000};
constexpr size_t kDiscardBytes = size_t{4} << 20;

using RequestParser = http::request_parser<http::string_body>;

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

// Percent escapes, and '+' as a blank where `form` says so; nothing when an escape is broken.
std::optional<std::string> decode(std::string_view text, bool form) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%') {
            const auto byte = from_hex(text.substr(i + 1, 2));
            if (!byte || byte->size() != 1) return std::nullopt;
            out += *byte;
            i += 2;
        } else {
            out.push_back(form && text[i] == '+' ? ' ' : text[i]);
        }
    }
    return out;
}

bool read_target(std::string_view target, HttpRequest& to) {
    target = target.substr(0, target.find('#'));
    const size_t mark = target.find('?');
    const auto path = decode(target.substr(0, mark), false);
    if (!path || !path->starts_with('/')) return false;
    to.path = *path;
    if (mark == std::string_view::npos) return true;
    for (const std::string_view part : split(target.substr(mark + 1), '&')) {
        if (part.empty()) continue;
        const size_t equals = part.find('=');
        const auto name = decode(part.substr(0, equals), true);
        const bool bare = equals == std::string_view::npos;
        const auto value = decode(bare ? std::string_view() : part.substr(equals + 1), true);
        if (!name || !value) return false;
        to.query.emplace_back(*name, *value);
    }
    return true;
}

int refusal_status(const boost::beast::error_code& code) {
    if (code == http::error::body_limit) return 413;
    return code == http::error::header_limit ? 431 : 400;
}

HttpResponse plain(int status, std::string text) {
    HttpResponse response;
    response.status = status;
    response.body = std::move(text) + "\n";
    return response;
}

std::string head_of(const HttpResponse& response, bool keep_alive) {
    const auto status = static_cast<unsigned>(response.status);
    std::string head = "HTTP/1.1 " + std::to_string(status) + " ";
    head += view(http::obsolete_reason(http::int_to_status(status)));
    head += "\r\nServer: obcanal\r\nContent-Type: " + response.content_type;
    head += "\r\nContent-Length: " + std::to_string(response.body.size());
    head += "\r\nX-Content-Type-Options: nosniff";
    for (const auto& [name, value] : response.header) head.append("\r\n" + name + ": " + value);
    head += keep_alive ? "\r\nConnection: keep-alive" : "\r\nConnection: close";
    return head + "\r\n\r\n";
}

}  // namespace

std::string_view HttpRequest::header_value(std::string_view lower_case_name) const {
    for (const auto& [name, value] : header) {
        if (name == lower_case_name) return value;
    }
    return {};
}

std::optional<std::string> HttpRequest::query_value(std::string_view name) const {
    for (const auto& [key, value] : query) {
        if (key == name) return value;
    }
    return std::nullopt;
}

std::optional<std::pair<std::string, std::string>> basic_credentials(const HttpRequest& request) {
    constexpr std::string_view kScheme = "basic ";
    const std::string_view value = request.header_value("authorization");
    if (!equals_ignore_case(value.substr(0, kScheme.size()), kScheme)) return std::nullopt;
    const std::optional<std::string> text = from_base64(trim(value.substr(kScheme.size())));
    if (!text) return std::nullopt;
    const size_t colon = text->find(':');
    if (colon == std::string::npos) return std::nullopt;
    return std::pair{text->substr(0, colon), text->substr(colon + 1)};
}

struct HttpServer::State {
    struct Route {
        std::string method;
        std::string path;
        HttpHandler handler;
    };

    // One connection; owned by its coroutine.
    struct Connection {
        explicit Connection(Stream accepted) : stream(std::move(accepted)), deadline(stream) {}

        Stream stream;
        Deadline deadline;
        InputBuffer input;
        int refusal = 400;  // for a request that can't be read
        bool answering = false;
        bool finishing = false;
    };

    State(Listener bound, Executor own, Options given)
        : listener(std::move(bound)),
          strand(own),
          options(std::move(given)),
          accepting(own),
          tasks(own) {}

    const Route* find(std::string_view method, std::string_view path, std::string& allowed) const;
    Awaitable<void> accept_connections();
    Awaitable<void> serve(std::shared_ptr<Connection> connection);
    Awaitable<void> answer_requests(std::shared_ptr<Connection> connection);
    // Whether the connection may be used further.
    Awaitable<bool> answer_one(Connection& connection);
    Awaitable<Result<void>> read_request(Connection& connection, RequestParser& parser);
    Awaitable<void> discard_rest(Connection& connection);
    Awaitable<HttpResponse> respond(HttpRequest request);
    Awaitable<bool> send(
        Connection& connection, HttpResponse response, bool with_body, bool keep_alive
    );

    Logger log{"http"};
    LogGate gate{std::chrono::seconds(10)};
    Listener listener;
    Executor strand;
    Options options;
    TaskGroup accepting;  // and turning away
    TaskGroup tasks;
    std::vector<Route> routes;
    std::list<std::weak_ptr<Connection>> open;
    bool closing = false;
};

const HttpServer::State::Route* HttpServer::State::find(
    std::string_view method, std::string_view path, std::string& allowed
) const {
    const Route* best = nullptr;
    size_t longest = 0;
    for (const Route& route : routes) {
        const bool below = route.path.ends_with('/') && path.starts_with(route.path);
        if ((!below && route.path != path) || route.path.size() < longest) continue;
        if (route.path.size() > longest) {
            longest = route.path.size();
            best = nullptr;
            allowed.clear();
        }
        if (route.method == method) best = &route;
        allowed += (allowed.empty() ? "" : ", ") + route.method;
        if (route.method == "GET") allowed += ", HEAD";
    }
    return best;
}

Awaitable<Result<void>> HttpServer::State::read_request(
    Connection& connection, RequestParser& parser
) {
    parser.header_limit(options.header_bytes);
    parser.body_limit(options.body_bytes);
    parser.eager(true);
    // What came behind the last request may be the whole next one.
    while (!parser.is_done()) {
        const Bytes pending = connection.input.pending();
        if (!pending.empty()) {
            boost::beast::error_code code;
            const size_t used = parser.put(asio::buffer(pending.data(), pending.size()), code);
            connection.input.consume(used);
            if (code && code != http::error::need_more) {
                connection.refusal = refusal_status(code);
                co_return Error{Errc::BadPacket, Retry::Never, code.message()};
            }
            if (parser.is_done() || (!code && used > 0)) continue;
        }
        // The parser wants a header in one piece, so what is pending grows until it is complete.
        Result<size_t> count =
            co_await connection.stream.read_some(connection.input.room(kReadBytes));
        if (!count) co_return std::move(count).error();
        // The first byte of a request starts its time.
        if (connection.input.pending().empty() && !parser.is_header_done())
            connection.deadline.arm(options.request_time);
        connection.input.received(*count);
    }
    co_return Result<void>{};
}

Awaitable<bool> HttpServer::State::send(
    Connection& connection, HttpResponse response, bool with_body, bool keep_alive
) {
    const std::string head = head_of(response, keep_alive);
    const std::array<Bytes, 2> pieces{as_bytes(head), as_bytes(response.body)};
    const std::span<const Bytes> all(pieces);
    Result<void> sent = co_await connection.stream.write(all.first(with_body ? 2 : 1));
    co_return sent.ok() && keep_alive;
}

// Closing while bytes of the request are on their way would reset the connection, and the peer
// might never see the answer.
Awaitable<void> HttpServer::State::discard_rest(Connection& connection) {
    connection.deadline.arm(kDiscardTime);
    size_t left = kDiscardBytes;
    while (left > 0) {
        connection.input.consume(connection.input.pending().size());
        Result<size_t> count =
            co_await connection.stream.read_some(connection.input.room(kReadBytes));
        if (!count) co_return;
        connection.input.received(*count);
        left -= std::min(left, *count);
    }
}

Awaitable<HttpResponse> HttpServer::State::respond(HttpRequest request) {
    std::string allowed;
    const std::string wanted = request.method == "HEAD" ? "GET" : request.method;
    const Route* const route = find(wanted, request.path, allowed);
    if (route == nullptr && allowed.empty()) co_return plain(404, "there is nothing here");
    if (route == nullptr) {
        HttpResponse refused = plain(405, "allowed: " + allowed);
        refused.header.emplace_back("Allow", allowed);
        co_return refused;
    }
    const std::string path = request.path;
    try {
        HttpResponse response = co_await route->handler(std::move(request));
        co_return response;
    } catch (const std::exception& failure) {  // out of memory, or a library's own
        log.error("a page could not be made", {{"path", path}, {"cause", failure.what()}});
    }
    co_return plain(500, "this page could not be made");
}

Awaitable<bool> HttpServer::State::answer_one(Connection& connection) {
    connection.deadline.arm(options.idle_time);
    RequestParser parser;
    Result<void> read = co_await read_request(connection, parser);
    connection.answering = true;
    connection.deadline.arm(options.answer_time);
    if (!read) {
        if (read.error().code != Errc::BadPacket) co_return false;
        const HttpResponse refusal = plain(connection.refusal, read.error().detail);
        co_await send(connection, refusal, true, false);
        co_await discard_rest(connection);
        co_return false;
    }
    const auto& message = parser.get();
    const bool keep_alive = message.keep_alive() && !connection.finishing;
    const bool with_body = message.method() != http::verb::head;
    HttpRequest request;
    request.method = view(message.method_string());
    request.peer = connection.stream.peer();
    request.peer_address = connection.stream.peer_address();
    request.peer_is_loopback = connection.stream.peer_is_loopback();
    for (const auto& field : message) {
        request.header.emplace_back(to_lower(view(field.name_string())), view(field.value()));
    }
    request.body = message.body();
    if (!read_target(view(message.target()), request))
        co_return co_await send(connection, plain(400, "bad request target"), with_body, false);
    HttpResponse response = co_await respond(std::move(request));
    const bool usable = co_await send(connection, std::move(response), with_body, keep_alive);
    connection.answering = false;
    co_return usable && !connection.finishing;
}

Awaitable<void> HttpServer::State::answer_requests(std::shared_ptr<Connection> connection) {
    connection->deadline.arm(options.request_time);
    Result<void> secure = co_await connection->stream.handshake();
    bool usable = secure.ok();
    while (usable) {
        if (connection->input.pending().empty()) connection->input.shrink();
        usable = co_await answer_one(*connection);
    }
    connection->deadline.disarm();
    connection->stream.close();
}

Awaitable<void> HttpServer::State::serve(std::shared_ptr<Connection> connection) {
    open.emplace_back(connection);
    const auto entry = std::prev(open.end());
    const Executor where = connection->stream.executor();
    co_await run_on(where, answer_requests(connection));
    open.erase(entry);
}

namespace {

// Too many connections: this one ends without costing anything.
Awaitable<void> turn_away(Stream stream) {
    stream.close();
    co_return;
}

}  // namespace

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

HttpServer::~HttpServer() = default;

Result<std::unique_ptr<HttpServer>> HttpServer::open(Runtime& runtime, Options options) {
    const Executor strand = runtime.make_strand();
    Result<Listener> bound = Listener::bind(strand, options.host, options.port, options.tls);
    if (!bound) return std::move(bound).error();
    auto state = std::make_unique<State>(std::move(bound).value(), strand, std::move(options));
    return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
}

void HttpServer::route(std::string method, std::string path, HttpHandler handler) {
    state_->routes.push_back({std::move(method), std::move(path), std::move(handler)});
}

uint16_t HttpServer::port() const { return state_->listener.port(); }

Executor HttpServer::strand() const { return state_->strand; }

size_t HttpServer::connections() const { return state_->tasks.running(); }

void HttpServer::start() { state_->accepting.spawn(state_->strand, state_->accept_connections()); }

Awaitable<void> HttpServer::State::accept_connections() {
    while (!closing) {
        Result<Stream> accepted = co_await listener.accept();
        if (closing) break;
        if (accepted && tasks.running() < options.connections) {
            auto connection = std::make_shared<Connection>(std::move(accepted).value());
            tasks.spawn(strand, serve(std::move(connection)));
            continue;
        }
        const int64_t held = gate.pass();
        if (held >= 0) {
            const std::string cause = accepted ? "too many connections" : accepted.error().detail;
            log.warn("a connection was refused", {{"cause", cause}, {"held_back", held}});
        }
        if (accepted) {
            const Executor where = accepted->executor();
            accepting.spawn(where, turn_away(std::move(accepted).value()));
            continue;
        }
        asio::steady_timer pause(strand, kAcceptPause);
        co_await pause.async_wait(kNoThrow);
    }
}

Awaitable<void> HttpServer::close(std::chrono::milliseconds grace) {
    State& state = *state_;
    state.closing = true;
    state.listener.close();
    const auto tell_all = [&state](bool wait_for_answer) {
        for (const std::weak_ptr<State::Connection>& entry : state.open) {
            const std::shared_ptr<State::Connection> connection = entry.lock();
            if (!connection) continue;
            asio::post(connection->stream.executor(), [connection, wait_for_answer] {
                connection->finishing = true;
                if (!wait_for_answer || !connection->answering) connection->stream.close();
            });
        }
    };
    tell_all(true);
    const SteadyTime limit = steady_now() + grace;
    while (state.tasks.running() > 0 && steady_now() < limit) {
        asio::steady_timer pause(state.strand, kClosePoll);
        co_await pause.async_wait(kNoThrow);
    }
    tell_all(false);
    co_await state.tasks.wait_for_all();
    co_await state.accepting.wait_for_all();
}

}  // namespace obcanal
