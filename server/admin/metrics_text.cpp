#include "server/admin/metrics_text.h"

#include "protocol/base/text.h"
#include "protocol/canal/packets.h"
#include "server/admin/stage_delays.h"

#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>

namespace obcanal::admin {

using instance::ClientCounters;
using instance::InstanceStatus;
using instance::Phase;

namespace {

double number(int64_t value) { return static_cast<double>(value); }

double number(uint64_t value) { return static_cast<double>(value); }

constexpr double kNsPerMs = 1e6;

// What clients asked for; the reference counts an empty get apart from the others.
void add_client_requests(MetricsText& to, const InstanceStatus& one, const MetricLabels& labels) {
    const ClientCounters::Values& requests = one.requests;
    const auto with = [&labels](std::string name, std::string value) {
        MetricLabels more = labels;
        more.emplace_back(std::move(name), std::move(value));
        return more;
    };
    for (size_t i = 0; i < requests.packets.size(); ++i) {
        const auto type = static_cast<canal::PacketType>(i);
        const bool always = type == canal::PacketType::Get || type == canal::PacketType::ClientAck;
        if (requests.packets[i] == 0 && !always) continue;
        to.counter(
            "canal_instance_client_packets",
            "Requests of clients",
            with("packetType", std::string(canal::packet_type_name(type))),
            number(requests.packets[i])
        );
    }
    to.counter(
        "canal_instance_client_bytes", "Bytes sent to clients", labels, number(requests.bytes)
    );
    to.counter(
        "canal_instance_client_empty_batches",
        "Gets that brought nothing",
        labels,
        number(requests.empty_batches)
    );
    for (size_t i = 0; i < requests.errors.size(); ++i) {
        if (requests.errors[i] == 0) continue;
        to.counter(
            "canal_instance_client_request_error",
            "Requests answered with an error",
            with("errorCode", std::to_string(ClientCounters::kErrorCodes[i])),
            number(requests.errors[i])
        );
    }
    std::array<double, ClientCounters::kLatencyBoundsUs.size()> bounds;
    for (size_t i = 0; i < bounds.size(); ++i)
        bounds[i] = number(ClientCounters::kLatencyBoundsUs[i]) / 1000;
    to.histogram(
        "canal_instance_client_request_latency",
        "Milliseconds from a request to its answer, waiting for entries included",
        labels,
        bounds,
        requests.latency,
        number(requests.latency_us) / 1000
    );
}

void add_store(MetricsText& to, const InstanceStatus& one, const MetricLabels& labels) {
    const bool by_size = one.batch_mode == config::BatchMode::MemSize;
    MetricLabels store = labels;
    store.emplace_back("batchMode", by_size ? "MEMSIZE" : "ITEMSIZE");
    store.emplace_back("size", std::to_string(one.ring_slots));
    to.gauge("canal_instance_store", "The store's settings", store, 1);
    to.counter(
        "canal_instance_store_produce_seq",
        "Sequence number of the last entry put",
        labels,
        number(one.put.sequence)
    );
    to.counter(
        "canal_instance_store_consume_seq",
        "Sequence number of the last entry acknowledged",
        labels,
        number(one.acked.sequence)
    );
    if (!by_size) return;
    to.counter("canal_instance_store_produce_mem", "Bytes put", labels, number(one.put.bytes));
    to.counter(
        "canal_instance_store_consume_mem", "Bytes acknowledged", labels, number(one.acked.bytes)
    );
}

void add_rows_and_delays(
    MetricsText& to, const InstanceStatus& one, const MetricLabels& labels, int64_t now_ms
) {
    const StageDelays delays = stage_delays(one, now_ms);
    to.gauge(
        "canal_instance_traffic_delay",
        "Milliseconds that reading is behind the source",
        labels,
        number(delays.put)
    );
    to.gauge(
        "canal_instance_put_delay", "Milliseconds that put is behind", labels, number(delays.put)
    );
    to.gauge(
        "canal_instance_get_delay", "Milliseconds that get is behind", labels, number(delays.got)
    );
    to.gauge(
        "canal_instance_ack_delay", "Milliseconds that ack is behind", labels, number(delays.acked)
    );
    to.counter("canal_instance_put_rows", "Rows put", labels, number(one.put.rows));
    to.counter("canal_instance_get_rows", "Rows handed out", labels, number(one.got.rows));
    to.counter("canal_instance_ack_rows", "Rows acknowledged", labels, number(one.acked.rows));
}

void add_stage(
    MetricsText& to,
    const InstanceStatus& one,
    const char* name,
    const instance::StageStatus& stage,
    int64_t delay_ms
) {
    const MetricLabels labels{{"destination", one.destination}, {"stage", name}};
    to.counter("obcanal_stage_rows", "Rows that passed the stage", labels, number(stage.rows));
    to.counter("obcanal_stage_bytes", "Bytes that passed the stage", labels, number(stage.bytes));
    to.gauge("obcanal_stage_delay_ms", "Milliseconds behind the source", labels, number(delay_ms));
}

void add_bounded(
    MetricsText& to, const InstanceStatus& one, const char* what, int64_t used, uint64_t limit
) {
    const MetricLabels labels{{"destination", one.destination}, {"resource", what}};
    to.gauge(
        "obcanal_bounded_used", "How much of a bounded resource is taken", labels, number(used)
    );
    to.gauge("obcanal_bounded_limit", "How much there is of it", labels, number(limit));
}

void add_source(MetricsText& to, const InstanceStatus& one, const MetricLabels& labels) {
    to.gauge("obcanal_source_connected", "1 while the source sends", labels, one.connected ? 1 : 0);
    to.counter(
        "obcanal_source_bytes", "Bytes received from the source", labels, number(one.source_bytes)
    );
    to.counter("obcanal_source_records", "Records received", labels, number(one.source_records));
    to.counter(
        "obcanal_source_connections", "Connections made", labels, number(one.source_connections)
    );
    to.counter(
        "obcanal_source_repeated_transactions",
        "Transactions that came again after a reconnect and were left out",
        labels,
        number(one.repeated_transactions)
    );
    to.counter(
        "obcanal_source_unnamed_tables",
        "Tables whose rows were sent with the columns @1, @2, ...: nobody could name them",
        labels,
        number(one.unnamed_tables)
    );
    if (one.purge_hours) {
        to.gauge(
            "obcanal_source_purge_hours",
            "Hours until the source may purge the log in which the first cursor stands, at the "
            "earliest; not there while its logs are kept or it does not say",
            labels,
            *one.purge_hours
        );
    }
}

}  // namespace

void add_canal_metrics(
    MetricsText& to, const std::vector<InstanceStatus>& destinations, int64_t now_ms
) {
    for (const InstanceStatus& one : destinations) {
        if (one.phase == Phase::Idle || one.phase == Phase::Stopped || one.phase == Phase::Standby)
            continue;
        const MetricLabels labels{{"destination", one.destination}};
        const auto with = [&labels](const char* name, const char* value) {
            MetricLabels more = labels;
            more.emplace_back(name, value);
            return more;
        };
        to.gauge("canal_instance", "A destination", with("mode", "spring"), 1);
        to.gauge(
            "canal_instance_subscriptions", "Subscribed clients", labels, number(one.clients.size())
        );
        // One thread decodes a destination; there is no stage before it to wait for.
        to.gauge("canal_instance_parser_mode", "The parser", with("parallel", "false"), 1);
        to.counter(
            "canal_instance_publish_blocking_time",
            "Milliseconds that receiving waited for parsing",
            with("parser", "0"),
            0
        );
        to.counter(
            "canal_instance_received_binlog_bytes",
            "Bytes received from the source",
            with("parser", "0"),
            number(one.source_bytes)
        );
        to.counter(
            "canal_instance_sink_blocking_time",
            "Milliseconds waited for room in the store",
            labels,
            number(one.blocked_ns) / kNsPerMs
        );
        to.counter(
            "canal_instance_transactions", "Transactions read", labels, number(one.transactions)
        );
        add_rows_and_delays(to, one, labels, now_ms);
        add_store(to, one, labels);
        add_client_requests(to, one, labels);
    }
}

void add_own_metrics(
    MetricsText& to, const ServerFacts& facts, const std::vector<PortUse>& ports, int64_t now_ms
) {
    to.gauge("obcanal_info", "The program", {{"version", OBCANAL_VERSION}}, 1);
    to.gauge("obcanal_serving", "1 unless the admin port stopped it", {}, facts.serving ? 1 : 0);
    for (const PortUse& port : ports) {
        const MetricLabels labels{{"port", port.port}};
        to.gauge("obcanal_connections_used", "Open connections", labels, number(port.connections));
        to.gauge("obcanal_connections_limit", "As many are let in", labels, number(port.limit));
    }
    constexpr std::array kPhases{
        Phase::Idle, Phase::Running, Phase::Failed, Phase::Stopped, Phase::Standby
    };
    for (const InstanceStatus& one : facts.destinations) {
        const MetricLabels labels{{"destination", one.destination}};
        for (const Phase phase : kPhases) {
            to.gauge(
                "obcanal_destination_phase",
                "1 for the phase that the destination is in",
                {{"destination", one.destination},
                 {"phase", std::string(instance::phase_name(phase))}},
                one.phase == phase ? 1 : 0
            );
        }
        to.gauge(
            "obcanal_configuration_refused",
            "1 while what the destination's files say is wrong and not in use",
            labels,
            one.refused_config.empty() ? 0 : 1
        );
        to.counter(
            "obcanal_filter_limit_exceeded",
            "Names for which an expression of the table filter took too long: it counts as no "
            "match",
            labels,
            number(one.filter_limits)
        );
        add_source(to, one, labels);
        const StageDelays delays = stage_delays(one, now_ms);
        add_stage(to, one, "put", one.put, delays.put);
        // Handing out and acknowledging wait for nothing but the client.
        to.counter(
            "obcanal_stage_waiting_ms",
            "Milliseconds that the stage waited for room in the next one",
            {{"destination", one.destination}, {"stage", "put"}},
            number(one.blocked_ns) / kNsPerMs
        );
        add_stage(to, one, "get", one.got, delays.got);
        add_stage(to, one, "ack", one.acked, delays.acked);
        const int64_t entries = one.put.sequence - one.acked.sequence;
        add_bounded(to, one, "ring_entries", entries, one.ring_slots);
        add_bounded(to, one, "ring_bytes", one.put.bytes - one.acked.bytes, one.ring_bytes);
        to.gauge(
            "obcanal_memory_bytes",
            "Chunks in use, with what clients are still receiving",
            labels,
            number(one.memory_bytes)
        );
        size_t open = 0;
        for (const instance::ClientStatus& client : one.clients) open += client.open_batches;
        to.gauge("obcanal_open_batches", "Batches not acknowledged yet", labels, number(open));
    }
}

void add_process_metrics(MetricsText& to) {
    rusage use{};
    if (::getrusage(RUSAGE_SELF, &use) == 0) {
        const auto seconds = [](const timeval& time) {
            return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
        };
        to.counter(
            "process_cpu_seconds_total",
            "CPU time used",
            {},
            seconds(use.ru_utime) + seconds(use.ru_stime)
        );
    }
    std::ifstream statm("/proc/self/statm");
    int64_t pages = 0;
    int64_t resident = 0;
    if (statm >> pages >> resident) {
        const auto page_bytes = static_cast<double>(::sysconf(_SC_PAGESIZE));
        to.gauge("process_virtual_memory_bytes", "Address space", {}, number(pages) * page_bytes);
        to.gauge(
            "process_resident_memory_bytes", "Memory in use", {}, number(resident) * page_bytes
        );
    }
    std::error_code code;
    const std::filesystem::directory_iterator files("/proc/self/fd", code);
    if (!code) {
        const auto count = std::distance(begin(files), end(files));
        to.gauge("process_open_fds", "Open descriptors", {}, number(int64_t{count}));
    }
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0)
        to.gauge("process_max_fds", "Descriptors allowed", {}, static_cast<double>(limit.rlim_cur));
    // Field 22 of /proc/self/stat: ticks between the machine's start and ours; the program's name
    // in field 2 may hold blanks.
    std::ifstream stat("/proc/self/stat");
    std::string line;
    std::getline(stat, line);
    timespec up{};
    const size_t behind_name = line.rfind(')');
    if (behind_name != std::string::npos && ::clock_gettime(CLOCK_BOOTTIME, &up) == 0) {
        const std::vector<std::string_view> words =
            split(std::string_view(line).substr(behind_name + 1), ' ');
        constexpr size_t kStartTime = 20;
        const auto ticks = words.size() > kStartTime ? parse_uint(words[kStartTime]) : std::nullopt;
        if (ticks) {
            const auto per_second = static_cast<double>(::sysconf(_SC_CLK_TCK));
            const double booted =
                static_cast<double>(std::time(nullptr)) - static_cast<double>(up.tv_sec);
            to.gauge(
                "process_start_time_seconds",
                "When the process began",
                {},
                booted + static_cast<double>(*ticks) / per_second
            );
        }
    }
}

}  // namespace obcanal::admin
