// A stream of binary log events, the format first: each is read by the function of its type, tables
// are remembered, rows are split and every cell is turned into text.
#include "protocol/base/assert.h"
#include "protocol/mysql/binlog_event.h"
#include "protocol/mysql/cell_text.h"
#include "protocol/mysql/compression.h"
#include "protocol/mysql/row_cells.h"
#include "protocol/mysql/table_map.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace obcanal::mysql {
namespace {

struct Table {
    RowLayout layout;
    std::vector<std::unique_ptr<const CellText>> texts;
};

class Log {
 public:
    Log() { reader_.verify_checksums(false); }

    void read(Bytes bytes) {
        while (bytes.size() >= EventHeader::kSize) {
            const size_t length = EventHeader::read(bytes.data()).length;
            if (length < EventHeader::kSize || length > bytes.size()) return;
            const auto event = reader_.read(bytes.first(length));
            bytes = bytes.subspan(length);
            if (event) read_event(*event, 0);
        }
    }

 private:
    template <class Parsed>
    static void expect_reason(const Result<Parsed>& parsed) {
        if (!parsed) OBC_ASSERT(!parsed.error().detail.empty());
    }

    void read_event(const Event& event, int depth) {
        std::string scratch;
        switch (event.header.type) {
            case EventType::Rotate: expect_reason(parse_rotate(event)); break;
            case EventType::Query:
            case EventType::QueryCompressed:
                expect_reason(parse_query(event, reader_.format(), scratch));
                break;
            case EventType::Xid: expect_reason(parse_xid(event)); break;
            case EventType::Gtid:
            case EventType::AnonymousGtid:
            case EventType::TaggedGtid: expect_reason(parse_gtid(event)); break;
            case EventType::MariadbGtid: expect_reason(parse_mariadb_gtid(event)); break;
            case EventType::MariadbGtidList: expect_reason(parse_mariadb_gtid_list(event)); break;
            case EventType::PreviousGtids: read_gtids(event); break;
            case EventType::XaPrepare: expect_reason(parse_xa_prepare(event)); break;
            case EventType::RowsQuery:
            case EventType::AnnotateRows: expect_reason(parse_rows_query(event)); break;
            case EventType::Heartbeat:
            case EventType::HeartbeatV2: expect_reason(parse_heartbeat(event)); break;
            case EventType::Incident: expect_reason(parse_incident(event)); break;
            case EventType::IntVar:
            case EventType::Rand:
            case EventType::UserVar: expect_reason(variable_statement(event)); break;
            case EventType::TableMap: read_table(event); break;
            case EventType::TransactionPayload:
                if (depth == 0) read_payload(event);
                break;
            default:
                if (is_rows_event(event.header.type)) read_rows(event);
                break;
        }
    }

    void read_gtids(const Event& event) {
        const auto set = parse_previous_gtids(event);
        expect_reason(set);
        if (!set) return;
        const auto back = GtidSet::parse(set->text());
        OBC_ASSERT(back.ok() && *back == *set);
        const auto again = GtidSet::decode(as_bytes(set->encode()));
        OBC_ASSERT(again.ok() && *again == *set);
    }

    void read_table(const Event& event) {
        const auto map = parse_table_map(event, reader_.format());
        expect_reason(map);
        if (!map) return;
        Table& table = tables_[map->id];
        table.layout = RowLayout(*map);
        table.texts.clear();
        for (const MappedColumn& column : map->columns) {
            TextFormat format;
            format.type = column.type;
            format.is_unsigned = column.is_unsigned;
            format.precision = column.precision;
            format.scale = column.scale;
            format.name = column.name;
            table.texts.push_back(make_cell_text(format));
        }
    }

    void read_rows(const Event& event) {
        std::string scratch;
        const auto rows = parse_rows(event, reader_.format(), scratch);
        expect_reason(rows);
        if (!rows) return;
        const auto found = tables_.find(rows->table_id);
        if (found == tables_.end()) return;
        RowReader reader(*rows, found->second.layout);
        if (!reader.fits()) return;
        std::vector<Cell> before(rows->columns);
        std::vector<Cell> after(rows->columns);
        while (!reader.at_end()) {
            const size_t offset = reader.offset();
            if (!reader.next(before, after)) return;
            OBC_ASSERT(reader.offset() > offset);
            if (rows->kind != RowsKind::Insert) print(before, found->second);
            if (rows->kind != RowsKind::Delete) print(after, found->second);
        }
    }

    void print(const std::vector<Cell>& cells, const Table& table) {
        for (size_t i = 0; i < cells.size(); ++i) {
            const bool has_value =
                cells[i].state == CellState::Value || cells[i].state == CellState::Difference;
            if (!has_value || table.texts[i] == nullptr) continue;
            out_.clear();
            const TextOutcome outcome = table.texts[i]->write(cells[i], out_);
            if (outcome == TextOutcome::Malformed) OBC_ASSERT(out_.size() == 0);
        }
    }

    void read_payload(const Event& event) {
        auto payload = PayloadReader::open(event.body);
        expect_reason(payload);
        while (payload) {
            const auto bytes = payload->next();
            expect_reason(bytes);
            if (!bytes || !*bytes) return;
            const auto inner = reader_.read_inner(**bytes);
            expect_reason(inner);
            if (inner) read_event(*inner, 1);
        }
    }

    EventReader reader_;
    std::map<uint64_t, Table> tables_;
    ReverseWriter out_{64};
};

}  // namespace
}  // namespace obcanal::mysql

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    obcanal::mysql::Log log;
    log.read({reinterpret_cast<const std::byte*>(data), size});
    return 0;
}
