#include "server/cli/replay_log.h"

#include "protocol/base/assert.h"
#include "protocol/oblog/log_record.h"
#include "protocol/oblog/recording.h"

#include <algorithm>
#include <filesystem>
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

// From an offset on.
Result<std::string> read_file(const std::string& name, size_t from) {
    std::ifstream file(name, std::ios::binary);
    file.seekg(static_cast<std::streamoff>(from));
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
    Loader(ReplayLog& log, std::vector<std::string>& remarks) : log_(&log), remarks_(&remarks) {}

    Result<void> add(const std::string& file) {
        Result<std::string> bytes = read_file(file, 0);
        if (!bytes) return std::move(bytes).error();
        begin(file);
        Result<size_t> units = add_records(as_bytes(*bytes));
        if (!units) return std::move(units).error();
        drop_open();
        place(shift_behind());
        return {};
    }

    // The same of a file that is being written, whose times and numbers stay as they are: nobody
    // knows yet what they will be. What follows the last whole unit is left for later.
    Result<void> follow(const std::string& file) {
        begin(file);
        Result<bool> grown = grow();
        if (!grown) return std::move(grown).error();
        return {};
    }

    Result<bool> grow() {
        std::error_code failed;
        const std::uintmax_t size = std::filesystem::file_size(pending_.file, failed);
        if (failed || size < taken_) {
            return Error{
                Errc::Io,
                Retry::Never,
                pending_.file + (failed ? ": " + failed.message() : ": has got shorter")
            };
        }
        if (size == taken_) return false;
        Result<std::string> bytes = read_file(pending_.file, taken_);
        if (!bytes) return std::move(bytes).error();
        const std::string file = pending_.file;
        begin(file);
        const size_t whole = oblog::whole_length(as_bytes(*bytes));
        Result<size_t> units = add_records(as_bytes(*bytes).first(whole));
        if (!units) return std::move(units).error();
        ByteReader rest(as_bytes(*bytes).subspan(whole));
        const uint32_t length = rest.u32_be();
        if (rest.ok() && (length < LogRecord::kSmallest || rest.remaining() >= length)) {
            return Error{
                Errc::BadPacket,
                Retry::Never,
                pending_.file + ": byte " + std::to_string(taken_ + whole) + " begins no record"
            };
        }
        if (*units == 0) return false;
        taken_ += *units;
        if (pending_.open) forget_open();
        place({});
        return true;
    }

    // Of a log that has its place in memory now, and of which nobody asks for remarks any more.
    void serve(ReplayLog& log) {
        log_ = &log;
        remarks_ = nullptr;
    }

    void finish() {
        log_->last_us_ = total_.us.empty() ? 0 : total_.us.last;
        log_->lap_seconds_ = seconds_behind(total_.us.last, total_.us.first);
        log_->lap_numbers_ = std::max(
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

    void begin(const std::string& file) {
        pending_ = {};
        pending_.file = file;
    }

    // How many bytes the whole units take.
    Result<size_t> add_records(Bytes recording) {
        oblog::RecordingReader reader(recording);
        size_t read = 0;
        size_t units = 0;
        for (size_t number = 0;; ++number) {
            const std::string where = pending_.file + ": record " + std::to_string(number);
            Result<std::optional<Bytes>> record = reader.next();
            if (!record) return std::move(record).error().in(where);
            if (!*record) return units;
            if (Result<void> added = add_record(**record); !added)
                return std::move(added).error().in(where);
            read += sizeof(uint32_t) + (*record)->size();
            if (!pending_.open) units = read;
        }
    }

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
        remark(": transaction without COMMIT left out, " + std::to_string(dropped) + " records");
        forget_open();
    }

    void forget_open() {
        pending_.bytes.resize(pending_.records[*pending_.open].at);
        pending_.records.resize(*pending_.open);
        pending_.open.reset();
        pending_.rows = 0;
    }

    void remark(const std::string& what) const {
        if (remarks_ != nullptr) remarks_->push_back(pending_.file + what);
    }

    // What carries the recording behind those before it.
    RecordShift shift_behind() const {
        RecordShift shift;
        if (log_->records_.empty() || pending_.records.empty()) return shift;
        shift.seconds = seconds_behind(total_.us.last, pending_.extremes.us.first);
        shift.numbers = std::max(
            numbers_behind(total_.transactions, pending_.extremes.transactions),
            numbers_behind(total_.schema_changes, pending_.extremes.schema_changes)
        );
        if (!shift.none()) {
            remark(
                ": moved by " + std::to_string(shift.seconds) + " s, transaction numbers by " +
                std::to_string(shift.numbers)
            );
        }
        return shift;
    }

    void place(const RecordShift& shift) {
        const uint64_t first_record = log_->records_.size();
        for (const Record& record : pending_.records) {
            const size_t at = log_->bytes_.size();
            const Bytes bytes = as_bytes(pending_.bytes).subspan(record.at, record.size);
            const ShiftPlan plan = append_shifted(bytes, record.plan, shift, log_->bytes_);
            log_->records_.push_back({at, static_cast<uint32_t>(log_->bytes_.size() - at), plan});
        }
        int64_t latest_us = log_->units_.empty() ? std::numeric_limits<int64_t>::min()
                                                 : log_->units_.back().latest_us;
        for (const Unit& unit : pending_.units) {
            latest_us = std::max(latest_us, unit.latest_us + shift.seconds * kMicros);
            log_->units_.push_back({first_record + unit.first_record, unit.rows, latest_us});
            log_->rows_ += unit.rows;
        }
        total_.add(pending_.extremes, shift);
    }

    ReplayLog* log_;
    std::vector<std::string>* remarks_;
    Pending pending_;
    Extremes total_;
    size_t taken_ = 0;  // of the recording that is followed: bytes whose units are in the log
};

ReplayLog::ReplayLog() = default;
ReplayLog::ReplayLog(ReplayLog&&) noexcept = default;
ReplayLog::~ReplayLog() = default;

Result<ReplayLog> ReplayLog::load(
    const std::vector<std::string>& files, ReplayExtent extent, std::vector<std::string>& remarks
) {
    ReplayLog log;
    auto loader = std::make_unique<Loader>(log, remarks);
    for (const std::string& file : files) {
        const bool growing = extent.follow && &file == &files.back();
        Result<void> added = growing ? loader->follow(file) : loader->add(file);
        if (!added) return std::move(added).error();
    }
    loader->finish();
    if (log.records_.empty() && !extent.follow)
        return Error{Errc::BadConfig, Retry::Never, files.front() + ": no records"};
    if (Result<void> limited = log.limit(extent); !limited) return std::move(limited).error();
    log.cut_packets(SIZE_MAX, SIZE_MAX);
    if (extent.follow) {
        log.loader_ = std::move(loader);
        log.note_last();
    }
    return log;
}

// What is open yet may be committed at any time behind the units that are there.
void ReplayLog::note_last() { last_us_ = units_.empty() ? 0 : units_.back().latest_us; }

Result<bool> ReplayLog::grow() {
    loader_->serve(*this);
    Result<bool> grown = loader_->grow();
    if (!grown || !*grown) return grown;
    note_last();
    end_ = records_.size();
    cut_packets(packet_records_, packet_bytes_);
    return true;
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
    packet_records_ = records;
    packet_bytes_ = bytes;
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
