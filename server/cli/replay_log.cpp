#include "server/cli/replay_log.h"

#include "protocol/base/assert.h"
#include "protocol/oblog/log_record.h"
#include "protocol/oblog/recording.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <limits>

namespace obcanal::cli {

using oblog::LogRecord;
using oblog::RecordType;

namespace {

constexpr int64_t kMicros = 1'000'000;

bool is_row(RecordType type) {
    switch (type) {
        case RecordType::Insert:
        case RecordType::Update:
        case RecordType::Delete:
        case RecordType::Replace:
        case RecordType::Put: return true;
        default: return false;
    }
}

// Smallest and largest of what was added.
template <class Number>
struct Range {
    Number first = std::numeric_limits<Number>::max();
    Number last = std::numeric_limits<Number>::min();

    void add(Number value) {
        first = std::min(first, value);
        last = std::max(last, value);
    }

    void add(const Range& other) {
        if (other.empty()) return;
        add(other.first);
        add(other.last);
    }

    bool empty() const { return first > last; }
    Range moved(Number by) const { return empty() ? *this : Range{first + by, last + by}; }
};

// Extremes of what moves. Schema changes are numbered apart from transactions.
struct Extremes {
    Range<int64_t> us;
    Range<uint64_t> transactions;
    Range<uint64_t> schema_changes;

    void add(const Extremes& other, const RecordShift& shift) {
        us.add(other.us.moved(shift.seconds * kMicros));
        transactions.add(other.transactions.moved(shift.numbers));
        schema_changes.add(other.schema_changes.moved(shift.numbers));
    }
};

Result<std::string> read_file(const std::string& name) {
    std::ifstream file(name, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(file), {}};
    if (file.bad() || !file.is_open())
        return Error{Errc::BadConfig, Retry::Never, name + ": can't be read"};
    return bytes;
}

// Whole seconds that carry `from` behind `behind`.
int64_t seconds_behind(int64_t behind, int64_t from) {
    return behind < from ? 0 : (behind - from) / kMicros + 1;
}

// A power of ten, so that the digits below it tell one transaction from another in every lap.
uint64_t stride_above(uint64_t span) {
    uint64_t stride = 10;
    while (stride <= span && stride < UINT64_MAX / 100) stride *= 10;
    return stride;
}

// What carries the numbers of `after` behind those of `before`.
uint64_t numbers_behind(const Range<uint64_t>& before, const Range<uint64_t>& after) {
    if (before.empty() || after.empty() || after.first > before.last) return 0;
    return stride_above(before.last - after.first);
}

}  // namespace

// Cuts records into units and moves whole recordings.
class ReplayLog::Loader {
 public:
    Loader(ReplayLog& log, std::vector<std::string>& remarks) : log_(log), remarks_(remarks) {}

    Result<void> add(const std::string& file) {
        Result<std::string> bytes = read_file(file);
        if (!bytes) return std::move(bytes).error();
        oblog::RecordingReader reader(as_bytes(*bytes));
        pending_ = {};
        pending_.file = file;
        for (size_t number = 0;; ++number) {
            const std::string where = file + ": record " + std::to_string(number);
            Result<std::optional<Bytes>> record = reader.next();
            if (!record) return std::move(record).error().in(where);
            if (!*record) break;
            if (Result<void> added = add_record(**record); !added)
                return std::move(added).error().in(where);
        }
        drop_open();
        move_behind();
        return {};
    }

    void finish() {
        log_.last_us_ = total_.us.last;
        log_.lap_seconds_ = seconds_behind(total_.us.last, total_.us.first);
        log_.lap_numbers_ = std::max(
            numbers_behind(total_.transactions, total_.transactions),
            numbers_behind(total_.schema_changes, total_.schema_changes)
        );
    }

 private:
    // One recording before it has its place in time.
    struct Pending {
        std::string file;
        std::string bytes;
        std::vector<Record> records;
        std::vector<Unit> units;
        Extremes extremes;
        std::optional<size_t> open;  // its first record, when a transaction is open
        std::string transaction;     // the open one's number
        uint64_t rows = 0;           // in the open unit
        int64_t commit_us = 0;
    };

