// Writes a change as `record := 0x12 varint(len) Entry`, one `messages` field of Canal's Messages
// packet, in one pass from the last byte to the first. The protobuf library is its oracle in tests:
// what is written parses and re-serialises to the same bytes. Owned by a feed, one strand.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/base/reverse_cursor.h"
#include "protocol/base/text.h"
#include "protocol/canal/change.h"
#include "protocol/canal/table_plan.h"
#include "protocol/canal/wire_fields.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace obcanal::canal {

class EntryEncoder {
 public:
    // `logfile_name`: Header.logfileName of every entry; empty: each mark names its file, and
    // boundaries carry empty names, as Java Canal sends them from a MySQL binlog.
    explicit EntryEncoder(std::string_view logfile_name);

    // A value of the last change that is none of its column's type: its column. The entry must not
    // be used.
    const std::optional<std::string>& malformed_column() const { return malformed_; }

    // The bytes are valid until the next call. Begin and Ddl start a transaction whose id becomes
    // Header.gtid of all entries up to its end.
    Bytes encode(const TxnBegin& change);
    Bytes encode(const RowsChange& change);
    Bytes encode(const DdlChange& change);
    Bytes encode(const StatementChange& change);
    Bytes encode(const TxnEnd& change);

 private:
    // A column of the image after: size() before and behind its bytes, and whether the image before
    // has the same.
    struct Written {
        size_t begin;
        size_t end;
        bool same;
    };

    void start();
    // Room for so many bytes of names, values and ids, and for all else of an entry.
    void reserve(size_t variable_part);
    // What all entries of a transaction have in common.
    void begin_transaction(const TxnMark& txn);
    void put_column(ReverseCursor& at, const ColumnPlan& column, const Cell& cell, bool updated);
    // A value whose text is not its bytes, and which head goes with it.
    ColumnPlan::Head put_text(const ColumnPlan& column, const Cell& cell);
    void put_converted(const ColumnPlan& column, const Cell& cell);
    bool is_updated(const ColumnPlan& column, const Cell& before, const Cell& after);
    void put_row(const TablePlan& plan, const RowImages& row, RowKind kind);
    void put_column_list(
        const TablePlan& plan, std::span<const Cell> cells, uint32_t field, bool updated
    );
    void put_update(const TablePlan& plan, const RowImages& row);
    size_t repeat_columns(ReverseCursor& at, std::span<const Cell> before, size_t last);
    size_t begin_statement_header(ReverseCursor& at, uint64_t event_type, const EventMark& mark);
    Bytes close_boundary(ReverseCursor& at, EntryType type, const EventMark& mark);
    Bytes close_entry(ReverseCursor& at, size_t header, const EventMark& mark);
    // Header fields from executeTime to the first one.
    void put_header_front(ReverseCursor& at, const EventMark& mark);
    CharsetDecoder* decoder(const std::string& charset);

    ReverseWriter out_;
    size_t room_ = 0;  // what was reserved last, less the cells that are written
    bool log_has_files_;
    std::string header_start_;     // version, logfileName
    std::string header_encoding_;  // serverenCode
    std::string gtid_;
    std::string gtid_field_;     // Header.gtid, whole
    std::string gtid_props_;     // Header.props curtGtid and its kin, whole
    std::string text_;           // scratch of converted values
    ReverseWriter before_text_;  // scratch of is_updated()
    ReverseWriter after_text_;
    std::optional<std::string> malformed_;
    std::vector<Written> after_;
    std::vector<std::pair<std::string, std::optional<CharsetDecoder>>> charsets_;
};

}  // namespace obcanal::canal
