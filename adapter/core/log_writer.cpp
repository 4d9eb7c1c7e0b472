#include "adapter/core/log_writer.h"

#include "adapter/core/json_text.h"
#include "protocol/base/clock.h"
#include "protocol/base/log.h"
#include "protocol/base/log_file.h"
#include "protocol/canal/entry_reader.h"

namespace obcanal::adapter::core {
namespace {

// As configurations of the reference's log levels name it.
constexpr std::string_view kLogger =
    "com.alibaba.otter.canal.client.adapter.logger.LoggerAdapterExample";

// A value that upstream did not log is left out: null would say something else.
void append_row(
    std::string& to,
    const Dml& dml,
    std::span<const DmlValue> image,
    std::span<const DmlValue> only_updated_in
) {
    to.push_back('{');
    bool first = true;
    for (size_t i = 0; i < image.size() && i < dml.columns.size(); ++i) {
        if (image[i].state == ValueState::Unknown) continue;
        if (!only_updated_in.empty() && !only_updated_in[i].updated) continue;
        if (!first) to.push_back(',');
        first = false;
        append_json_string(to, dml.columns[i].name);
        to.push_back(':');
        append_json_value(to, dml.columns[i], image[i]);
    }
    to.push_back('}');
}

void append_data(std::string& to, const Dml& dml) {
    if (dml.rows.empty()) {
        to += "null";
        return;
    }
    const bool removed = dml.type == canal::EventType::Delete;
    to.push_back('[');
    for (size_t i = 0; i < dml.rows.size(); ++i) {
        if (i > 0) to.push_back(',');
        append_row(to, dml, removed ? dml.rows[i].before : dml.rows[i].after, {});
    }
    to.push_back(']');
}

void append_old(std::string& to, const Dml& dml) {
    if (dml.type != canal::EventType::Update || dml.rows.empty()) {
        to += "null";
        return;
    }
    to.push_back('[');
    for (size_t i = 0; i < dml.rows.size(); ++i) {
        if (i > 0) to.push_back(',');
        const DmlRow& row = dml.rows[i];
        if (row.after.empty()) {
            to += "{}";
        } else {
            append_row(to, dml, row.before, row.after);
        }
    }
    to.push_back(']');
}

void append_keys(std::string& to, const Dml& dml) {
    if (dml.is_ddl || dml.columns.empty()) {
        to += "null";
        return;
    }
    to.push_back('[');
    bool first = true;
    for (const DmlColumn& column : dml.columns) {
        if (!column.key) continue;
        if (!first) to.push_back(',');
        first = false;
        append_json_string(to, column.name);
    }
    to.push_back(']');
}

class LogWriter : public Writer {
 public:
    explicit LogWriter(std::string group) : group_(std::move(group)) {}

    Awaitable<Result<void>> open() override { co_return Result<void>{}; }

    Awaitable<Result<void>> write(const DmlBatch& batch) override {
        for (const Dml& dml : batch.dmls) {
            std::string line(kLogger);
            line += " " + dml_line(dml, batch.destination, group_, wall_ms());
            log_whole(line);
        }
        flush_log();
        co_return Result<void>{};
    }

    bool takes_statements() const override { return true; }
    Awaitable<void> refresh() override { co_return; }
    Awaitable<void> close() override { co_return; }
    bool has_task(const std::string& /*task*/) const override { return false; }
    void stop() override {}

 private:
    const std::string group_;
};

}  // namespace

std::string dml_line(
    const Dml& dml, std::string_view destination, std::string_view group, int64_t now_ms
) {
    std::string to = R"(DML: {"data":)";
    append_data(to, dml);
    to += R"(,"database":)";
    append_json_string(to, dml.database);
    to += R"(,"destination":)";
    append_json_string(to, destination);
    to += R"(,"es":)" + std::to_string(dml.execute_ms) + R"(,"groupId":)";
    append_json_string(to, group);
    to += dml.is_ddl ? R"(,"isDdl":true,"old":)" : R"(,"isDdl":false,"old":)";
    append_old(to, dml);
    to += R"(,"pkNames":)";
    append_keys(to, dml);
    to += R"(,"sql":)";
    append_json_string(to, dml.sql);
    to += R"(,"table":)";
    append_json_string(to, dml.table);
    to += R"(,"ts":)" + std::to_string(now_ms) + R"(,"type":)";
    append_json_string(to, canal::event_type_name(static_cast<int32_t>(dml.type)));
    to.push_back('}');
    return to;
}

Result<std::unique_ptr<Writer>> make_log_writer(const WriterContext& context) {
    return std::unique_ptr<Writer>(std::make_unique<LogWriter>(context.group));
}

}  // namespace obcanal::adapter::core