    Result<void> add_record(Bytes bytes) {
        Result<LogRecord> record = LogRecord::parse(bytes);
        if (!record) return std::move(record).error();
        const RecordType type = record->type();
        const int64_t commit_us = record->commit_us();
        const std::string_view id = record->unique_id();
        if (!record->ok()) return record->error();

        if (type == RecordType::Begin) {
            drop_open();
            pending_.open = pending_.records.size();
            pending_.transaction = last_number(id);
        }
        const ShiftPlan plan = plan_shift(*record, pending_.transaction);
        Extremes& extremes = pending_.extremes;
        if (plan.number_digits > 0) {
            const bool schema_change = type == RecordType::Ddl;
            (schema_change ? extremes.schema_changes : extremes.transactions)
                .add(number_of(bytes, plan));
        }
        extremes.us.add(commit_us);
        extremes.us.add(record->checkpoint_us());
        pending_.records.push_back(
            {pending_.bytes.size(), static_cast<uint32_t>(bytes.size()), plan}
        );
        pending_.bytes += as_text(bytes);
        if (is_row(type)) ++pending_.rows;
        if (type == RecordType::Begin) pending_.commit_us = commit_us;
        if (type == RecordType::Commit || !pending_.open) close_unit(commit_us);
        return {};
    }

    void close_unit(int64_t commit_us) {
        const size_t first = pending_.open.value_or(pending_.records.size() - 1);
        pending_.units.push_back({first, pending_.rows, commit_us});
        pending_.open.reset();
        pending_.transaction.clear();
        pending_.rows = 0;
    }

    // What has no COMMIT never happened.
    void drop_open() {
        if (!pending_.open) return;
        const size_t dropped = pending_.records.size() - *pending_.open;
        remarks_.push_back(
            pending_.file + ": transaction without COMMIT left out, " + std::to_string(dropped) +
            " records"
        );
        pending_.bytes.resize(pending_.records[*pending_.open].at);
        pending_.records.resize(*pending_.open);
        pending_.open.reset();
        pending_.rows = 0;
    }

    void move_behind() {
        if (pending_.records.empty()) return;
        RecordShift shift;
        if (!log_.records_.empty()) {
            shift.seconds = seconds_behind(total_.us.last, pending_.extremes.us.first);
            shift.numbers = std::max(
                numbers_behind(total_.transactions, pending_.extremes.transactions),
                numbers_behind(total_.schema_changes, pending_.extremes.schema_changes)
            );
        }
        if (!shift.none()) {
            remarks_.push_back(
                pending_.file + ": moved by " + std::to_string(shift.seconds) +
                " s, transaction numbers by " + std::to_string(shift.numbers)
            );
        }
        place(shift);
        total_.add(pending_.extremes, shift);
    }

    void place(const RecordShift& shift) {
        const uint64_t first_record = log_.records_.size();
        for (const Record& record : pending_.records) {
            const size_t at = log_.bytes_.size();
            const Bytes bytes = as_bytes(pending_.bytes).subspan(record.at, record.size);
            const ShiftPlan plan = append_shifted(bytes, record.plan, shift, log_.bytes_);
            log_.records_.push_back({at, static_cast<uint32_t>(log_.bytes_.size() - at), plan});
        }
        int64_t latest_us = log_.units_.empty() ? std::numeric_limits<int64_t>::min()
                                                : log_.units_.back().latest_us;
        for (const Unit& unit : pending_.units) {
            latest_us = std::max(latest_us, unit.latest_us + shift.seconds * kMicros);
            log_.units_.push_back({first_record + unit.first_record, unit.rows, latest_us});
            log_.rows_ += unit.rows;
        }
    }

