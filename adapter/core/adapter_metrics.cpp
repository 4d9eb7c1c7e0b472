#include "adapter/core/adapter_metrics.h"

#include "protocol/base/clock.h"

namespace obcanal::adapter::core {
namespace {

void add_destination(MetricsText& text, const Pipeline& pipeline, bool on) {
    const PipelineStats& stats = pipeline.stats();
    const MetricLabels labels{{"destination", pipeline.name()}};
    const auto rows = [&](const char* type, uint64_t count) {
        MetricLabels typed = labels;
        typed.emplace_back("type", type);
        text.counter(
            "obcanal_adapter_rows_total",
            "Rows (of DDL: statements) that every target has durably.",
            typed,
            static_cast<double>(count)
        );
    };
    rows("insert", stats.inserts);
    rows("update", stats.updates);
    rows("delete", stats.deletes);
    rows("ddl", stats.ddls);
    const auto counter = [&](const char* name, const char* help, uint64_t value) {
        text.counter(name, help, labels, static_cast<double>(value));
    };
    counter("obcanal_adapter_batches_total", "Batches that were acknowledged.", stats.batches);
    counter(
        "obcanal_adapter_retries_total", "Attempts at a batch that a target refused.", stats.retries
    );
    counter("obcanal_adapter_connects_total", "Sessions with a Canal server.", stats.connects);
    const auto gauge = [&](const char* name, const char* help, double value) {
        text.gauge(name, help, labels, value);
    };
    // While a batch does not get through, what waits grows older.
    int64_t lag = stats.lag_ms;
    if (stats.failing && stats.last_execute_ms > 0) lag = wall_ms() - stats.last_execute_ms;
    gauge(
        "obcanal_adapter_lag_seconds",
        "From a change at the source to its being in the targets.",
        static_cast<double>(lag) / 1e3
    );
    gauge(
        "obcanal_adapter_last_change_seconds",
        "When the last applied change was made, since the epoch.",
        static_cast<double>(stats.last_execute_ms) / 1e3
    );
    gauge("obcanal_adapter_connected", "1: a session with the Canal server.", stats.connected);
    gauge("obcanal_adapter_failing", "1: a target does not take its batch.", stats.failing);
    gauge("obcanal_adapter_switch_on", "1: the destination is applied.", on);
    gauge(
        "obcanal_adapter_dead_letters",
        "Changes that were parked.",
        static_cast<double>(pipeline.dead_letters())
    );
    std::array<int64_t, PipelineStats::kBatchSeconds.size() + 1> counts{};
    for (size_t i = 0; i < counts.size(); ++i) counts[i] = stats.batch_counts[i];
    text.histogram(
        "obcanal_adapter_batch_seconds",
        "From having a batch to its being in every target.",
        labels,
        PipelineStats::kBatchSeconds,
        counts,
        static_cast<double>(stats.batch_us) / 1e6
    );
}

void add_writers(MetricsText& text, const Pipeline& pipeline) {
    for (const auto& [key, counters] : pipeline.writer_counters()) {
        const MetricLabels labels{{"destination", pipeline.name()}, {"adapter", key}};
        for (const WriterCounter& counter : counters) {
            const std::string name = std::string("obcanal_adapter_") + counter.name + "_total";
            text.counter(name, counter.help, labels, static_cast<double>(counter.value));
        }
    }
    for (const auto& [key, load] : pipeline.load_figures()) {
        const MetricLabels labels{
            {"destination", pipeline.name()}, {"adapter", key}, {"task", load.task}
        };
        const auto gauge = [&](const char* name, const char* help, double value) {
            text.gauge(name, help, labels, value);
        };
        gauge("obcanal_adapter_load_running", "1: a full load is under way.", load.running());
        gauge(
            "obcanal_adapter_load_rows",
            "Rows that the full load under way, or the last one, has written.",
            static_cast<double>(load.rows)
        );
        gauge(
            "obcanal_adapter_load_total_rows",
            "Rows that there were, or about so many, when it began.",
            static_cast<double>(load.total)
        );
        gauge("obcanal_adapter_load_seconds", "Since it began.", load.seconds);
    }
}

}  // namespace

std::string metrics_page(const Generation& generation, const SyncSwitch& sync_switch) {
    MetricsText text;
    text.gauge("obcanal_adapter_build_info", "What runs here.", {{"version", OBCANAL_VERSION}}, 1);
    for (const std::shared_ptr<Pipeline>& pipeline : generation.pipelines) {
        add_destination(text, *pipeline, sync_switch.is_on(pipeline->name()));
        add_writers(text, *pipeline);
    }
    return text.text();
}

}  // namespace obcanal::adapter::core
