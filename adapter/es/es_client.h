// The REST of Elasticsearch 6 to 9 and of OpenSearch, as far as the adapter needs it: who answers,
// index mappings, bulks, counts, aliases. Belongs to a writer; its strand, stop() from any thread.
#pragma once

#include "adapter/es/es_options.h"
#include "adapter/es/es_value.h"
#include "protocol/net/http_client.h"

#include <boost/json/value.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::adapter::es {

struct EsServer {
    bool opensearch = false;
    int major = 0;
    std::string version;  // "8.14.1"

    bool has_types() const { return !opensearch && major < 7; }
};

// What the index says of its fields.
struct IndexMapping {
    std::map<std::string, EsType, std::less<>> types;  // by field
    std::vector<std::string> indexes;                  // behind the name: several of an alias
    std::string written;  // of several the one that is written to; empty: none
    bool is_alias = false;
    bool hides_fields = false;  // documents may have fields that the index does not know

    EsType type_of(std::string_view field) const {
        const auto found = types.find(field);
        return found == types.end() ? EsType::Unknown : found->second;
    }
};

class EsClient {
 public:
    static Result<std::unique_ptr<EsClient>> open(const EsOptions& options);

    // GET /. An Error: nobody answers, or it is not one of those.
    Awaitable<Result<void>> connect();
    const EsServer& server() const { return server_; }

    // NotFound when there is no such index yet.
    Awaitable<Result<IndexMapping>> mapping(std::string index, std::string type);
    // The reply of POST /_bulk, whatever its status. `body` stays alive meanwhile.
    Awaitable<Result<HttpReply>> bulk(std::string_view body);
    // The same of POST /_mget, without the documents' fields.
    Awaitable<Result<HttpReply>> states(std::string_view body);
    Awaitable<Result<uint64_t>> count(std::string index);
    Awaitable<Result<void>> refresh(std::string index);
    // Any other request; an Error when the status is not 2xx. `what` is for messages.
    Awaitable<Result<boost::json::value>> ask(
        std::string method, std::string path, std::string body
    );

    void stop() { http_->stop(); }

 private:
    explicit EsClient(std::unique_ptr<HttpClient> http) : http_(std::move(http)) {}

    std::unique_ptr<HttpClient> http_;
    EsServer server_;
};

// Of the reply of GET /.
Result<EsServer> read_server(std::string_view text);
// Of the reply of GET /{index}/_mapping; `type` in Elasticsearch 6 only, empty: the only one.
Result<IndexMapping> read_index_mapping(
    std::string_view text, std::string_view index, std::string_view type, bool has_types
);
// Of the reply of GET /_alias/{alias}: the index that is written to; empty: none is named.
Result<std::string> read_write_index(std::string_view text, std::string_view alias);
// The server's words in a reply that is no success.
Error reply_error(const HttpReply& reply, std::string_view what);

}  // namespace obcanal::adapter::es
