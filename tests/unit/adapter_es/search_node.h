// A search node with one index of which the test decides when a bulk is answered, and how:
// documents in memory, versions and sequence numbers as Elasticsearch compares them. Thread-safe.
#pragma once

#include "protocol/net/http_server.h"
#include "protocol/net/runtime.h"

#include <boost/json/value.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace obcanal::adapter::es {

class SearchNode {
 public:
    // `fields`: {"name":{"type":"keyword"},...}, of the index's mapping.
    SearchNode(Runtime& runtime, std::string fields);
    ~SearchNode();

    std::string host() const;

    // The next bulk that has `part` in it waits for let_through().
    void hold(std::string part);
    // It is executed now, or answered as nobody may be: then none of its actions is.
    void let_through(bool refused = false);
    bool is_held();

    // What the document consists of; empty: there is none.
    std::string document(const std::string& id);
    // Ids of each bulk's actions, in the order in which they were executed or refused: "1 2", "!1".
    std::vector<std::string> bulks();

    // Until `condition`, which is looked at again after each request; false: it does not come.
    template <class Condition>
    bool comes(Condition condition) {
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (!condition()) {
            std::unique_lock lock(mutex_);
            if (std::chrono::steady_clock::now() > until) return false;
            changed_.wait_for(lock, std::chrono::milliseconds(2));
        }
        return true;
    }

 private:
    struct Document {
        boost::json::object fields;
        bool found = false;
        uint64_t version = 0;
        int64_t seq_no = -1;
    };

    Awaitable<HttpResponse> answer(HttpRequest request);
    bool is_to_be_held(const std::string& body);
    void wait_to_pass();
    std::string execute_all(const std::string& body);
    boost::json::object execute(
        const boost::json::object& action, const boost::json::value& source
    );
    std::string states(const std::string& body);

    Runtime& runtime_;
    const std::string fields_;
    std::unique_ptr<HttpServer> server_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::string held_part_;
    bool held_ = false;
    bool passes_ = false;
    bool refused_ = false;  // as told
    bool refuses_ = false;  // the one that was held
    std::map<std::string, Document> documents_;
    int64_t next_seq_no_ = 0;
    std::vector<std::string> bulks_;
    BlockingLane gate_;  // where a bulk is held; ends before what it uses
};

}  // namespace obcanal::adapter::es
