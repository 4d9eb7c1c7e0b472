// The text that Prometheus reads: families of counters, gauges and histograms, collected once per
// page. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace obcanal {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

class MetricsText {
 public:
    MetricsText();
    ~MetricsText();

    // A name's first call settles its help text.
    void counter(
        std::string_view name, std::string_view help, const MetricLabels& labels, double value
    );
    void gauge(
        std::string_view name, std::string_view help, const MetricLabels& labels, double value
    );
    // `counts` per bucket, one more than `bounds`: the last one has none.
    void histogram(
        std::string_view name,
        std::string_view help,
        const MetricLabels& labels,
        std::span<const double> bounds,
        std::span<const int64_t> counts,
        double sum
    );

    // In the order of the first calls. `only` not empty: no other names.
    std::string text(const std::vector<std::string>& only = {}) const;

    static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

 private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace obcanal
