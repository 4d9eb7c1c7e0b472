#include "server/schema/schema_record.h"

#include <array>
#include <utility>

namespace obcanal::schema {
namespace {

enum class Kind : uint8_t { Checkpoint = 1, Statement = 2, Answer = 3 };

class Writer {
 public:
    explicit Writer(Kind kind, const LogMoment& at) {
        flag(static_cast<uint8_t>(kind));
        point(at.point);
        number(static_cast<uint64_t>(at.time_ms));
    }

    void flag(uint8_t value) { out_ += static_cast<char>(value); }

    void number(uint64_t value) {
        std::array<std::byte, 10> bytes;
        const std::byte* end = write_varint(bytes.data(), value);
        out_ += as_text({bytes.data(), static_cast<size_t>(end - bytes.data())});
    }

    void text(std::string_view value) {
        number(value.size());
        out_ += value;
    }

    void point(const LogPoint& value) {
        text(value.file);
        number(value.offset);
    }

    void table(const KeptTable& table) {
        text(table.name.schema);
        text(table.name.table);
        flag(table.create_sql ? 1 : 0);
        text(table.create_sql.value_or(""));
        flag(table.asked ? 1 : 0);
        if (!table.asked) return;
        point(table.asked->before);
        point(table.asked->after);
    }

    std::string take() { return std::move(out_); }

 private:
    std::string out_;
};

class Reader {
 public:
    explicit Reader(Bytes bytes) : in_(bytes) {}

    bool at_end() const { return in_.ok() && in_.empty(); }
    bool ok() const { return in_.ok(); }
    uint8_t kind() { return in_.u8(); }
    std::string text() { return std::string(in_.text(in_.varint())); }

    LogPoint point() {
        LogPoint value;
        value.file = text();
        value.offset = in_.varint();
        return value;
    }

    LogMoment moment() {
        LogMoment value;
        value.point = point();
        value.time_ms = static_cast<int64_t>(in_.varint());
        return value;
    }

    bool flag() {
        const uint8_t value = in_.u8();
        if (value > 1) in_.fail();
        return value == 1;
    }

    KeptTable table() {
        KeptTable table;
        table.name.schema = text();
        table.name.table = text();
        const bool known = flag();
        std::string sql = text();
        if (known) table.create_sql = std::move(sql);
        if (!flag()) return table;
        LogPoint before = point();
        table.asked = AskedBetween{std::move(before), point()};
        return table;
    }

    // Each element has a byte at least: a number beyond that is not believed.
    uint64_t count() {
        const uint64_t value = in_.varint();
        if (value > in_.remaining()) in_.fail();
        return in_.ok() ? value : 0;
    }

 private:
    ByteReader in_;
};

Checkpoint read_checkpoint(Reader& in, LogMoment at) {
    Checkpoint checkpoint;
    checkpoint.at = std::move(at);
    checkpoint.origin = in.text();
    for (uint64_t left = in.count(); left > 0 && in.ok(); --left) {
        DatabaseAnswer& database = checkpoint.databases.emplace_back();
        database.name = in.text();
        database.charset = in.text();
    }
    for (uint64_t left = in.count(); left > 0 && in.ok(); --left)
        checkpoint.tables.push_back(in.table());
    return checkpoint;
}

}  // namespace

const LogMoment& moment_of(const SchemaRecord& record) {
    return std::visit([](const auto& one) -> const LogMoment& { return one.at; }, record);
}

std::string to_bytes(const SchemaRecord& record) {
    if (const auto* statement = std::get_if<LoggedStatement>(&record)) {
        Writer out(Kind::Statement, statement->at);
        out.text(statement->default_schema);
        out.text(statement->sql);
        return out.take();
    }
    if (const auto* answer = std::get_if<LoggedAnswer>(&record)) {
        Writer out(Kind::Answer, answer->at);
        out.table(answer->table);
        return out.take();
    }
    const auto& checkpoint = std::get<Checkpoint>(record);
    Writer out(Kind::Checkpoint, checkpoint.at);
    out.text(checkpoint.origin);
    out.number(checkpoint.databases.size());
    for (const DatabaseAnswer& database : checkpoint.databases) {
        out.text(database.name);
        out.text(database.charset);
    }
    out.number(checkpoint.tables.size());
    for (const KeptTable& table : checkpoint.tables) out.table(table);
    return out.take();
}

Result<SchemaRecord> parse_schema_record(Bytes bytes) {
    Reader in(bytes);
    const uint8_t kind = in.kind();
    LogMoment at = in.moment();
    std::optional<SchemaRecord> record;
    switch (static_cast<Kind>(kind)) {
        case Kind::Checkpoint: record = read_checkpoint(in, std::move(at)); break;
        case Kind::Statement: {
            LoggedStatement statement{std::move(at), in.text(), {}};
            statement.sql = in.text();
            record = std::move(statement);
            break;
        }
        case Kind::Answer: record = LoggedAnswer{std::move(at), in.table()}; break;
    }
    if (record && in.at_end()) return std::move(*record);
    return Error{
        Errc::BadPacket,
        Retry::Never,
        "schema record of kind " + std::to_string(kind) + ", " + std::to_string(bytes.size()) +
            " bytes: malformed"
    };
}

}  // namespace obcanal::schema
