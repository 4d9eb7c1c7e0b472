#include "protocol/canal/entry_encoder.h"

#include "protocol/canal/unix_timestamp.h"

#include <array>
#include <cstring>
#include <limits>

namespace obcanal::canal {
namespace {

constexpr size_t kUsualCapacity = 1024 * 1024;
constexpr size_t kFixedPart = 512;        // more than all of an entry that is no name, value or id
constexpr size_t kColumnFixedPart = 128;  // more than tags, lengths, flags and props of a column

// Column.props, whole fields: what marks a value that upstream did not log, and a key that is no
// primary key.
constexpr std::string_view kUnknownProp = "\x3a\x0f\x0a\x07unknown\x12\x04true";
constexpr std::string_view kUniqueKeyProp = "\x3a\x11\x0a\x09uniqueKey\x12\x04true";
constexpr std::string_view kRowsCount = "rowsCount";
constexpr std::string_view kRowId = "rowId";

// The eight bytes that end at `end`; the caller guarantees that they are readable.
uint64_t load_before(const std::byte* end) { return load_le<uint64_t>(end - 8); }

constexpr uint64_t kHighBits = 0x8080808080808080ULL;

// Whether all bytes are ASCII. REQUIRES: kCellPadding readable bytes in front.
bool is_ascii(const std::byte* data, size_t size) {
    const std::byte* end = data + size;
    if (size < 8) return size == 0 || (load_before(end) >> (64 - 8 * size) & kHighBits) == 0;
    uint64_t seen = load_before(end);
    for (const std::byte* at = data; at + 8 <= end; at += 8) seen |= load_le<uint64_t>(at);
    return (seen & kHighBits) == 0;
}

bool same_cell(const Cell& a, const Cell& b) {
    return a.state == b.state && a.size == b.size && std::memcmp(a.data, b.data, a.size) == 0;
}

// Whether a decimal number is above the limit; anything that is no number is not.
bool is_above(const Cell& cell, uint64_t limit) {
    constexpr size_t kShortestPromoted = 3;  // "128"
    if (limit == std::numeric_limits<uint64_t>::max() || cell.size < kShortestPromoted)
        return false;
    const auto value = parse_uint(as_text({cell.data, cell.size}));
    return value && *value > limit;
}

// Header.props, one Pair.
void put_prop(ReverseWriter& out, std::string_view key, std::string_view value) {
    const size_t begin = out.size();
    out.copy(value);
    out.varint(value.size());
    out.byte(bytes_tag(pair_field::kValue));
    out.copy(key);
    out.varint(key.size());
    out.byte(bytes_tag(pair_field::kKey));
    out.varint(out.size() - begin);
    out.byte(bytes_tag(header_field::kProps));
}

}  // namespace

EntryEncoder::EntryEncoder(std::string_view logfile_name)
    : out_(kUsualCapacity / 16),
      log_has_files_(logfile_name.empty()),
      before_text_(kFixedPart),
      after_text_(kFixedPart) {
    append_varint_field(header_start_, header_field::kVersion, 1);
    if (!log_has_files_)
        append_bytes_field(header_start_, header_field::kLogfileName, logfile_name);
    append_bytes_field(header_encoding_, header_field::kServerEncode, "UTF-8");
}

void EntryEncoder::start() {
    malformed_.reset();
    out_.shrink(kUsualCapacity);
    out_.clear();
    out_.reserve(kFixedPart);
}

void EntryEncoder::put(const PaddedBytes& bytes) {
    // The moves may write in front of the value: that place is still free, and start() keeps it
    // reserved.
    constexpr size_t kMove = 16;
    const size_t size = bytes.size;
    if (size <= TablePlan::kPadding) {
        std::byte* to = out_.claim(size) + size;
        if (size > kMove) std::memcpy(to - 2 * kMove, bytes.end - 2 * kMove, kMove);
        std::memcpy(to - kMove, bytes.end - kMove, kMove);
    } else {
        out_.copy(bytes.end - size, size);
    }
}

void EntryEncoder::put_varint_field(uint32_t field, uint64_t value) {
    out_.varint(value);
    out_.byte(varint_tag(field));
}

void EntryEncoder::put_bytes_field(uint32_t field, std::string_view value) {
    out_.copy(value);
    out_.varint(value.size());
    out_.byte(bytes_tag(field));
}

// Both fields, empty ones too.
void EntryEncoder::put_names(std::string_view schema, std::string_view table) {
    put_bytes_field(header_field::kTableName, table);
    put_bytes_field(header_field::kSchemaName, schema);
}

void EntryEncoder::put_gtid() {
    if (!gtid_.empty()) put_bytes_field(header_field::kGtid, gtid_);
}

void EntryEncoder::close_message(uint32_t field, size_t begin) {
    out_.varint(out_.size() - begin);
    out_.byte(bytes_tag(field));
}

CharsetDecoder* EntryEncoder::decoder(const std::string& charset) {
    for (auto& [name, known] : charsets_) {
        if (name == charset) return known ? &*known : nullptr;
    }
    auto& added = charsets_.emplace_back(charset, CharsetDecoder::open(charset));
    return added.second ? &*added.second : nullptr;
}

void EntryEncoder::put_converted(const ColumnPlan& column, const Cell& cell) {
    const Bytes value{cell.data, cell.size};
    text_.clear();
    switch (column.kind) {
        case ValueKind::Latin1: append_latin1(text_, value); break;
        case ValueKind::UnixTimestamp:
            text_ = unix_timestamp_text(
                as_text(value), column.fraction_digits, column.zone_offset_seconds
            );
            break;
        case ValueKind::Charset:
            if (CharsetDecoder* known = decoder(column.charset)) {
                known->decode(value, text_);
                break;
            }
            [[fallthrough]];
        case ValueKind::Utf8:
            if (is_utf8(value)) {
                out_.reserve(cell.size + kFixedPart);
                out_.copy(cell.data, cell.size);
                return;
            }
            text_ = repair_utf8(value);
            break;
    }
    out_.reserve(text_.size() + kFixedPart);
    out_.copy(text_);
}

ColumnPlan::Head EntryEncoder::put_rendered(const ColumnPlan& column, const Cell& cell) {
    const size_t begin = out_.size();
    const TextOutcome outcome = column.text->write(cell, out_);
    if (outcome == TextOutcome::Malformed && !malformed_) malformed_ = column.name;
    out_.reserve(kColumnFixedPart + kFixedPart);
    close_message(column_field::kValue, begin);
    return outcome == TextOutcome::Promoted ? ColumnPlan::Promoted : ColumnPlan::Normal;
}

bool EntryEncoder::is_updated(const ColumnPlan& column, const Cell& before, const Cell& after) {
    if (same_cell(before, after)) return false;
    const bool comparable = column.text != nullptr && column.text->ambiguous() &&
                            before.state == CellState::Value && after.state == CellState::Value;
    if (!comparable) return true;
    before_text_.clear();
    after_text_.clear();
    column.text->write(before, before_text_);
    column.text->write(after, after_text_);
    return as_text(before_text_.bytes()) != as_text(after_text_.bytes());
}

ColumnPlan::Head EntryEncoder::put_value(const ColumnPlan& column, const Cell& cell) {
    if (column.text != nullptr) return put_rendered(column, cell);
    const size_t begin = out_.size();
    const bool as_is = column.kind == ValueKind::Utf8 || column.kind == ValueKind::Latin1;
    if (as_is && is_ascii(cell.data, cell.size)) {
        if (cell.size <= kCellPadding) {
            put({cell.data + cell.size, cell.size});
        } else {
            out_.copy(cell.data, cell.size);
        }
    } else {
        put_converted(column, cell);
    }
    close_message(column_field::kValue, begin);
    return is_above(cell, column.promote_above) ? ColumnPlan::Promoted : ColumnPlan::Normal;
}

void EntryEncoder::put_column(const ColumnPlan& column, const Cell& cell, bool updated) {
    const bool has_value = cell.state == CellState::Value || cell.state == CellState::Difference;
    put(column.tail);
    ColumnPlan::Head head = ColumnPlan::Null;
    if (has_value) head = put_value(column, cell);
    if (column.unique_key) out_.copy(kUniqueKeyProp);
    if (cell.state == CellState::Unknown) out_.copy(kUnknownProp);
    // Java writes both flags even when they are false.
    const std::array<uint8_t, 4> flags{
        varint_tag(column_field::kUpdated),
        static_cast<uint8_t>(updated),
        varint_tag(column_field::kIsNull),
        static_cast<uint8_t>(!has_value)
    };
    out_.copy(flags.data(), flags.size());
    out_.reserve(column.head[head].size + kFixedPart);
    put(column.head[head]);
}

void EntryEncoder::put_column_list(
    const TablePlan& plan, std::span<const Cell> cells, uint32_t field, bool updated
) {
    for (size_t i = cells.size(); i-- > 0;) {
        if (cells[i].state == CellState::Absent) continue;
        out_.reserve(cells[i].size + plan.largest_column() + kColumnFixedPart + kFixedPart);
        const size_t begin = out_.size();
        put_column(plan.columns()[i], cells[i], updated);
        close_message(field, begin);
    }
}

void EntryEncoder::put_update(const TablePlan& plan, const RowImages& row) {
    after_.resize(row.after.size());
    for (size_t i = row.after.size(); i-- > 0;) {
        after_[i] = {0, 0};
        if (row.after[i].state == CellState::Absent) continue;
        out_.reserve(row.after[i].size + plan.largest_column() + kColumnFixedPart + kFixedPart);
        const size_t begin = out_.size();
        const bool updated = is_updated(plan.columns()[i], row.before[i], row.after[i]);
        put_column(plan.columns()[i], row.after[i], updated);
        after_[i] = {begin, updated ? begin : out_.size()};
        close_message(row_data_field::kAfterColumns, begin);
    }
    for (size_t i = row.before.size(); i-- > 0;) {
        if (row.before[i].state == CellState::Absent) continue;
        const auto [from, to] = after_[i];
        const size_t size = to - from;
        out_.reserve(
            (size > 0 ? size : row.before[i].size + plan.largest_column()) + kColumnFixedPart +
            kFixedPart
        );
        const size_t begin = out_.size();
        // An unchanged column has the same bytes in both images.
        if (size > 0) {
            out_.copy(out_.at_size(to), size);
        } else {
            put_column(plan.columns()[i], row.before[i], false);
        }
        close_message(row_data_field::kBeforeColumns, begin);
    }
}

void EntryEncoder::put_row(const TablePlan& plan, const RowImages& row, RowKind kind) {
    const size_t begin = out_.size();
    switch (kind) {
        case RowKind::Insert:
            put_column_list(plan, row.after, row_data_field::kAfterColumns, true);
            break;
        case RowKind::Update: put_update(plan, row); break;
        case RowKind::Delete:
            put_column_list(plan, row.before, row_data_field::kBeforeColumns, false);
            break;
    }
    close_message(row_change_field::kRowDatas, begin);
}

void EntryEncoder::put_header_front(const EventMark& mark) {
    put_varint_field(header_field::kExecuteTime, signed_varint(mark.execute_ms));
    out_.copy(header_encoding_);
    if (mark.server_id != 0)
        put_varint_field(header_field::kServerId, signed_varint(mark.server_id));
    put_varint_field(header_field::kLogfileOffset, signed_varint(mark.offset));
    if (log_has_files_) {
        out_.reserve(mark.logfile.size() + kFixedPart);
        put_bytes_field(header_field::kLogfileName, mark.logfile);
    }
    out_.copy(header_start_);
}

Bytes EntryEncoder::encode(const RowsChange& change) {
    start();
    const TablePlan& plan = *change.plan;
    for (size_t i = change.rows.size(); i-- > 0;) put_row(plan, change.rows[i], change.kind);
    out_.reserve(gtid_.size() + change.row_id.size() + plan.names().size + kFixedPart);
    const auto event_type = static_cast<uint64_t>(change.kind);
    put_varint_field(row_change_field::kIsDdl, 0);
    put_varint_field(row_change_field::kEventType, event_type);
    if (change.table_id != 0)
        put_varint_field(row_change_field::kTableId, signed_varint(change.table_id));
    close_message(entry_field::kStoreValue, 0);
    put_varint_field(entry_field::kEntryType, static_cast<uint64_t>(EntryType::RowData));

    const size_t header = out_.size();
    put_gtid();
    if (!change.row_id.empty()) put_prop(out_, kRowId, change.row_id);
    if (change.rows.size() == 1) {
        put_prop(out_, kRowsCount, "1");
    } else {
        put_prop(out_, kRowsCount, std::to_string(change.rows.size()));
    }
    put_varint_field(header_field::kEventType, event_type);
    put_varint_field(header_field::kEventLength, signed_varint(change.mark.event_length));
    put(plan.names());
    put_header_front(change.mark);
    close_message(entry_field::kHeader, header);
    close_message(messages_field::kMessages, 0);
    return out_.bytes();
}

Bytes EntryEncoder::encode(const TxnBegin& change) {
    gtid_.assign(change.txn.id);
    start();
    out_.reserve(2 * gtid_.size() + kFixedPart);
    put_varint_field(transaction_field::kThreadId, signed_varint(change.thread_id));
    if (!log_has_files_) put_bytes_field(transaction_field::kTransactionId, gtid_);
    return close_boundary(EntryType::TransactionBegin, change.mark);
}

Bytes EntryEncoder::encode(const TxnEnd& change) {
    start();
    out_.reserve(2 * gtid_.size() + change.transaction_id.size() + kFixedPart);
    const bool own_id = !change.transaction_id.empty();
    put_bytes_field(transaction_field::kTransactionId, own_id ? change.transaction_id : gtid_);
    return close_boundary(EntryType::TransactionEnd, change.mark);
}

Bytes EntryEncoder::close_boundary(EntryType type, const EventMark& mark) {
    close_message(entry_field::kStoreValue, 0);
    put_varint_field(entry_field::kEntryType, static_cast<uint64_t>(type));
    const size_t header = out_.size();
    put_gtid();
    put_varint_field(header_field::kEventLength, signed_varint(mark.event_length));
    if (log_has_files_) put_names({}, {});
    put_varint_field(header_field::kSourceType, kSourceTypeMysql);
    put_header_front(mark);
    close_message(entry_field::kHeader, header);
    close_message(messages_field::kMessages, 0);
    return out_.bytes();
}

Bytes EntryEncoder::encode(const DdlChange& change) {
    gtid_.assign(change.txn.id);
    start();
    const std::string sql =
        is_utf8(as_bytes(change.sql)) ? std::string(change.sql) : repair_utf8(as_bytes(change.sql));
    out_.reserve(
        sql.size() + change.schema.size() + change.table.size() + change.default_schema.size() +
        gtid_.size() + kFixedPart
    );
    const auto event_type = static_cast<uint64_t>(change.type);
    if (!change.default_schema.empty())
        put_bytes_field(row_change_field::kDdlSchemaName, change.default_schema);
    put_bytes_field(row_change_field::kSql, sql);
    put_varint_field(row_change_field::kIsDdl, 1);
    put_varint_field(row_change_field::kEventType, event_type);
    const size_t header = begin_statement_header(event_type, change.mark);
    if (!change.table.empty()) put_bytes_field(header_field::kTableName, change.table);
    if (!change.schema.empty()) put_bytes_field(header_field::kSchemaName, change.schema);
    return close_statement(header, change.mark);
}

Bytes EntryEncoder::encode(const StatementChange& change) {
    start();
    const std::string sql =
        is_utf8(as_bytes(change.sql)) ? std::string(change.sql) : repair_utf8(as_bytes(change.sql));
    out_.reserve(
        sql.size() + change.schema.size() + change.table.size() + change.default_schema.size() +
        gtid_.size() + kFixedPart
    );
    const auto event_type = static_cast<uint64_t>(change.type);
    if (!change.default_schema.empty())
        put_bytes_field(row_change_field::kDdlSchemaName, change.default_schema);
    put_bytes_field(row_change_field::kSql, sql);
    // Java sets it, to false, for changes logged as statements only.
    const bool is_change = change.type == EventType::Insert || change.type == EventType::Update ||
                           change.type == EventType::Delete;
    if (is_change) put_varint_field(row_change_field::kIsDdl, 0);
    put_varint_field(row_change_field::kEventType, event_type);
    const size_t header = begin_statement_header(event_type, change.mark);
    put_names(change.schema, change.table);
    return close_statement(header, change.mark);
}

size_t EntryEncoder::begin_statement_header(uint64_t event_type, const EventMark& mark) {
    close_message(entry_field::kStoreValue, 0);
    put_varint_field(entry_field::kEntryType, static_cast<uint64_t>(EntryType::RowData));
    const size_t header = out_.size();
    put_gtid();
    put_varint_field(header_field::kEventType, event_type);
    put_varint_field(header_field::kEventLength, signed_varint(mark.event_length));
    return header;
}

Bytes EntryEncoder::close_statement(size_t header, const EventMark& mark) {
    put_varint_field(header_field::kSourceType, kSourceTypeMysql);
    put_header_front(mark);
    close_message(entry_field::kHeader, header);
    close_message(messages_field::kMessages, 0);
    return out_.bytes();
}

}  // namespace obcanal::canal
