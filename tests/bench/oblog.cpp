// What a recorded oblogproxy stream costs per row, stage by stage, on one thread, and the same rows
// through the protobuf library in the same run:
//   bench_oblog [recording.logmsg]
// Without an argument the recorded shop workload of the tests is read.
#include "protocol/canal/entry.pb.h"
#include "protocol/canal/entry_encoder.h"
#include "protocol/oblog/log_record.h"
#include "protocol/oblog/recording.h"
#include "server/source/oblog_translator.h"
#include "tests/bench/measure.h"

#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace obcanal::bench {
namespace {

namespace pb = obcanal::pb::entry;
using oblog::LogRecord;
using oblog::RecordType;
using oblog::StringArray;

bool is_row(RecordType type) {
    return type == RecordType::Insert || type == RecordType::Update || type == RecordType::Delete;
}

struct Recording {
    std::string bytes;
    std::vector<Bytes> records;
    std::vector<Bytes> row_records;
    // The rows as Canal entries: for each, what the protobuf library parses.
    std::vector<std::string> entries;
};

// Every value, name, type and flag of a row record, checked and looked at.
uint64_t read_all(Bytes bytes) {
    LogRecord record = LogRecord::parse(bytes).value();
    uint64_t seen = record.crc_matches() ? 1 : 0;
    seen += static_cast<uint64_t>(record.commit_us() + record.checkpoint_us());
    seen += record.db_name().size() + record.table_name().size();
    for (const StringArray& array :
         {record.column_names(), record.column_encodings(), record.old_values(), record.new_values()
         }) {
        for (uint32_t i = 0; i < array.size(); ++i) seen += array[i].size + array[i].is_null;
    }
    const auto types = record.column_types();
    const auto is_signed = record.is_signed();
    for (uint32_t i = 0; i < types.size(); ++i) seen += types[i] + is_signed.get(i, 1);
    const auto keys = record.primary_key();
    for (uint32_t i = 0; i < keys.size(); ++i) seen += static_cast<uint64_t>(keys[i]);
    if (!record.ok()) std::cerr << record.error().detail << "\n";
    return seen;
}

// The same row, parsed by generated code into messages that are reused.
class ProtobufReader {
 public:
    uint64_t read(const std::string& bytes) {
        entry_.ParseFromString(bytes);
        row_.ParseFromString(entry_.storevalue());
        return static_cast<uint64_t>(row_.rowdatas_size());
    }

 private:
    pb::Entry entry_;
    pb::RowChange row_;
};

// From a LogMessage record to Canal's entry through generated code, as a server with builders does.
class ProtobufWriter {
 public:
    size_t write(Bytes bytes) {
        LogRecord record = LogRecord::parse(bytes).value();
        const auto kind = record.type() == RecordType::Insert   ? pb::INSERT
                          : record.type() == RecordType::Update ? pb::UPDATE
                                                                : pb::DELETE;
        row_.Clear();
        row_.set_eventtype(kind);
        row_.set_isddl(false);
        pb::RowData* data = row_.add_rowdatas();
        const StringArray before = record.old_values();
        const StringArray after = record.new_values();
        const StringArray names = record.column_names();
        const auto types = record.column_types();
        const auto keys = record.primary_key();
        for (uint32_t i = 0; i < names.size(); ++i) {
            const bool is_key = keys.size() > 0 && keys[0] == static_cast<int32_t>(i);
            if (kind != pb::INSERT)
                fill(data->add_beforecolumns(), i, names, types, before, is_key, false);
            if (kind == pb::DELETE) continue;
            const bool updated = kind == pb::INSERT || before[i].text() != after[i].text();
            fill(data->add_aftercolumns(), i, names, types, after, is_key, updated);
        }
        entry_.Clear();
        pb::Header* header = entry_.mutable_header();
        header->set_version(1);
        header->set_logfilename("LogProxyMessageFile");
        header->set_logfileoffset(record.checkpoint_us() % 1'000'000);
        header->set_serverencode("UTF-8");
        header->set_executetime(record.commit_us() / 1000);
        header->set_sourcetype(pb::MYSQL);
        header->set_schemaname(std::string(source::database_of(record.db_name())));
        header->set_tablename(std::string(record.table_name()));
        header->set_eventlength(static_cast<int64_t>(bytes.size()));
        header->set_eventtype(kind);
        pb::Pair* count = header->add_props();
        count->set_key("rowsCount");
        count->set_value("1");
        entry_.set_entrytype(pb::ROWDATA);
        row_.SerializeToString(entry_.mutable_storevalue());
        entry_.SerializeToString(&out_);
        return out_.size();
    }

