// What decoding costs per row, stage by stage, on one thread:
//   bench_binlog [binlog file]
// Without an argument the recorded log of the tests is read.
#include "protocol/canal/entry_encoder.h"
#include "protocol/mysql/binlog_event.h"
#include "protocol/mysql/cell_text.h"
#include "protocol/mysql/row_cells.h"
#include "protocol/mysql/table_map.h"
#include "server/source/binlog_translator.h"
#include "tests/bench/measure.h"

#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace obcanal::bench {
namespace {

using namespace mysql;

struct Table {
    explicit Table(const TableMap& map) : layout(map), before(map.columns.size()), after(before) {
        for (const MappedColumn& column : map.columns) {
            TextFormat format;
            format.type = column.type;
            format.is_unsigned = column.is_unsigned;
            format.precision = column.precision;
            format.scale = column.scale;
            texts.push_back(make_cell_text(format));
        }
    }

    RowLayout layout;
    std::vector<std::unique_ptr<const CellText>> texts;
    std::vector<Cell> before;
    std::vector<Cell> after;
};

enum class Stage { Frame, Checksum, Split, Text };

class Decoder {
 public:
    explicit Decoder(Stage stage) : stage_(stage) {
        reader_.verify_checksums(stage != Stage::Frame);
    }

    // Rows and cells seen in one pass.
    size_t rows = 0;
    size_t cells = 0;

    void decode(Bytes log) {
        while (log.size() >= EventHeader::kSize) {
            const size_t length = EventHeader::read(log.data()).length;
            const auto event = reader_.read(log.first(length));
            if (!event) {
                std::cerr << event.error().detail << "\n";
                return;
            }
            log = log.subspan(length);
            if (stage_ == Stage::Split || stage_ == Stage::Text) take(*event);
        }
    }

 private:
    void take(const Event& event) {
        if (event.header.type == EventType::TableMap) {
            const uint64_t id = *table_map_id(event, reader_.format());
            if (!tables_.contains(id)) {
                tables_.emplace(
                    id, std::make_unique<Table>(*parse_table_map(event, reader_.format()))
                );
            }
        } else if (is_rows_event(event.header.type)) {
            take_rows(event);
        }
    }

    void take_rows(const Event& event) {
        const auto rows_event = parse_rows(event, reader_.format(), scratch_);
        Table& table = *tables_.at(rows_event->table_id);
        RowReader rows_reader(*rows_event, table.layout);
        while (!rows_reader.at_end() && rows_reader.next(table.before, table.after)) {
            ++rows;
            if (rows_event->kind != RowsKind::Insert) take_cells(table, table.before);
            if (rows_event->kind != RowsKind::Delete) take_cells(table, table.after);
        }
    }

    void take_cells(const Table& table, const std::vector<Cell>& image) {
        cells += image.size();
        keep(image.data());
        if (stage_ != Stage::Text) return;
        out_.clear();
        for (size_t i = 0; i < image.size(); ++i) {
            if (image[i].state != CellState::Value) continue;
            if (table.texts[i]) {
                table.texts[i]->write(image[i], out_);
            } else {
                out_.reserve(image[i].size);
                out_.copy(image[i].data, image[i].size);
            }
        }
        keep(out_.size());
    }

    Stage stage_;
    EventReader reader_;
    std::map<uint64_t, std::unique_ptr<Table>> tables_;
    std::string scratch_;
    ReverseWriter out_;
};

// The whole way from events to Canal's entries, without ring and socket.
class Entries {
 public:
    Entries()
        : filter_(std::make_shared<const filter::TableFilter>(
              filter::TableFilter::compile(config_.filter_regex, config_.filter_black_regex).value()
          )),
          translator_(source::BinlogTranslator::make(config_, schemas_, filter_, {}, state_).value()
          ),
          encoder_("") {
        translator_->begin_stream({"mysql-bin.000001", 4}, std::nullopt, false, 0);
    }

    uint64_t rows() const { return state_.rows.load(); }

    // Takes the event at the front and returns its length; 0: it cannot be read.
    size_t take(Bytes log) {
        const size_t length = EventHeader::read(log.data()).length;
        if (auto begun = translator_->begin(log.first(length)); !begun) {
            std::cerr << begun.error().detail << "\n";
            return 0;
        }
        for (;;) {
            const auto more = translator_->next();
            if (!more) {
                std::cerr << more.error().detail << "\n";
                return 0;
            }
            if (!*more) return length;
            for (const canal::Change& change : translator_->changes()) encode(change);
        }
    }

