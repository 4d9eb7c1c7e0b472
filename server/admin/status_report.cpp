#include "server/admin/status_report.h"

#include "protocol/base/clock.h"
#include "protocol/base/json.h"
#include "protocol/net/run_on.h"
#include "server/admin/stage_delays.h"

#include <boost/json/array.hpp>
#include <unistd.h>

#include <utility>

namespace obcanal::admin {
namespace {

namespace json = boost::json;

std::string_view source_name(const instance::InstanceStatus& one) {
    if (!one.configured) return "unknown";
    return one.source == config::SourceKind::Oblogproxy ? "oblogproxy" : "binlog";
}

json::object stage_json(const instance::StageStatus& stage, int64_t delay_ms) {
    return {
        {"sequence", stage.sequence},
        {"rows", stage.rows},
        {"bytes", stage.bytes},
        {"executeTimeMs", stage.execute_ms},
        {"delayMs", delay_ms}
    };
}

json::object client_json(const instance::ClientStatus& client) {
    json::object to{{"id", client.id.value}, {"openBatches", client.open_batches}};
    to["filter"] = client.filter ? json::value(*client.filter) : json::value();
    to["cursor"] = nullptr;
    if (client.cursor) {
        Result<json::value> cursor = parse_json(canal::to_json(*client.cursor, false));
        if (cursor) to["cursor"] = std::move(cursor).value();
    }
    return to;
}

json::value cluster_json(const std::optional<instance::ClusterStatus>& cluster) {
    if (!cluster) return nullptr;
    json::object to;
    to["leader"] = cluster->leader.empty() ? json::value() : json::value(cluster->leader);
    to["epoch"] = cluster->epoch ? json::value(*cluster->epoch) : json::value();
    json::array candidates;
    for (const std::string& one : cluster->candidates) candidates.emplace_back(one);
    to["candidates"] = std::move(candidates);
    return to;
}

json::object destination_json(const instance::InstanceStatus& one, int64_t now_ms) {
    const StageDelays delays = stage_delays(one, now_ms);
    json::array clients;
    for (const instance::ClientStatus& client : one.clients) clients.push_back(client_json(client));
    const int64_t waiting = one.put.sequence - one.acked.sequence;
    return {
        {"destination", one.destination},
        {"phase", instance::phase_name(one.phase)},
        {"failure", one.failure},
        {"refusedConfiguration", one.refused_config},
        {"cluster", cluster_json(one.cluster)},
        {"source",
         {{"kind", source_name(one)},
          {"connected", one.connected},
          {"server", one.place.server},
          {"position", one.place.position},
          {"gap", one.place.gap},
          {"purgeHours", one.purge_hours ? json::value(*one.purge_hours) : json::value()},
          {"connections", one.source_connections},
          {"bytes", one.source_bytes},
          {"records", one.source_records},
          {"repeatedTransactions", one.repeated_transactions},
          {"unnamedTables", one.unnamed_tables},
          {"checkpointUs", one.checkpoint_us}}},
        {"transactions", one.transactions},
        {"put", stage_json(one.put, delays.put)},
        {"got", stage_json(one.got, delays.got)},
        {"acked", stage_json(one.acked, delays.acked)},
        {"ring",
         {{"entries", waiting},
          {"entriesLimit", one.ring_slots},
          {"bytes", one.put.bytes - one.acked.bytes},
          {"bytesLimit", one.ring_bytes},
          {"memoryBytes", one.memory_bytes},
          {"blockedMs", one.blocked_ns / 1'000'000}}},
        {"clients", std::move(clients)}
    };
}

}  // namespace

std::string status_json(const ServerFacts& facts, int64_t now_ms) {
    json::array destinations;
    for (const instance::InstanceStatus& one : facts.destinations)
        destinations.push_back(destination_json(one, now_ms));
    const json::object all{
        {"version", OBCANAL_VERSION},
        {"pid", ::getpid()},
        {"uptimeMs", facts.uptime_ms},
        {"serving", facts.serving},
        {"clientConnections", facts.client_connections},
        {"destinations", std::move(destinations)}
    };
    return to_json_text(all);
}

StatusReport::StatusReport(ServerControl& server) : server_(server), started_(steady_now()) {}

Awaitable<ServerFacts> StatusReport::facts() const {
    ServerFacts facts;
    const std::shared_ptr<instance::InstanceSet> instances = server_.instances();
    facts.serving = instances != nullptr;
    const auto uptime = steady_now() - started_;
    facts.uptime_ms = std::chrono::duration_cast<std::chrono::milliseconds>(uptime).count();
    facts.client_connections = server_.client_connections();
    if (instances) {
        const Executor control = instances->control();
        facts.destinations = co_await run_on(control, instances->status());
    }
    co_return facts;
}

Awaitable<std::string> StatusReport::json() const {
    const ServerFacts now = co_await facts();
    co_return status_json(now, wall_ms());
}

}  // namespace obcanal::admin
