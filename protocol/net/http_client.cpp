#include "protocol/net/http_client.h"

#include "protocol/net/asio.h"
#include "protocol/net/runtime.h"

#include <curl/curl.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <fstream>
#include <functional>
#include <iterator>
#include <mutex>

namespace obcanal {

namespace {

constexpr int kPollMs = 1'000;

void init_curl() {
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

// The CA's certificates in PEM, whichever form the file has.
Result<std::string> read_ca(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    if (!file.is_open() || bytes.empty()) {
        return Error{Errc::BadConfig, Retry::Never, path + ": can't be read"};
    }
    if (bytes.find("-----BEGIN") != std::string::npos) return bytes;
    if (static_cast<uint8_t>(bytes[0]) != 0x30) {
        return Error{Errc::BadConfig, Retry::Never, path + ": neither PEM nor DER"};
    }
    std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
    const int size = EVP_EncodeBlock(
        reinterpret_cast<unsigned char*>(text.data()),
        reinterpret_cast<const unsigned char*>(bytes.data()),
        static_cast<int>(bytes.size())
    );
    text.resize(static_cast<size_t>(size));
    std::string pem = "-----BEGIN CERTIFICATE-----\n";
    for (size_t at = 0; at < text.size(); at += 64) pem += text.substr(at, 64) + "\n";
    return pem + "-----END CERTIFICATE-----\n";
}

struct Receiving {
    std::string* body;
    size_t limit;
    bool too_large = false;
};

size_t on_data(char* data, size_t size, size_t count, void* to) {
    auto* const receiving = static_cast<Receiving*>(to);
    if (receiving->body->size() + size * count > receiving->limit) {
        receiving->too_large = true;
        return 0;
    }
    receiving->body->append(data, size * count);
    return size * count;
}

struct HeaderList {
    HeaderList() = default;
    HeaderList(const HeaderList&) = delete;
    HeaderList& operator=(const HeaderList&) = delete;
    ~HeaderList() { curl_slist_free_all(list); }

    void add(const std::string& line) { list = curl_slist_append(list, line.c_str()); }

    curl_slist* list = nullptr;
};

Errc code_of(CURLcode code) {
    switch (code) {
        case CURLE_OPERATION_TIMEDOUT: return Errc::Timeout;
        case CURLE_PEER_FAILED_VERIFICATION: return Errc::Auth;
        case CURLE_GOT_NOTHING:
        case CURLE_SEND_ERROR:
        case CURLE_RECV_ERROR:
        case CURLE_PARTIAL_FILE: return Errc::Closed;
        default: return Errc::Io;
    }
}

}  // namespace

struct HttpClient::State {
    // One kept connection to each host, and its thread. All but `busy` and the wake-up of `multi`
    // belong to that thread.
    struct Connection {
        explicit Connection(size_t first_host)
            : easy(curl_easy_init()), multi(curl_multi_init()), host(first_host) {}

        Connection(const Connection&) = delete;
        Connection& operator=(const Connection&) = delete;

        ~Connection() {
            lane.reset();
            curl_easy_cleanup(easy);
            curl_multi_cleanup(multi);
        }

        CURL* easy;
        CURLM* multi;
        size_t host;  // that answered last
        std::atomic<size_t> busy{0};
        std::unique_ptr<BlockingLane> lane = std::make_unique<BlockingLane>();
    };

    Result<HttpReply> perform(Connection& connection, const HttpCall& call);
    // `reached`: the request may have arrived.
    Result<HttpReply> perform_on(
        Connection& connection, const std::string& host, const HttpCall& call, bool& reached
    );
    CURLcode wait(Connection& connection);

