#include "protocol/canal/entry_encoder.h"

#include "protocol/canal/unix_timestamp.h"

#include <array>
#include <cstring>
#include <limits>

namespace obcanal::canal {
namespace {

constexpr size_t kUsualCapacity = 1024 * 1024;
// More than all of an entry that is no name, value or id, and ReverseCursor::kSlack.
constexpr size_t kFixedPart = 512;
constexpr size_t kColumnFixedPart = 128;  // more than tags, lengths, flags and props of a column

// Column.props, whole fields: what marks a value that upstream did not log, and a key that is no
// primary key.
constexpr std::string_view kUnknownProp = "\x3a\x0f\x0a\x07unknown\x12\x04true";
constexpr std::string_view kUniqueKeyProp = "\x3a\x11\x0a\x09uniqueKey\x12\x04true";
constexpr std::string_view kRowsCount = "rowsCount";
// Header.props of an entry with one row, whole.
constexpr std::string_view kOneRowProp =
    "\x62\x0e\x0a\x09rowsCount\x12\x01"
    "1";
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

// REQUIRES: kCellPadding readable bytes in front of both.
bool same_bytes(const std::byte* a, const std::byte* b, size_t size) {
    constexpr size_t kWord = 8;
    if (size > 2 * kWord) return std::memcmp(a, b, size) == 0;
    if (size == 0) return true;
    const uint64_t last = load_before(a + size) ^ load_before(b + size);
    if (size <= kWord) return last >> (64 - 8 * size) == 0;
    return (last | (load_le<uint64_t>(a) ^ load_le<uint64_t>(b))) == 0;
}

bool same_cell(const Cell& a, const Cell& b) {
    return a.state == b.state && a.size == b.size && same_bytes(a.data, b.data, a.size);
}

// Whether a decimal number is above the limit; anything that is no number is not.
bool is_above(const Cell& cell, uint64_t limit) {
    constexpr size_t kShortestPromoted = 3;  // "128"
    if (limit == std::numeric_limits<uint64_t>::max() || cell.size < kShortestPromoted)
        return false;
    const auto value = parse_uint(as_text({cell.data, cell.size}));
    return value && *value > limit;
}

// A cursor whose address were taken by a call would live in memory: all that get one are inlined.
[[gnu::always_inline]] inline void put_varint_field(
    ReverseCursor& at, uint32_t field, uint64_t value
) {
    at.varint(value);
    at.byte(varint_tag(field));
}

[[gnu::always_inline]] inline void put_bytes_field(
    ReverseCursor& at, uint32_t field, std::string_view value
) {
    at.copy(value);
    at.varint(value.size());
    at.byte(bytes_tag(field));
}

// Length and tag of the message that started when size() was `begin`.
[[gnu::always_inline]] inline void close_message(ReverseCursor& at, uint32_t field, size_t begin) {
    at.varint(at.size() - begin);
    at.byte(bytes_tag(field));
}

[[gnu::always_inline]] inline void put(ReverseCursor& at, const PaddedBytes& bytes) {
    at.copy_padded(bytes.end, bytes.size);
}

// Both fields, empty ones too.
[[gnu::always_inline]] inline void put_names(
    ReverseCursor& at, std::string_view schema, std::string_view table
) {
    put_bytes_field(at, header_field::kTableName, table);
    put_bytes_field(at, header_field::kSchemaName, schema);
}

// One Pair of the props that are `field`.
[[gnu::always_inline]] inline void put_prop(
    ReverseCursor& at, uint32_t field, std::string_view key, std::string_view value
) {
    const size_t begin = at.size();
    put_bytes_field(at, pair_field::kValue, value);
    put_bytes_field(at, pair_field::kKey, key);
    close_message(at, field, begin);
}

[[gnu::always_inline]] inline void put_xa(ReverseCursor& at, uint32_t field, const XaMark& xa) {
    if (xa.type.empty()) return;
    put_prop(at, field, "XA_XID", xa.xid);
    put_prop(at, field, "XA_TYPE", xa.type);
}

void append_prop(std::string& to, std::string_view key, std::string_view value) {
    std::string pair;
    append_bytes_field(pair, pair_field::kKey, key);
    append_bytes_field(pair, pair_field::kValue, value);
    append_bytes_field(to, header_field::kProps, pair);
}

// Room for the columns of one row image.
size_t room_for(const TablePlan& plan, std::span<const Cell> cells) {
    size_t room = cells.size() * (plan.largest_column() + kColumnFixedPart);
    for (const Cell& cell : cells) room += cell.size;
    return room;
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
}

void EntryEncoder::reserve(size_t variable_part) {
    room_ = variable_part + kFixedPart;
    out_.reserve(room_);
}

void EntryEncoder::begin_transaction(const TxnMark& txn) {
    gtid_.assign(txn.id);
    gtid_field_.clear();
    if (!txn.id.empty()) append_bytes_field(gtid_field_, header_field::kGtid, txn.id);
    gtid_props_.clear();
    if (txn.gtid.empty()) return;
    append_prop(gtid_props_, "curtGtid", txn.gtid);
    if (txn.last_committed < 0) return;
    append_prop(gtid_props_, "curtGtidSn", std::to_string(txn.sequence_number));
    append_prop(gtid_props_, "curtGtidLct", std::to_string(txn.last_committed));
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

// Through the writer, as texts may need more room than their cells have bytes.
ColumnPlan::Head EntryEncoder::put_text(const ColumnPlan& column, const Cell& cell) {
    if (column.text == nullptr) {
        put_converted(column, cell);
        return is_above(cell, column.promote_above) ? ColumnPlan::Promoted : ColumnPlan::Normal;
    }
    const TextOutcome outcome = column.text->write(cell, out_);
    if (outcome == TextOutcome::Malformed && !malformed_) malformed_ = column.name;
    return outcome == TextOutcome::Promoted ? ColumnPlan::Promoted : ColumnPlan::Normal;
}

[[gnu::always_inline]] inline void EntryEncoder::put_column(
    ReverseCursor& at, const ColumnPlan& column, const Cell& cell, bool updated
) {
    const bool has_value = cell.state == CellState::Value || cell.state == CellState::Difference;
    room_ -= cell.size;
    put(at, column.tail);
    ColumnPlan::Head head = ColumnPlan::Null;
    if (has_value) {
        const size_t begin = at.size();
        const bool as_is = column.text == nullptr &&
                           (column.kind == ValueKind::Utf8 || column.kind == ValueKind::Latin1);
        if (as_is && is_ascii(cell.data, cell.size)) {
            at.copy_padded(cell.data + cell.size, cell.size);
            head = is_above(cell, column.promote_above) ? ColumnPlan::Promoted : ColumnPlan::Normal;
        } else {
            at.store(out_);
            head = put_text(column, cell);
            out_.reserve(room_);
            at.load(out_);
        }
        close_message(at, column_field::kValue, begin);
    }
    if (column.unique_key) at.copy(kUniqueKeyProp);
    if (cell.state == CellState::Unknown) at.copy(kUnknownProp);
    // Java writes both flags even when they are false.
    const std::array<uint8_t, 4> flags{
        varint_tag(column_field::kUpdated),
        static_cast<uint8_t>(updated),
        varint_tag(column_field::kIsNull),
        static_cast<uint8_t>(!has_value)
    };
    at.copy(flags.data(), flags.size());
    put(at, column.head[head]);
}

void EntryEncoder::put_column_list(
    const TablePlan& plan, std::span<const Cell> cells, uint32_t field, bool updated
) {
    reserve(room_for(plan, cells));
    ReverseCursor at(out_);
    for (size_t i = cells.size(); i-- > 0;) {
        if (cells[i].state == CellState::Absent) continue;
        const size_t begin = at.size();
        put_column(at, plan.columns()[i], cells[i], updated);
        close_message(at, field, begin);
    }
    at.store(out_);
}

void EntryEncoder::put_update(const TablePlan& plan, const RowImages& row) {
    reserve(room_for(plan, row.before) + room_for(plan, row.after));
    ReverseCursor at(out_);
    after_.resize(row.after.size());
    for (size_t i = row.after.size(); i-- > 0;) {
        Written& column = after_[i];
        column = {
            at.size(), at.size(), !is_updated(plan.columns()[i], row.before[i], row.after[i])
        };
        if (row.after[i].state == CellState::Absent) continue;
        put_column(at, plan.columns()[i], row.after[i], !column.same);
        close_message(at, row_data_field::kAfterColumns, column.begin);
        column.end = at.size();
    }
    for (size_t i = row.before.size(); i-- > 0;) {
        if (after_[i].same) {
            i = repeat_columns(at, row.before, i);
            continue;
        }
        if (row.before[i].state == CellState::Absent) continue;
        const size_t begin = at.size();
        put_column(at, plan.columns()[i], row.before[i], false);
        close_message(at, row_data_field::kBeforeColumns, begin);
    }
    at.store(out_);
}

// Unchanged columns have the same bytes in both images but for their tags. Copies the run of them
// that ends with `last` from the image after to the one before; returns the run's first.
[[gnu::always_inline]] inline size_t EntryEncoder::repeat_columns(
    ReverseCursor& at, std::span<const Cell> before, size_t last
) {
    size_t first = last;
    while (first > 0 && after_[first - 1].same) --first;
    for (size_t i = first; i <= last; ++i) room_ -= before[i].size;
    const size_t from = after_[last].begin;
    const size_t to = after_[first].end;
    at.store(out_);
    out_.reserve(to - from + room_);
    at.load(out_);
    const size_t begin = at.size();
    at.copy(at.at_size(to), to - from);
    for (size_t i = first; i <= last; ++i) {
        if (after_[i].end == after_[i].begin) continue;
        *at.at_size(begin + after_[i].end - from) =
            std::byte{bytes_tag(row_data_field::kBeforeColumns)};
    }
    return first;
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
    ReverseCursor at(out_);
    close_message(at, row_change_field::kRowDatas, begin);
    at.store(out_);
}

[[gnu::always_inline]] inline void EntryEncoder::put_header_front(
    ReverseCursor& at, const EventMark& mark
) {
    put_varint_field(at, header_field::kExecuteTime, signed_varint(mark.execute_ms));
    at.copy(header_encoding_);
    if (mark.server_id != 0)
        put_varint_field(at, header_field::kServerId, signed_varint(mark.server_id));
    put_varint_field(at, header_field::kLogfileOffset, signed_varint(mark.offset));
    if (log_has_files_) put_bytes_field(at, header_field::kLogfileName, mark.logfile);
    at.copy(header_start_);
}

// The rest of an entry: its header began when size() was `header`.
[[gnu::always_inline]] inline Bytes EntryEncoder::close_entry(
    ReverseCursor& at, size_t header, const EventMark& mark
) {
    put_header_front(at, mark);
    close_message(at, entry_field::kHeader, header);
    close_message(at, messages_field::kMessages, 0);
    at.store(out_);
    return out_.bytes();
}

Bytes EntryEncoder::encode(const RowsChange& change) {
    start();
    const TablePlan& plan = *change.plan;
    for (size_t i = change.rows.size(); i-- > 0;) put_row(plan, change.rows[i], change.kind);
    reserve(
        gtid_.size() + gtid_props_.size() + change.row_id.size() + plan.names().size +
        change.mark.logfile.size()
    );
    ReverseCursor at(out_);
    const auto event_type = static_cast<uint64_t>(change.kind);
    put_varint_field(at, row_change_field::kIsDdl, 0);
    put_varint_field(at, row_change_field::kEventType, event_type);
    if (change.table_id != 0)
        put_varint_field(at, row_change_field::kTableId, signed_varint(change.table_id));
    close_message(at, entry_field::kStoreValue, 0);
    put_varint_field(at, entry_field::kEntryType, static_cast<uint64_t>(EntryType::RowData));

    const size_t header = at.size();
    at.copy(gtid_field_);
    if (!change.row_id.empty()) put_prop(at, header_field::kProps, kRowId, change.row_id);
    if (change.rows.size() == 1) {
        at.copy(kOneRowProp);
    } else {
        put_prop(at, header_field::kProps, kRowsCount, std::to_string(change.rows.size()));
    }
    at.copy(gtid_props_);
    put_varint_field(at, header_field::kEventType, event_type);
    put_varint_field(at, header_field::kEventLength, signed_varint(change.mark.event_length));
    put(at, plan.names());
    return close_entry(at, header, change.mark);
}

// Everything around a TransactionBegin or TransactionEnd.
[[gnu::always_inline]] inline Bytes EntryEncoder::close_boundary(
    ReverseCursor& at, EntryType type, const EventMark& mark
) {
    close_message(at, entry_field::kStoreValue, 0);
    put_varint_field(at, entry_field::kEntryType, static_cast<uint64_t>(type));
    const size_t header = at.size();
    at.copy(gtid_field_);
    at.copy(gtid_props_);
    put_varint_field(at, header_field::kEventLength, signed_varint(mark.event_length));
    if (log_has_files_) put_names(at, {}, {});
    put_varint_field(at, header_field::kSourceType, kSourceTypeMysql);
    return close_entry(at, header, mark);
}

Bytes EntryEncoder::encode(const TxnBegin& change) {
    begin_transaction(change.txn);
    start();
    reserve(
        2 * gtid_.size() + gtid_props_.size() + change.xa.xid.size() + change.mark.logfile.size()
    );
    ReverseCursor at(out_);
    put_varint_field(at, transaction_field::kThreadId, signed_varint(change.thread_id));
    put_xa(at, transaction_field::kProps, change.xa);
    if (!log_has_files_) put_bytes_field(at, transaction_field::kTransactionId, gtid_);
    return close_boundary(at, EntryType::TransactionBegin, change.mark);
}

Bytes EntryEncoder::encode(const TxnEnd& change) {
    start();
    reserve(
        2 * gtid_.size() + gtid_props_.size() + change.transaction_id.size() +
        change.xa.xid.size() + change.mark.logfile.size()
    );
    ReverseCursor at(out_);
    put_xa(at, transaction_field::kProps, change.xa);
    const bool own_id = !change.transaction_id.empty();
    put_bytes_field(at, transaction_field::kTransactionId, own_id ? change.transaction_id : gtid_);
    return close_boundary(at, EntryType::TransactionEnd, change.mark);
}

// From the end of a statement's RowChange to its header's names; returns where the header began.
[[gnu::always_inline]] inline size_t EntryEncoder::begin_statement_header(
    ReverseCursor& at, uint64_t event_type, const EventMark& mark
) {
    close_message(at, entry_field::kStoreValue, 0);
    put_varint_field(at, entry_field::kEntryType, static_cast<uint64_t>(EntryType::RowData));
    const size_t header = at.size();
    at.copy(gtid_field_);
    at.copy(gtid_props_);
    put_varint_field(at, header_field::kEventType, event_type);
    put_varint_field(at, header_field::kEventLength, signed_varint(mark.event_length));
    return header;
}

Bytes EntryEncoder::encode(const DdlChange& change) {
    if (change.txn) begin_transaction(*change.txn);
    start();
    const std::string sql =
        is_utf8(as_bytes(change.sql)) ? std::string(change.sql) : repair_utf8(as_bytes(change.sql));
    reserve(
        sql.size() + change.schema.size() + change.table.size() + change.default_schema.size() +
        gtid_.size() + gtid_props_.size() + change.mark.logfile.size()
    );
    ReverseCursor at(out_);
    const auto event_type = static_cast<uint64_t>(change.type);
    if (!change.default_schema.empty())
        put_bytes_field(at, row_change_field::kDdlSchemaName, change.default_schema);
    put_bytes_field(at, row_change_field::kSql, sql);
    put_varint_field(at, row_change_field::kIsDdl, 1);
    put_varint_field(at, row_change_field::kEventType, event_type);
    const size_t header = begin_statement_header(at, event_type, change.mark);
    if (!change.table.empty()) put_bytes_field(at, header_field::kTableName, change.table);
    if (!change.schema.empty()) put_bytes_field(at, header_field::kSchemaName, change.schema);
    put_varint_field(at, header_field::kSourceType, kSourceTypeMysql);
    return close_entry(at, header, change.mark);
}

Bytes EntryEncoder::encode(const StatementChange& change) {
    if (change.txn) begin_transaction(*change.txn);
    start();
    const std::string sql =
        is_utf8(as_bytes(change.sql)) ? std::string(change.sql) : repair_utf8(as_bytes(change.sql));
    reserve(
        sql.size() + change.schema.size() + change.table.size() + change.default_schema.size() +
        gtid_.size() + gtid_props_.size() + change.xa.xid.size() + change.mark.logfile.size()
    );
    ReverseCursor at(out_);
    const auto event_type = static_cast<uint64_t>(change.type);
    if (!change.default_schema.empty())
        put_bytes_field(at, row_change_field::kDdlSchemaName, change.default_schema);
    put_xa(at, row_change_field::kProps, change.xa);
    put_bytes_field(at, row_change_field::kSql, sql);
    // Java sets it, to false, for changes logged as statements only.
    const bool is_change = change.type == EventType::Insert || change.type == EventType::Update ||
                           change.type == EventType::Delete;
    if (is_change) put_varint_field(at, row_change_field::kIsDdl, 0);
    put_varint_field(at, row_change_field::kEventType, event_type);
    const size_t header = begin_statement_header(at, event_type, change.mark);
    put_names(at, change.schema, change.table);
    put_varint_field(at, header_field::kSourceType, kSourceTypeMysql);
    return close_entry(at, header, change.mark);
}

}  // namespace obcanal::canal
