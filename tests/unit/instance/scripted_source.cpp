#include "tests/unit/instance/scripted_source.h"

#include "protocol/net/asio.h"
#include "server/source/oblog_position.h"

#include <array>
#include <utility>

namespace obcanal::instance {

using canal::Change;

void Script::add(Step step) {
    const std::lock_guard lock(mutex);
    steps_.push_back(std::move(step));
    if (more != nullptr) more->notify();
}

std::optional<Step> Script::next() {
    const std::lock_guard lock(mutex);
    if (at_ == steps_.size()) return std::nullopt;
    return steps_[at_++];
}

namespace {

canal::TableSpec one_column() {
    canal::TableSpec spec{"shop", "orders", {}};
    canal::ColumnSpec column;
    column.name = "id";
    column.mysql_type = "bigint";
    column.sql_type = column.null_sql_type = -5;
    column.is_key = true;
    spec.columns.push_back(column);
    return spec;
}

class ScriptedSource : public source::Source {
 public:
    ScriptedSource(std::shared_ptr<Script> script, Executor strand)
        : script_(std::move(script)), more_(std::move(strand)), plan_(one_column()) {}

    Awaitable<Error> run(std::optional<canal::LogPosition> from, source::ChangeSink& out) override {
        {
            const std::lock_guard lock(script_->mutex);
            script_->started_from = std::move(from);
            ++script_->runs;
            script_->more = &more_;
        }
        for (;;) {
            more_.arm();
            if (stopped_) break;
            std::optional<Step> step = script_->next();
            if (!step) {
                co_await more_.wait(SteadyTime::max());
                continue;
            }
            state_.records.fetch_add(1);
            if (step->fails) co_return *step->fails;
            Result<void> emitted = co_await emit(*step, out);
            if (!emitted) co_return emitted.error();
        }
        const std::lock_guard lock(script_->mutex);
        script_->more = nullptr;
        co_return Error{Errc::Stopped, Retry::Never, "stopped"};
    }

    void stop() override {
        stopped_ = true;
        more_.notify();
    }

    std::unique_ptr<source::PositionTracker> tracker(std::optional<canal::LogPosition> from
    ) const override {
        return std::make_unique<source::OblogTracker>(Endpoint{"127.0.0.1", 2983}, from);
    }

    const source::SourceState& state() const override { return state_; }

 private:
    Awaitable<Result<void>> emit(const Step& step, source::ChangeSink& out) {
        const canal::EventMark mark{1, step.commit_us / 1000, 100};
        const canal::TxnMark txn{step.id, step.commit_us, step.commit_us - 1, true};
        std::vector<Change> changes;
        std::vector<std::string> texts;
        std::vector<canal::Cell> cells;
        std::vector<canal::RowImages> images;
        if (step.heartbeat_us > 0) {
            changes.push_back(canal::Heartbeat{step.heartbeat_us});
        } else if (step.ddl) {
            changes.push_back(
                canal::DdlChange{mark, txn, canal::EventType::Alter, "shop", "orders", "alter", ""}
            );
        } else {
            for (int i = 0; i < step.rows; ++i) {
                texts.push_back(std::string(canal::kCellPadding, ' ') + std::to_string(i));
            }
            for (const std::string& text : texts) {
                const Bytes value = as_bytes(text).subspan(canal::kCellPadding);
                cells.push_back(
                    {value.data(), static_cast<uint32_t>(value.size()), canal::CellState::Value}
                );
            }
            for (const canal::Cell& cell : cells) images.push_back({{}, {&cell, 1}});
            changes.push_back(canal::TxnBegin{mark, txn, 7, false});
            for (size_t i = 0; i < images.size(); ++i) {
                changes.push_back(canal::RowsChange{
                    &plan_, canal::RowKind::Insert, {&images[i], 1}, mark, "", i + 1
                });
            }
            changes.push_back(canal::TxnEnd{mark});
        }
        Result<void> emitted = co_await out.emit(changes);
        co_return emitted;
    }

    std::shared_ptr<Script> script_;
    Notifier more_;
    canal::TablePlan plan_;
    source::SourceState state_;
    bool stopped_ = false;
};

}  // namespace

SourceFactory scripted_source(std::shared_ptr<Script> script, Executor feed_strand) {
    return
        [script = std::move(script),
         feed_strand](const config::InstanceConfig&, std::shared_ptr<const source::LiveFilter>, BlockingLane&, std::unique_ptr<schema::SchemaStore>)
            -> Result<std::unique_ptr<source::Source>> {
            return std::unique_ptr<source::Source>(
                std::make_unique<ScriptedSource>(script, feed_strand)
            );
        };
}

}  // namespace obcanal::instance