    HttpClientOptions options;
    std::string ca;
    std::atomic<bool> stopped{false};
    std::vector<std::unique_ptr<Connection>> connections;
};

Result<HttpReply> HttpClient::State::perform(Connection& connection, const HttpCall& call) {
    Result<HttpReply> reply = Error{Errc::Io, Retry::Backoff, "no host"};
    for (size_t i = 0; i < options.hosts.size(); ++i) {
        bool reached = false;
        reply = perform_on(connection, options.hosts[connection.host], call, reached);
        if (reply || reply.error().code == Errc::Stopped) return reply;
        connection.host = (connection.host + 1) % options.hosts.size();
        if (reached) return reply;
    }
    return reply;
}

// Until the transfer is over or stop() was called.
CURLcode HttpClient::State::wait(Connection& connection) {
    int running = 1;
    while (!stopped) {
        if (curl_multi_perform(connection.multi, &running) != CURLM_OK) return CURLE_SEND_ERROR;
        if (running == 0) break;
        if (curl_multi_poll(connection.multi, nullptr, 0, kPollMs, nullptr) != CURLM_OK)
            return CURLE_SEND_ERROR;
    }
    if (stopped) return CURLE_ABORTED_BY_CALLBACK;
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(connection.multi, &left)) {
        if (message->msg == CURLMSG_DONE) return message->data.result;
    }
    return CURLE_SEND_ERROR;
}

Result<HttpReply> HttpClient::State::perform_on(
    Connection& connection, const std::string& host, const HttpCall& call, bool& reached
) {
    CURL* const easy = connection.easy;
    curl_easy_reset(easy);
    HttpReply reply;
    Receiving receiving{&reply.body, options.response_bytes};
    std::array<char, CURL_ERROR_SIZE> cause{};
    const std::chrono::milliseconds timeout =
        call.timeout.count() > 0 ? call.timeout : options.timeout;
    HeaderList header;
    header.add("Accept: application/json");
    header.add("Expect:");
    if (!options.authorization.empty()) header.add("Authorization: " + options.authorization);
    if (!call.body.empty()) header.add("Content-Type: " + call.content_type);

    const std::string url = host + call.path;
    curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call.method.c_str());
    if (!call.body.empty()) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call.body.data());
        curl_easy_setopt(
            easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size())
        );
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, header.list);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &on_data);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &receiving);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, cause.data());
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(
        easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout.count())
    );
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count()));
    if (!options.user.empty()) {
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
        curl_easy_setopt(easy, CURLOPT_USERNAME, options.user.c_str());
        curl_easy_setopt(easy, CURLOPT_PASSWORD, options.password.c_str());
    }
    if (!ca.empty()) {
        curl_blob blob{};
        blob.data = ca.data();
        blob.len = ca.size();
        blob.flags = CURL_BLOB_NOCOPY;
        curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
    }

    curl_multi_add_handle(connection.multi, easy);
    const CURLcode code = wait(connection);
    long sent = 0;
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &sent);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_multi_remove_handle(connection.multi, easy);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, static_cast<char*>(nullptr));
    reached = sent > 0;
    if (stopped) return Error{Errc::Stopped, Retry::Never, "stopped"};
    if (code == CURLE_OK) {
        reply.status = static_cast<int>(status);
        return reply;
    }
    const std::string what = call.method + " " + host + call.path + ": ";
    if (receiving.too_large) {
        return Error{
            Errc::BadPacket,
            Retry::Backoff,
            what + "the reply is larger than " + std::to_string(options.response_bytes) + " bytes"
        };
    }
    const std::string text = cause[0] != '\0' ? cause.data() : curl_easy_strerror(code);
    return Error{code_of(code), Retry::Backoff, what + text};
}

HttpClient::HttpClient(std::unique_ptr<State> state) : state_(std::move(state)) {}

HttpClient::~HttpClient() { stop(); }

Result<std::unique_ptr<HttpClient>> HttpClient::open(HttpClientOptions options) {
    init_curl();
    auto state = std::make_unique<State>();
    if (options.hosts.empty()) return Error{Errc::BadConfig, Retry::Never, "no host is named"};
    for (std::string& host : options.hosts) {
        if (!host.starts_with("http://") && !host.starts_with("https://")) {
            return Error{Errc::BadConfig, Retry::Never, host + ": neither http:// nor https://"};
        }
        while (host.ends_with('/')) host.pop_back();
    }
    if (!options.ca_file.empty()) {
        Result<std::string> ca = read_ca(options.ca_file);
        if (!ca) return std::move(ca).error();
        state->ca = std::move(ca).value();
    }
    const size_t count = std::max<size_t>(options.connections, 1);
    for (size_t i = 0; i < count; ++i) {
        state->connections.push_back(std::make_unique<State::Connection>(i % options.hosts.size()));
    }
    state->options = std::move(options);
    return std::unique_ptr<HttpClient>(new HttpClient(std::move(state)));
}

Awaitable<Result<HttpReply>> HttpClient::request(HttpCall call) {
    const auto least = std::ranges::min_element(
        state_->connections, {}, [](const auto& connection) { return connection->busy.load(); }
    );
    State::Connection& connection = **least;
    ++connection.busy;
    Result<HttpReply> reply = Error{Errc::Stopped, Retry::Never, "stopped"};
    const std::function<void()> work = [&] {
        if (!state_->stopped) reply = state_->perform(connection, call);
    };
    co_await connection.lane->run(work);
    --connection.busy;
    co_return reply;
}

void HttpClient::stop() {
    state_->stopped = true;
    for (const auto& connection : state_->connections) curl_multi_wakeup(connection->multi);
}

std::string url_encoded(std::string_view text) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string encoded;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~';
        if (plain) {
            encoded.push_back(c);
        } else {
            encoded.push_back('%');
            encoded.push_back(kHex[static_cast<uint8_t>(c) >> 4]);
            encoded.push_back(kHex[static_cast<uint8_t>(c) & 15]);
        }
    }
    return encoded;
}

}  // namespace obcanal