    bool take_all(Bytes log) {
        while (log.size() >= EventHeader::kSize) {
            const size_t length = take(log);
            if (length == 0) return false;
            log = log.subspan(length);
        }
        return true;
    }

 private:
    void encode(const canal::Change& change) {
        if (const auto* rows = std::get_if<canal::RowsChange>(&change)) {
            keep(encoder_.encode(*rows).size());
        } else if (const auto* begin = std::get_if<canal::TxnBegin>(&change)) {
            keep(encoder_.encode(*begin).size());
        } else if (const auto* end = std::get_if<canal::TxnEnd>(&change)) {
            keep(encoder_.encode(*end).size());
        }
    }

    config::InstanceConfig config_;
    schema::SchemaLog schemas_;
    source::LiveFilter filter_;
    source::SourceState state_;
    std::unique_ptr<source::BinlogTranslator> translator_;
    canal::EntryEncoder encoder_;
};

// What a busy source sends: one transaction of the log, the first with at least so many rows, over
// and over. The log up to it is taken first, as its table must be known.
void report_transaction(const char* name, Bytes log, uint64_t least_rows) {
    Entries entries;
    Bytes transaction = log;
    uint64_t rows = 0;
    while (log.size() >= EventHeader::kSize) {
        const EventType type = EventHeader::read(log.data()).type;
        if (type == EventType::MariadbGtid || type == EventType::Gtid) {
            transaction = log;
            rows = entries.rows();
        }
        const size_t length = entries.take(log);
        if (length == 0) return;
        log = log.subspan(length);
        if (type == EventType::Xid && entries.rows() - rows >= least_rows) break;
    }
    transaction = transaction.first(transaction.size() - log.size());
    rows = entries.rows() - rows;
    if (rows < least_rows) return;
    constexpr int kTimes = 200;
    const double ns = ns_per_pass([&] {
        for (int i = 0; i < kTimes; ++i) keep(entries.take_all(transaction));
    });
    std::printf(
        "%-32s %8.1f ns per row (%zu rows in %zu bytes)\n",
        name,
        ns / kTimes / static_cast<double>(rows),
        static_cast<size_t>(rows),
        transaction.size()
    );
}

void report_stage(const char* name, double ns, const Decoder& counted, size_t bytes) {
    std::printf(
        "%-32s %8.1f ns per row %8.2f ns per cell %8.0f MB/s (%zu rows, %zu cells, %zu bytes)\n",
        name,
        ns / static_cast<double>(counted.rows),
        ns / static_cast<double>(counted.cells),
        static_cast<double>(bytes) * 1000 / ns,
        counted.rows,
        counted.cells,
        bytes
    );
}

void run(const std::string& log) {
    constexpr size_t kMagic = 4;
    const Bytes events = as_bytes(log).subspan(kMagic);
    Decoder counted(Stage::Split);
    counted.decode(events);
    struct Named {
        Stage stage;
        const char* name;
    };
    for (const Named& each :
         {Named{Stage::Frame, "frame"},
          Named{Stage::Checksum, "frame, checksum"},
          Named{Stage::Split, "frame, checksum, cells"},
          Named{Stage::Text, "frame, checksum, cells, text"}}) {
        double best = 1e18;
        for (int round = 0; round < 7; ++round) {
            Decoder decoder(each.stage);
            const auto begin = std::chrono::steady_clock::now();
            decoder.decode(events);
            const std::chrono::duration<double, std::nano> took =
                std::chrono::steady_clock::now() - begin;
            best = std::min(best, took.count());
        }
        report_stage(each.name, best, counted, log.size());
    }
    const double whole = ns_per_pass([events] {
        Entries entries;
        keep(entries.take_all(events));
    });
    report_stage("entries, the log's DDL and all", whole, counted, log.size());
    report_transaction("entries of a small transaction", events, 1);
    report_transaction("entries of a larger transaction", events, 10);
}

}  // namespace
}  // namespace obcanal::bench

int main(int argc, char** argv) {
    const std::string path =
        argc > 1 ? argv[1] : std::string(OBCANAL_FIXTURES) + "/binlog/mysql-bin.000002";
    std::ifstream file(path, std::ios::binary);
    const std::string log{std::istreambuf_iterator<char>(file), {}};
    if (log.size() < 4) {
        std::cerr << path << ": no binary log\n";
        return 1;
    }
    obcanal::bench::run(log);
    return 0;
}