    ReplayLog& log_;
    std::vector<std::string>& remarks_;
    Pending pending_;
    Extremes total_;
};

Result<ReplayLog> ReplayLog::load(
    const std::vector<std::string>& files, ReplayExtent extent, std::vector<std::string>& remarks
) {
    ReplayLog log;
    Loader loader(log, remarks);
    for (const std::string& file : files) {
        if (Result<void> added = loader.add(file); !added) return std::move(added).error();
    }
    loader.finish();
    if (log.records_.empty())
        return Error{Errc::BadConfig, Retry::Never, files.front() + ": no records"};
    if (Result<void> limited = log.limit(extent); !limited) return std::move(limited).error();
    log.cut_packets(SIZE_MAX, SIZE_MAX);
    return log;
}

// Where the log ends.
Result<void> ReplayLog::limit(ReplayExtent extent) {
    end_ = extent.loop ? kEndless : records_.size();
    if (!extent.rows) return {};
    if (rows_ == 0)
        return Error{Errc::BadConfig, Retry::Never, "there are no rows in the recordings"};
    const uint64_t laps = *extent.rows / rows_;
    uint64_t rest = *extent.rows % rows_;
    if (!extent.loop && (laps > 1 || (laps == 1 && rest > 0))) return {};
    end_ = laps * records_.size();
    for (size_t i = 0; rest > 0; ++i) {
        rest -= std::min(rest, units_[i].rows);
        const bool last = i + 1 == units_.size();
        if (rest == 0) end_ += last ? records_.size() : units_[i + 1].first_record;
    }
    return {};
}

uint64_t ReplayLog::find(int64_t since_us) const {
    const int64_t lap_us = lap_seconds_ * kMicros;
    uint64_t lap = 0;
    // The laps do not overlap, so the one that reaches up to `since_us` is the first candidate.
    if (since_us > last_us_ && lap_us > 0)
        lap = static_cast<uint64_t>((since_us - last_us_ + lap_us - 1) / lap_us);
    const int64_t since = since_us - static_cast<int64_t>(lap) * lap_us;
    const auto unit = std::partition_point(units_.begin(), units_.end(), [since](const Unit& u) {
        return u.latest_us < since;
    });
    const uint64_t in_lap = unit == units_.end() ? records_.size() : unit->first_record;
    return std::min(lap * records_.size() + in_lap, end_);
}

RecordShift ReplayLog::shift_of(uint64_t record) const {
    const uint64_t lap = record / records_.size();
    return {static_cast<int64_t>(lap) * lap_seconds_, lap * lap_numbers_};
}

Bytes ReplayLog::bytes_of(const Record& record) const {
    return as_bytes(bytes_).subspan(record.at, record.size);
}

const ReplayLog::Unit& ReplayLog::unit_of(uint64_t record) const {
    const uint64_t in_lap = record % records_.size();
    const auto behind = std::partition_point(units_.begin(), units_.end(), [in_lap](const Unit& u) {
        return u.first_record <= in_lap;
    });
    return *std::prev(behind);
}

void ReplayLog::append(uint64_t record, std::string& to) const {
    const Record& one = records_[record % records_.size()];
    append_shifted(bytes_of(one), one.plan, shift_of(record), to);
}

size_t ReplayLog::size_of(uint64_t record) const { return records_[record % records_.size()].size; }

int64_t ReplayLog::checkpoint_us(uint64_t record) const {
    const Record& one = records_[record % records_.size()];
    const Result<LogRecord> parsed = LogRecord::parse(bytes_of(one));
    OBC_ASSERT(parsed);
    return parsed->checkpoint_us() + shift_of(record).seconds * kMicros;
}

uint64_t ReplayLog::unit_end(uint64_t record) const {
    const Unit* unit = &unit_of(record);
    const uint64_t lap_begin = record - record % records_.size();
    const bool last = unit == &units_.back();
    return lap_begin + (last ? records_.size() : (unit + 1)->first_record);
}

uint64_t ReplayLog::unit_rows(uint64_t record) const { return unit_of(record).rows; }

void ReplayLog::cut_packets(size_t records, size_t bytes) {
    packets_.clear();
    size_t in_packet = 0;
    size_t packet_bytes = 0;
    for (size_t i = 0; i < records_.size(); ++i) {
        const bool full = in_packet >= records || packet_bytes + records_[i].size > bytes;
        if (i == 0 || full) {
            packets_.push_back(i);
            in_packet = packet_bytes = 0;
        }
        ++in_packet;
        packet_bytes += records_[i].size;
    }
}

uint64_t ReplayLog::packet_of(uint64_t record) const {
    const uint64_t lap = record / records_.size();
    const auto behind =
        std::upper_bound(packets_.begin(), packets_.end(), record % records_.size());
    return lap * packets_.size() + static_cast<uint64_t>(behind - packets_.begin()) - 1;
}

uint64_t ReplayLog::packet_begin(uint64_t packet) const {
    const uint64_t lap = packet / packets_.size();
    return std::min(lap * records_.size() + packets_[packet % packets_.size()], end_);
}

}  // namespace obcanal::cli
