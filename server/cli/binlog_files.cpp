#include "server/cli/binlog_files.h"

#include "protocol/canal/entry_encoder.h"
#include "server/filter/table_filter.h"
#include "server/source/binlog_translator.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

namespace obcanal::cli {
namespace {

constexpr std::string_view kMagic =
    "\xfe"
    "bin";

// The events of one file, one after the other.
class LogFile {
 public:
    static Result<LogFile> open(const std::string& path) {
        LogFile file(path);
        if (!file.stream_.is_open()) return file.failure(std::strerror(errno));
        std::string magic(kMagic.size(), '\0');
        file.stream_.read(magic.data(), static_cast<std::streamsize>(magic.size()));
        if (magic != kMagic) return file.failure("not a binary log");
        return file;
    }

    // Valid until the next call; nothing at the end of the file.
    Result<std::optional<Bytes>> next() {
        constexpr size_t kHeader = mysql::EventHeader::kSize;
        event_.resize(kHeader);
        const size_t have = read_to(0);
        if (have == 0) return std::optional<Bytes>();
        const size_t length =
            have == kHeader ? mysql::EventHeader::read(as_bytes(event_).data()).length : 0;
        if (have == kHeader && length < kHeader)
            return failure("an event of " + std::to_string(length) + " bytes at " + offset());
        // A length is believed as far as the file goes.
        for (size_t at = have; at < length && at == event_.size();) {
            event_.resize(std::min(length, at + kPiece));
            at += read_to(at);
        }
        if (event_.size() != length || !stream_)
            return failure("is cut off inside of the event at " + offset());
        offset_ += length;
        return std::optional(as_bytes(event_));
    }

 private:
    static constexpr size_t kPiece = size_t{1} << 20;

    explicit LogFile(const std::string& path) : path_(path), stream_(path, std::ios::binary) {}

    size_t read_to(size_t at) {
        stream_.read(event_.data() + at, static_cast<std::streamsize>(event_.size() - at));
        return static_cast<size_t>(stream_.gcount());
    }

    std::string offset() const { return std::to_string(offset_); }

    Error failure(std::string_view what) const {
        return {Errc::BadPacket, Retry::Never, path_ + ": " + std::string(what)};
    }

    std::string path_;
    std::ifstream stream_;
    std::string event_;
    uint64_t offset_ = kMagic.size();
};

class Reader {
 public:
    static Result<std::unique_ptr<Reader>> make(
        const config::InstanceConfig& config, const EntryTaker& take
    ) {
        auto filter = filter::TableFilter::compile(config.filter_regex, config.filter_black_regex);
        if (!filter) return std::move(filter).error();
        std::unique_ptr<Reader> reader(new Reader(std::move(*filter), take));
        source::BinlogColumnOptions columns;
        auto zone = TimeZone::open("");
        if (!zone) return std::move(zone).error();
        columns.zone = std::move(*zone);
        auto translator = source::BinlogTranslator::make(
            config, reader->schemas_, reader->filter_, std::move(columns), reader->state_
        );
        if (!translator) return std::move(translator).error();
        reader->translator_ = std::move(*translator);
        return reader;
    }

    // False: no more are wanted.
    Result<bool> read(const std::string& path) {
        auto file = LogFile::open(path);
        if (!file) return std::move(file).error();
        const std::string name = path.substr(path.find_last_of('/') + 1);
        translator_->begin_stream({name, kMagic.size()}, std::nullopt, false, 0);
        for (;;) {
            auto event = file->next();
            if (!event) return std::move(event).error();
            if (!*event) return true;
            auto more = take_event(**event);
            if (!more || !*more) return more;
        }
    }

 private:
    Reader(filter::TableFilter filter, const EntryTaker& take)
        : filter_(std::make_shared<const filter::TableFilter>(std::move(filter))), take_(take) {}

    Result<bool> take_event(Bytes event) {
        if (auto begun = translator_->begin(event); !begun) return std::move(begun).error();
        for (;;) {
            auto more = translator_->next();
            if (!more) return std::move(more).error();
            if (!*more) break;
            for (const canal::Change& change : translator_->changes()) {
                auto taken = take_change(change);
                if (!taken || !*taken) return taken;
            }
        }
        if (auto saved = schemas_.save(); !saved) return std::move(saved).error();
        return true;
    }

    // Transactions of which a filter has left nothing are left out, as on their way to clients.
    Result<bool> take_change(const canal::Change& change) {
        if (const auto* begin = std::get_if<canal::TxnBegin>(&change)) {
            held_begin_ = begin->resumed ? std::string() : entry_of(encoder_.encode(*begin));
            empty_ = true;
            return true;
        }
        if (const auto* end = std::get_if<canal::TxnEnd>(&change)) {
            const bool nothing = std::exchange(empty_, false);
            held_begin_.clear();
            const Bytes record = encoder_.encode(*end);
            if (nothing) return true;
            return take(record);
        }
        Bytes record;
        if (const auto* rows = std::get_if<canal::RowsChange>(&change)) {
            record = encoder_.encode(*rows);
        } else if (const auto* ddl = std::get_if<canal::DdlChange>(&change)) {
            record = encoder_.encode(*ddl);
        } else if (const auto* statement = std::get_if<canal::StatementChange>(&change)) {
            record = encoder_.encode(*statement);
        } else {
            return true;
        }
        if (encoder_.malformed_column()) {
            return Error{
                Errc::BadPacket,
                Retry::Never,
                translator_->moment().point.text() + ": column " + *encoder_.malformed_column() +
                    ": its bytes are no value of its type"
            };
        }
        if (std::exchange(empty_, false) && !held_begin_.empty()) {
            const std::string rows = entry_of(record);
            auto taken = take_(as_bytes(std::exchange(held_begin_, {})));
            if (!taken || !*taken) return taken;
            return take_(as_bytes(rows));
        }
        return take(record);
    }

    // A record is Canal's repeated field: tag and size before the entry.
    static Bytes unwrapped(Bytes record) {
        ByteReader in(record);
        in.skip(1);
        return in.take(in.varint());
    }

    static std::string entry_of(Bytes record) { return std::string(as_text(unwrapped(record))); }
    Result<bool> take(Bytes record) { return take_(unwrapped(record)); }

    source::LiveFilter filter_;
    const EntryTaker& take_;
    schema::SchemaLog schemas_;
    source::SourceState state_;
    std::unique_ptr<source::BinlogTranslator> translator_;
    canal::EntryEncoder encoder_{""};
    std::string held_begin_;  // of a transaction that has nothing yet
    bool empty_ = false;      // so is the transaction under way
};

}  // namespace

Result<void> read_binlog_files(
    const std::vector<std::string>& files,
    const config::InstanceConfig& config,
    const EntryTaker& take
) {
    auto reader = Reader::make(config, take);
    if (!reader) return std::move(reader).error();
    for (const std::string& file : files) {
        auto more = (*reader)->read(file);
        if (!more) return std::move(more).error();
        if (!*more) break;
    }
    return {};
}

}  // namespace obcanal::cli
