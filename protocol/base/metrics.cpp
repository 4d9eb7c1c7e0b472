#include "protocol/base/metrics.h"

#include "protocol/base/assert.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>

namespace obcanal {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

ClientMetric labelled(const MetricLabels& labels) {
    ClientMetric metric;
    for (const auto& [name, value] : labels) metric.label.push_back({name, value});
    return metric;
}

}  // namespace

struct MetricsText::State {
    MetricFamily& family(std::string_view name, std::string_view help, MetricType type) {
        const auto found = places.find(name);
        if (found != places.end()) {
            OBC_ASSERT(families[found->second].type == type);
            return families[found->second];
        }
        places.emplace(name, families.size());
        families.push_back({std::string(name), std::string(help), type, {}});
        return families.back();
    }

    std::vector<MetricFamily> families;
    std::map<std::string, size_t, std::less<>> places;
};

MetricsText::MetricsText() : state_(std::make_unique<State>()) {}

MetricsText::~MetricsText() = default;

void MetricsText::counter(
    std::string_view name, std::string_view help, const MetricLabels& labels, double value
) {
    ClientMetric metric = labelled(labels);
    metric.counter.value = value;
    state_->family(name, help, MetricType::Counter).metric.push_back(std::move(metric));
}

void MetricsText::gauge(
    std::string_view name, std::string_view help, const MetricLabels& labels, double value
) {
    ClientMetric metric = labelled(labels);
    metric.gauge.value = value;
    state_->family(name, help, MetricType::Gauge).metric.push_back(std::move(metric));
}

void MetricsText::histogram(
    std::string_view name,
    std::string_view help,
    const MetricLabels& labels,
    std::span<const double> bounds,
    std::span<const int64_t> counts,
    double sum
) {
    OBC_ASSERT(counts.size() == bounds.size() + 1);
    ClientMetric metric = labelled(labels);
    uint64_t total = 0;
    for (size_t i = 0; i < counts.size(); ++i) {
        total += static_cast<uint64_t>(counts[i]);
        const double bound =
            i < bounds.size() ? bounds[i] : std::numeric_limits<double>::infinity();
        metric.histogram.bucket.push_back({total, bound});
    }
    metric.histogram.sample_count = total;
    metric.histogram.sample_sum = sum;
    state_->family(name, help, MetricType::Histogram).metric.push_back(std::move(metric));
}

std::string MetricsText::text(const std::vector<std::string>& only) const {
    const prometheus::TextSerializer serializer;
    if (only.empty()) return serializer.Serialize(state_->families);
    std::vector<MetricFamily> chosen;
    for (const MetricFamily& family : state_->families) {
        if (std::find(only.begin(), only.end(), family.name) != only.end())
            chosen.push_back(family);
    }
    return serializer.Serialize(chosen);
}

}  // namespace obcanal
