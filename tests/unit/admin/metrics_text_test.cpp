// The metrics page's text: Canal's names with their types and labels, what its dashboard asks for,
// and how late a stage is.
#include "server/admin/metrics_text.h"

#include "protocol/base/text.h"
#include "server/admin/stage_delays.h"
#include "server/admin/status_report.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

namespace obcanal::admin {
namespace {

using instance::InstanceStatus;
using instance::Phase;

constexpr int64_t kNow = 1'700'000'000'000;

InstanceStatus running(const std::string& destination) {
    InstanceStatus status;
    status.destination = destination;
    status.phase = Phase::Running;
    status.connected = true;
    status.source_bytes = 1000;
    status.transactions = 7;
    status.put = {9, 30, 4000, kNow - 100};
    status.got = {5, 20, 3000, kNow - 250};
    status.acked = {2, 10, 2000, kNow - 900};
    status.ring_slots = 16384;
    status.ring_bytes = 16384 * 1024;
    status.blocked_ns = 1'500'000;
    status.requests.packets[6] = 3;
    status.requests.errors[2] = 4;
    status.requests.latency = {1, 2, 0, 0, 1};
    status.requests.latency_us = 250'500;
    return status;
}

std::string canal_text(const std::vector<InstanceStatus>& destinations) {
    MetricsText text;
    add_canal_metrics(text, destinations, kNow);
    return text.text();
}

bool has(const std::string& text, const std::string& line) {
    return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(CanalMetrics, EveryQueryOfTheDashboardFindsItsSeries) {
    const std::string text = canal_text({running("example")});
    std::ifstream file(DASHBOARD_METRICS);
    std::string wanted;
    size_t count = 0;
    while (std::getline(file, wanted)) {
        if (wanted.starts_with('#')) continue;
        ++count;
        const size_t blank = wanted.find(' ');
        const std::string head = wanted.substr(0, blank) + "{";
        const std::string label = blank == std::string::npos ? "" : wanted.substr(blank + 1);
        bool found = false;
        for (const std::string_view line : split(text, '\n')) {
            found |= line.starts_with(head) && line.find("destination=\"example\"") != line.npos &&
                     line.find(label) != line.npos;
        }
        EXPECT_TRUE(found) << wanted;
    }
    EXPECT_EQ(count, 24U);
}

TEST(CanalMetrics, ValuesTypesAndLabelsAreTheReferences) {
    const std::string text = canal_text({running("example")});
    for (const char* line : {
             "# TYPE canal_instance gauge",
             "canal_instance{destination=\"example\",mode=\"spring\"} 1",
             "canal_instance_subscriptions{destination=\"example\"} 0",
             "# TYPE canal_instance_received_binlog_bytes counter",
             "canal_instance_received_binlog_bytes{destination=\"example\",parser=\"0\"} 1000",
             "canal_instance_sink_blocking_time{destination=\"example\"} 1.5",
             "canal_instance_transactions{destination=\"example\"} 7",
             "canal_instance_store{destination=\"example\",batchMode=\"MEMSIZE\",size=\"16384\"} 1",
             "# TYPE canal_instance_store_produce_seq counter",
             "canal_instance_store_produce_seq{destination=\"example\"} 9",
             "canal_instance_store_consume_seq{destination=\"example\"} 2",
             "canal_instance_store_produce_mem{destination=\"example\"} 4000",
             "canal_instance_store_consume_mem{destination=\"example\"} 2000",
             "# TYPE canal_instance_put_delay gauge",
             "canal_instance_traffic_delay{destination=\"example\"} 100",
             "canal_instance_put_delay{destination=\"example\"} 100",
             "canal_instance_get_delay{destination=\"example\"} 250",
             "canal_instance_ack_delay{destination=\"example\"} 900",
             "canal_instance_put_rows{destination=\"example\"} 30",
             "canal_instance_get_rows{destination=\"example\"} 20",
             "canal_instance_ack_rows{destination=\"example\"} 10",
             "canal_instance_client_packets{destination=\"example\",packetType=\"GET\"} 3",
             "canal_instance_client_request_error{destination=\"example\",errorCode=\"402\"} 4",
             "# TYPE canal_instance_client_request_latency histogram",
             "canal_instance_client_request_latency_bucket{destination=\"example\",le=\"2.5\"} 1",
             "canal_instance_client_request_latency_bucket{destination=\"example\",le=\"10\"} 3",
             "canal_instance_client_request_latency_bucket{destination=\"example\",le=\"100\"} 3",
             "canal_instance_client_request_latency_bucket{destination=\"example\",le=\"+Inf\"} 4",
             "canal_instance_client_request_latency_sum{destination=\"example\"} 250.5",
         }) {
        EXPECT_TRUE(has(text, line)) << line;
    }
}

TEST(CanalMetrics, OnlyDestinationsThatRunAreThere) {
    InstanceStatus stopped = running("stopped");
    stopped.phase = Phase::Stopped;
    InstanceStatus lazy = running("lazy");
    lazy.phase = Phase::Idle;
    EXPECT_EQ(canal_text({stopped, lazy}), "");
    InstanceStatus by_entries = running("entries");
    by_entries.batch_mode = config::BatchMode::ItemSize;
    const std::string text = canal_text({by_entries});
    EXPECT_EQ(text.find("_mem{"), text.npos);
    EXPECT_NE(text.find("batchMode=\"ITEMSIZE\""), text.npos);
}

TEST(OwnMetrics, PhasesAndBoundsAreShown) {
    ServerFacts facts;
    facts.serving = true;
    facts.destinations = {running("example"), running("failed")};
    facts.destinations[1].phase = Phase::Failed;
    facts.destinations[1].refused_config = "x:1: key: wrong";
    facts.destinations[0].filter_limits = 3;
    facts.destinations[0].purge_hours = 1.5;
    MetricsText metrics;
    add_own_metrics(metrics, facts, {{"client", 3, 100}}, kNow);
    const std::string text = metrics.text();
    for (const char* line : {
             "obcanal_serving 1",
             "obcanal_connections_used{port=\"client\"} 3",
             "obcanal_connections_limit{port=\"client\"} 100",
             "obcanal_destination_phase{destination=\"example\",phase=\"running\"} 1",
             "obcanal_destination_phase{destination=\"failed\",phase=\"running\"} 0",
             "obcanal_destination_phase{destination=\"failed\",phase=\"failed\"} 1",
             "obcanal_configuration_refused{destination=\"example\"} 0",
             "obcanal_configuration_refused{destination=\"failed\"} 1",
             "obcanal_filter_limit_exceeded{destination=\"example\"} 3",
             "obcanal_source_purge_hours{destination=\"example\"} 1.5",
             "obcanal_bounded_used{destination=\"example\",resource=\"ring_entries\"} 7",
             "obcanal_bounded_limit{destination=\"example\",resource=\"ring_entries\"} 16384",
             "obcanal_bounded_used{destination=\"example\",resource=\"ring_bytes\"} 2000",
             "obcanal_stage_rows{destination=\"example\",stage=\"get\"} 20",
             "obcanal_stage_waiting_ms{destination=\"example\",stage=\"put\"} 1.5",
         }) {
        EXPECT_TRUE(has(text, line)) << line;
    }
    EXPECT_EQ(text.find("obcanal_source_purge_hours{destination=\"failed\"}"), text.npos);
    EXPECT_EQ(metrics.text({"obcanal_serving"}).find("obcanal_stage"), text.npos);
    EXPECT_TRUE(has(metrics.text({"obcanal_serving"}), "obcanal_serving 1"));
}

TEST(OwnMetrics, TheProcessIsMeasured) {
    MetricsText metrics;
    add_process_metrics(metrics);
    const std::string text = metrics.text();
    for (const char* name :
         {"process_cpu_seconds_total",
          "process_resident_memory_bytes",
          "process_open_fds",
          "process_max_fds",
          "process_start_time_seconds"})
        EXPECT_NE(text.find("\n" + std::string(name) + " "), text.npos) << name;
}

TEST(StageDelays, AHeartbeatMakesAnIdleSourceNoLateOne) {
    InstanceStatus status = running("example");
    status.got = status.put;
    status.acked = status.put;
    status.put.execute_ms = kNow - 3'600'000;
    EXPECT_EQ(stage_delays(status, kNow).put, 3'600'000);
    status.checkpoint_us = (kNow - 40) * 1000;
    EXPECT_EQ(stage_delays(status, kNow).put, 40);
    EXPECT_EQ(stage_delays(status, kNow).got, 40);
    EXPECT_EQ(stage_delays(status, kNow).acked, 40);
    status.got.sequence = 5;
    status.got.execute_ms = kNow - 3'700'000;
    EXPECT_EQ(stage_delays(status, kNow).put, 40);
    EXPECT_EQ(stage_delays(status, kNow).got, 3'700'000);
    EXPECT_EQ(stage_delays(InstanceStatus(), kNow).acked, 0);
}

// Whoever sets a clock back, or stamps a row with the time of tomorrow, hides no delay.
TEST(StageDelays, WhatTheFutureSaysIsNotBelieved) {
    InstanceStatus status = running("example");
    status.put.execute_ms = kNow + 86'400'000;
    status.checkpoint_us = (kNow - 5000) * 1000;
    EXPECT_EQ(stage_delays(status, kNow).put, 5000);
    status.checkpoint_us = (kNow + 3'600'000) * 1000;
    status.put.execute_ms = kNow - 7000;
    EXPECT_EQ(stage_delays(status, kNow).put, 7000);
    status.put.execute_ms = kNow + 50;  // another machine's clock
    EXPECT_EQ(stage_delays(status, kNow).put, 0);
}

TEST(StatusJson, NamesWhatPeopleAskFor) {
    ServerFacts facts;
    facts.serving = true;
    facts.destinations = {running("example")};
    facts.destinations[0].failure = "say \"why\"";
    facts.destinations[0].place.gap = "lost: from bin.1:4 to bin.9:154";
    facts.destinations[0].clients.push_back({canal::ClientId{1001}, "shop\\..*", std::nullopt, 2});
    const std::string text = status_json(facts, kNow);
    for (const char* part :
         {"\"destination\":\"example\"",
          "\"phase\":\"running\"",
          "\"failure\":\"say \\\"why\\\"\"",
          "\"id\":1001",
          "\"openBatches\":2",
          "\"filter\":\"shop\\\\..*\"",
          "\"cursor\":null",
          "\"gap\":\"lost: from bin.1:4 to bin.9:154\"",
          "\"purgeHours\":null",
          "\"delayMs\":250"})
        EXPECT_NE(text.find(part), text.npos) << part;
}

}  // namespace
}  // namespace obcanal::admin
