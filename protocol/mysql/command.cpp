#include "protocol/mysql/command.h"

#include "protocol/base/text.h"
#include "protocol/mysql/packet.h"
#include "protocol/mysql/wire.h"

namespace obcanal::mysql {
namespace {

enum class Command : uint8_t {
    Quit = 0x01,
    Query = 0x03,
    BinlogDump = 0x12,
    RegisterReplica = 0x15,
    BinlogDumpGtid = 0x1E,
};

std::string command(Command which) { return std::string(1, static_cast<char>(which)); }

void append_short_text(std::string& to, std::string_view text) {
    text = text.substr(0, 255);
    append_le(to, text.size(), 1);
    to += text;
}

}  // namespace

std::string quit_command() { return command(Command::Quit); }

std::string query_command(std::string_view sql) {
    std::string out = command(Command::Query);
    out += sql;
    return out;
}

std::string register_replica_command(const ReplicaIdentity& replica) {
    std::string out = command(Command::RegisterReplica);
    append_le(out, replica.server_id, 4);
    append_short_text(out, replica.host);
    append_short_text(out, "");  // user and password that the server would print
    append_short_text(out, "");
    append_le(out, replica.port, 2);
    append_le(out, 0, 4);  // rank
    append_le(out, 0, 4);  // source id
    return out;
}

std::string binlog_dump_command(
    uint32_t server_id, std::string_view file, uint32_t position, uint16_t flags
) {
    std::string out = command(Command::BinlogDump);
    append_le(out, position, 4);
    append_le(out, flags, 2);
    append_le(out, server_id, 4);
    out += file;
    return out;
}

std::string binlog_dump_gtid_command(uint32_t server_id, const GtidSet& executed) {
    constexpr uint64_t kThroughGtid = 4;
    constexpr uint64_t kFirstPosition = 4;
    const std::string set = executed.encode();
    std::string out = command(Command::BinlogDumpGtid);
    append_le(out, kThroughGtid, 2);
    append_le(out, server_id, 4);
    append_le(out, 0, 4);  // no file name
    append_le(out, kFirstPosition, 8);
    append_le(out, set.size(), 4);
    out += set;
    return out;
}

Error QueryResult::bad(const char* what) const {
    return Error{Errc::BadPacket, Retry::Backoff, doing_ + ": result set: " + what};
}

Result<bool> QueryResult::receive(Bytes payload) {
    if (is_error(payload)) return server_error(payload, doing_);
    if (payload.empty()) return bad("empty packet");
    bytes_ += payload.size();
    if (bytes_ > kMostBytes) return bad("too large");
    switch (part_) {
        case Part::Head: return receive_head(payload);
        case Part::Columns: return receive_column(payload);
        case Part::ColumnsEnd:
            if (!is_eof(payload)) return bad("columns without an end");
            part_ = Part::Rows;
            return false;
        case Part::Rows: return receive_row(payload);
        case Part::Done: break;
    }
    return bad("goes on behind its end");
}

Result<bool> QueryResult::receive_head(Bytes payload) {
    constexpr uint8_t kLocalFile = 0xFB;
    if (packet_head(payload) == kOkHead || is_eof(payload)) {
        part_ = Part::Done;
        return true;
    }
    if (packet_head(payload) == kLocalFile) return bad("the server asks for a local file");
    ByteReader in(payload);
    columns_left_ = read_length(in);
    if (!in.ok() || columns_left_ == 0 || columns_left_ > kMostColumns)
        return bad("bad number of columns");
    part_ = Part::Columns;
    return false;
}

Result<bool> QueryResult::receive_column(Bytes payload) {
    ByteReader in(payload);
    for (int i = 0; i < 4; ++i) read_length_bytes(in);  // catalog, schema, table, its real name
    columns_.emplace_back(read_length_text(in));
    if (!in.ok()) return bad("malformed column");
    if (--columns_left_ == 0) part_ = Part::ColumnsEnd;
    return false;
}

Result<bool> QueryResult::receive_row(Bytes payload) {
    constexpr std::byte kNull{0xFB};
    if (is_eof(payload)) {
        part_ = Part::Done;
        return true;
    }
    ByteReader in(payload);
    Row row;
    for (size_t i = 0; i < columns_.size(); ++i) {
        // SHOW SLAVE HOSTS of MySQL leaves the last column out for a replica that is going away.
        const bool left_out = i > 0 && in.position() == payload.size();
        if (left_out) {
            row.emplace_back();
        } else if (in.position() < payload.size() && payload[in.position()] == kNull) {
            in.skip(1);
            row.emplace_back();
        } else {
            row.emplace_back(read_length_text(in));
        }
    }
    if (!in.ok() || !in.empty()) return bad("malformed row");
    rows_.push_back(std::move(row));
    return false;
}

std::optional<std::string> QueryResult::value(std::string_view column) const {
    if (rows_.empty()) return std::nullopt;
    for (size_t i = 0; i < columns_.size(); ++i) {
        if (equals_ignore_case(columns_[i], column)) return rows_.front()[i];
    }
    return std::nullopt;
}

}  // namespace obcanal::mysql