 private:
    static void fill(
        pb::Column* to,
        uint32_t i,
        const StringArray& names,
        const oblog::NumberArray<uint8_t>& types,
        const StringArray& values,
        bool is_key,
        bool updated
    ) {
        to->set_index(static_cast<int32_t>(i));
        to->set_sqltype(types[i]);
        to->set_name(std::string(names[i].text()));
        to->set_iskey(is_key);
        to->set_updated(updated);
        to->set_isnull(values[i].is_null);
        if (!values[i].is_null) to->set_value(std::string(values[i].text()));
        to->set_mysqltype("varchar(64)");
    }

    pb::Entry entry_;
    pb::RowChange row_;
    std::string out_;
};

// What the server does with records until they are entries: whole transactions, in order.
class Translation {
 public:
    Translation()
        : filter_(std::make_shared<const filter::TableFilter>(
              filter::TableFilter::compile(config_.filter_regex, config_.filter_black_regex).value()
          )),
          translator_(source::OblogTranslator::make(config_, filter_, state_).value()),
          encoder_("LogProxyMessageFile") {
        translator_->begin_stream();
    }

    // Hands every change to `take`.
    template <class Take>
    void run(const std::vector<Bytes>& records, Take take) {
        for (const Bytes record : records) {
            auto added = translator_->add(record);
            if (added && *added == source::OblogTranslator::Added::EmitFirst) {
                emit(take);
                added = translator_->add(record);
            }
            if (!added) std::cerr << added.error().detail << "\n";
        }
        emit(take);
    }

    canal::EntryEncoder& encoder() { return encoder_; }

 private:
    template <class Take>
    void emit(Take take) {
        for (const canal::Change& change : translator_->changes()) take(change);
        translator_->clear();
    }

    config::InstanceConfig config_;
    source::LiveFilter filter_;
    source::SourceState state_;
    std::unique_ptr<source::OblogTranslator> translator_;
    canal::EntryEncoder encoder_;
};

// The entry of a change; empty for what has none.
Bytes encode(canal::EntryEncoder& encoder, const canal::Change& change) {
    if (const auto* rows = std::get_if<canal::RowsChange>(&change)) return encoder.encode(*rows);
    if (const auto* begin = std::get_if<canal::TxnBegin>(&change)) return encoder.encode(*begin);
    if (const auto* end = std::get_if<canal::TxnEnd>(&change)) return encoder.encode(*end);
    return {};
}

bool load(const std::string& path, Recording& into) {
    std::ifstream file(path, std::ios::binary);
    into.bytes.assign(std::istreambuf_iterator<char>(file), {});
    oblog::RecordingReader reader(as_bytes(into.bytes));
    for (;;) {
        const auto record = reader.next();
        if (!record) {
            std::cerr << path << ": " << record.error().detail << "\n";
            return false;
        }
        if (!*record) break;
        into.records.push_back(**record);
        if (is_row(LogRecord::parse(**record).value().type())) into.row_records.push_back(**record);
    }
    Translation translation;
    translation.run(into.records, [&](const canal::Change& change) {
        if (!std::holds_alternative<canal::RowsChange>(change)) {
            encode(translation.encoder(), change);
            return;
        }
        ByteReader entry(encode(translation.encoder(), change));
        entry.skip(1);
        into.entries.emplace_back(entry.text(entry.varint()));
    });
    if (into.entries.empty()) std::cerr << path << ": no rows\n";
    return !into.entries.empty();
}

void run(const Recording& log) {
    const auto rows = static_cast<double>(log.row_records.size());
    const double decode = ns_per_pass([&] {
        for (const Bytes record : log.row_records) keep(read_all(record));
    });
    ProtobufReader reader;
    const double parse = ns_per_pass([&] {
        for (const std::string& entry : log.entries) keep(reader.read(entry));
    });
    report("decode a LogMessage row, every field", decode / rows, parse / rows);

    ProtobufWriter writer;
    const double built = ns_per_pass([&] {
        for (const Bytes record : log.row_records) keep(writer.write(record));
    });
    const double translated = ns_per_pass([&] {
        Translation translation;
        translation.run(log.records, [](const canal::Change& change) { keep(&change); });
    });
    const double encoded = ns_per_pass([&] {
        Translation translation;
        translation.run(log.records, [&](const canal::Change& change) {
            keep(encode(translation.encoder(), change).size());
        });
    });
    std::printf("%-48s %10.1f ns\n", "records to changes, per row", translated / rows);
    report("records to entries, per row", encoded / rows, built / rows);
}

}  // namespace
}  // namespace obcanal::bench

int main(int argc, char** argv) {
    const std::string path =
        argc > 1 ? argv[1] : std::string(OBCANAL_FIXTURES) + "/oblog/shop.logmsg";
    obcanal::bench::Recording log;
    if (!obcanal::bench::load(path, log)) return 1;
    obcanal::bench::run(log);
    return 0;
}
