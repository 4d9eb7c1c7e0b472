#include "adapter/core/dml_reader.h"

#include "protocol/canal/entry_reader.h"
#include "protocol/canal/wire_fields.h"

#include <algorithm>

namespace obcanal::adapter::core {

namespace {

constexpr size_t kBlockValues = 4'096;
// Values that upstream left out, in one batch: more than any honest one has, less than would hurt.
constexpr size_t kMaxFilled = size_t{8} << 20;
constexpr size_t kMaxColumns = canal::kMaxColumns;
constexpr int32_t kLastEventType = static_cast<int32_t>(canal::EventType::XaRollback);

Error malformed(std::string_view what) {
    return {
        Errc::BadPacket, Retry::Backoff, std::string(what) + ": truncated or malformed protobuf"
    };
}

std::string_view one_of_equals(std::string_view text, std::string_view& latest) {
    if (text != latest) latest = text;
    return latest;
}

// A statement that is no DDL. What is malformed is none: whoever reads it whole says so.
bool is_statement(Bytes change) {
    namespace row = canal::row_change_field;
    Walk walk(change);
    bool query = false;
    while (walk.more()) {
        const uint64_t tag = walk.varint();
        if (tag == tag_of(row::kEventType)) {
            query = walk.varint() == static_cast<uint64_t>(canal::EventType::Query);
            if (!query) return false;
        } else if (tag == bytes_tag_of(row::kRowDatas)) {
            return false;
        } else if (tag == tag_of(row::kIsDdl)) {
            if (walk.varint() != 0) return false;
        } else {
            walk.skip(tag);
        }
    }
    return walk.ok && query;
}

}  // namespace

void ValueArena::clear() {
    for (Block& block : blocks_) block.used = 0;
    block_ = 0;
}

std::span<DmlValue> ValueArena::claim(size_t count) {
    while (block_ < blocks_.size()) {
        Block& block = blocks_[block_];
        if (block.size - block.used >= count) return {block.values.get() + block.used, count};
        ++block_;
    }
    const size_t size = std::max(count, kBlockValues);
    blocks_.push_back({std::make_unique<DmlValue[]>(size), size, 0});
    return {blocks_.back().values.get(), count};
}

std::span<DmlValue> ValueArena::keep(size_t count) {
    Block& block = blocks_[block_];
    const std::span<DmlValue> kept(block.values.get() + block.used, count);
    block.used += count;
    return kept;
}

Dml& DmlReader::next_dml() {
    if (count_ == dmls_.size()) {
        dmls_.emplace_back();
        spares_.emplace_back();
    }
    Dml& dml = dmls_[count_];
    // Keeps the memory of columns and rows.
    if (!dml.columns.empty()) {
        std::swap(spares_[count_].columns, dml.columns);
        spares_[count_].form = dml.form;
    }
    std::vector<DmlRow> rows = std::move(dml.rows);
    rows.clear();
    dml = Dml{};
    dml.rows = std::move(rows);
    return dml;
}

Result<DmlBatch> DmlReader::read(std::string_view destination, const canal::Messages& messages) {
    count_ = 0;
    filled_ = 0;
    whole_ = true;
    log_file_ = database_ = table_ = {};
    arena_.clear();
    forms_.begin();
    canal::EntryCursor cursor(messages);
    uint32_t index = 0;
    size_t rows = 0;
    while (const std::optional<Bytes> entry = cursor.next()) {
        const size_t before = count_;
        Result<void> done = read_entry(*entry);
        if (!done) return std::move(done).error().in("entry " + std::to_string(index));
        if (count_ > before) {
            dmls_[before].entry = index;
            rows += dmls_[before].rows.size();
        }
        ++index;
    }
    if (Result<void> whole = cursor.end(); !whole) return std::move(whole).error();
    DmlBatch batch;
    batch.destination = destination;
    batch.id = canal::BatchId{messages.batch_id};
    batch.dmls = std::span<const Dml>(dmls_.data(), count_);
    batch.rows = rows;
    batch.whole = whole_;
    return batch;
}

Result<void> DmlReader::read_entry(Bytes entry) {
    int32_t type = canal::entry_type::kRowData;
    Bytes header;
    Bytes content;
    Walk walk(entry);
    while (walk.more()) {
        const uint64_t tag = walk.varint();
        if (tag == bytes_tag_of(canal::entry_field::kHeader)) {
            header = walk.bytes();
        } else if (tag == tag_of(canal::entry_field::kEntryType)) {
            type = static_cast<int32_t>(walk.varint());
        } else if (tag == bytes_tag_of(canal::entry_field::kStoreValue)) {
            content = walk.bytes();
        } else {
            walk.skip(tag);
        }
    }
    if (!walk.ok) return malformed("Entry");
    switch (type) {
        case canal::entry_type::kRowData: {
            if (leaves_out_ && is_statement(content)) {
                whole_ = false;
                return {};
            }
            Dml& dml = next_dml();
            if (!read_header(header, dml)) return malformed("Entry");
            Result<void> done = read_change(content, dml);
            whole_ = dml.is_ddl;
            return done;
        }
        case canal::entry_type::kTransactionBegin:
        case canal::entry_type::kTransactionEnd:
            whole_ = type == canal::entry_type::kTransactionEnd;
            return {};
        case canal::entry_type::kHeartbeat:
        case canal::entry_type::kGtidLog: return {};
        default:
            return Error{
                Errc::Unsupported, Retry::Never, "unknown type of entry " + std::to_string(type)
            };
    }
}

bool DmlReader::read_header(Bytes header, Dml& dml) {
    namespace head = canal::header_field;
    Walk walk(header);
    while (walk.more()) {
        const uint64_t tag = walk.varint();
        switch (tag) {
            case bytes_tag_of(head::kLogfileName):
                dml.log_file = one_of_equals(walk.text(), log_file_);
                break;
            case tag_of(head::kLogfileOffset):
                dml.log_offset = static_cast<int64_t>(walk.varint());
                break;
            case tag_of(head::kExecuteTime):
                dml.execute_ms = static_cast<int64_t>(walk.varint());
                break;
            case bytes_tag_of(head::kSchemaName):
                dml.database = one_of_equals(walk.text(), database_);
                break;
            case bytes_tag_of(head::kTableName):
                dml.table = one_of_equals(walk.text(), table_);
                break;
            case bytes_tag_of(head::kGtid): dml.gtid = walk.text(); break;
            default: walk.skip(tag);
        }
    }
    return walk.ok;
}

Result<void> DmlReader::read_change(Bytes change, Dml& dml) {
    namespace row = canal::row_change_field;
    Walk walk(change);
    // Of a row change without event type, protobuf has the default UPDATE.
    int32_t type = static_cast<int32_t>(canal::EventType::Update);
    while (walk.more()) {
        const uint64_t tag = walk.varint();
        switch (tag) {
            case tag_of(row::kEventType): type = static_cast<int32_t>(walk.varint()); break;
            case tag_of(row::kIsDdl): dml.is_ddl = walk.varint() != 0; break;
            case bytes_tag_of(row::kSql): dml.sql = walk.text(); break;
            case bytes_tag_of(row::kDdlSchemaName): dml.ddl_schema = walk.text(); break;
            case bytes_tag_of(row::kRowDatas): {
                DmlRow values;
                if (!read_row(walk.bytes(), dml, values)) walk.ok = false;
                dml.rows.push_back(values);
                break;
            }
            default: walk.skip(tag);
        }
    }
    if (!walk.ok) return malformed("RowChange");
    if (type < 1 || type > kLastEventType) {
        return Error{
            Errc::Unsupported, Retry::Never, "unknown type of event " + std::to_string(type)
        };
    }
    dml.type = static_cast<canal::EventType>(type);
    if (!align(dml)) return malformed("RowChange");
    ++count_;
    return {};
}

bool DmlReader::read_row(Bytes row, Dml& dml, DmlRow& to) {
    namespace image = canal::row_data_field;
    Walk walk(row);
    while (walk.more()) {
        const std::byte* const start = walk.at;
        const uint64_t tag = walk.varint();
        const bool before = tag == bytes_tag_of(image::kBeforeColumns);
        if (before || tag == bytes_tag_of(image::kAfterColumns)) {
            walk.at = start;
            if (!read_image(walk.at, walk.end, dml, before ? to.before : to.after)) return false;
        } else {
            walk.skip(tag);
        }
    }
    return walk.ok;
}

// The first image of a Dml names its columns.
bool DmlReader::read_image(
    const std::byte*& at, const std::byte* end, Dml& dml, std::span<const DmlValue>& to
) {
    if (!to.empty()) return false;  // an image in two pieces: no encoder writes that
    const bool begins = dml.columns.empty();
    DmlForm* const form = forms_.find(dml);
    if (form != nullptr && (begins || dml.form == form->number) &&
        read_formed(*form, at, end, to)) {
        form->hit();
        if (begins) take_columns(*form, dml);
        return true;
    }
    const std::byte* const start = at;
    if (begins) {
        dml.columns = spares_[count_].take();
        dml.columns.clear();
    }
    if (!read_free(at, end, dml, to)) return false;
    if (begins) dml.form = forms_.learn(form, dml, {start, static_cast<size_t>(at - start)});
    return true;
}

// The image when its columns are those of the form; else nothing is taken.
bool DmlReader::read_formed(
    const DmlForm& form, const std::byte*& at, const std::byte* end, std::span<const DmlValue>& to
) {
    const std::byte own_tag = *at;
    Walk walk({at, static_cast<size_t>(end - at)});
    const std::span<DmlValue> values = arena_.claim(form.columns.size());
    for (size_t i = 0; i < values.size(); ++i) {
        if (!walk.more() || *walk.at != own_tag) return false;
        ++walk.at;
        const Bytes bytes = walk.bytes();
        if (!walk.ok || !form.columns[i].read(bytes, values[i])) return false;
    }
    if (walk.more() && *walk.at == own_tag) return false;
    at = walk.at;
    to = arena_.keep(values.size());
    return true;
}

void DmlReader::take_columns(const DmlForm& form, Dml& dml) {
    const bool same = spares_[count_].form == form.number;
    dml.columns = spares_[count_].take();
    if (!same) dml.columns = form.named;
    dml.form = form.number;
    usual_columns_ = std::max<size_t>(dml.columns.size(), 1);
}

bool DmlReader::read_free(
    const std::byte*& at, const std::byte* end, Dml& dml, std::span<const DmlValue>& to
) {
    const std::byte own_tag = *at;
    Walk walk({at, static_cast<size_t>(end - at)});
    // The first image names the columns; it has as many as the one before it, mostly.
    const bool first = dml.columns.empty();
    const size_t expected = first ? usual_columns_ : dml.columns.size();
    size_t count = 0;
    bool same = true;
    named_.clear();
    std::span<DmlValue> values = arena_.claim(expected);
    while (walk.more() && *walk.at == own_tag) {
        ++walk.at;
        const Bytes bytes = walk.bytes();
        if (!walk.ok || named_.size() + count >= kMaxColumns) return false;
        Named one;
        if (!read_column(bytes, one.column, one.value)) return false;
        if (same && count < expected) {
            if (first) dml.columns.push_back(one.column);
            if (dml.columns[count].name == one.column.name) {
                values[count++] = one.value;
                continue;
            }
        }
        if (same) {
            // What was taken over so far, in front of what follows.
            for (size_t i = 0; i < count; ++i) named_.push_back({dml.columns[i], values[i]});
            if (first) dml.columns.clear();
            count = 0;
            same = false;
        }
        named_.push_back(one);
    }
    if (!walk.ok) return false;
    at = walk.at;
    if (same && count == dml.columns.size()) {
        to = arena_.keep(count);
    } else {
        for (size_t i = 0; i < count; ++i) named_.push_back({dml.columns[i], values[i]});
        if (!by_name(dml, to)) return false;
    }
    usual_columns_ = std::max<size_t>(dml.columns.size(), 1);
    return true;
}

// Puts named_ in the order of the Dml's columns, which get those that they lack.
bool DmlReader::by_name(Dml& dml, std::span<const DmlValue>& to) {
    std::vector<size_t> places;
    places.reserve(named_.size());
    dml.form = 0;
    const bool first = dml.columns.empty();
    for (const Named& one : named_) {
        size_t place = dml.columns.size();
        if (!first) {
            const auto found = std::find_if(
                dml.columns.begin(),
                dml.columns.end(),
                [&one](const DmlColumn& column) { return column.name == one.column.name; }
            );
            place = static_cast<size_t>(found - dml.columns.begin());
        }
        if (place == dml.columns.size()) dml.columns.push_back(one.column);
        places.push_back(place);
    }
    filled_ += dml.columns.size() - std::min(named_.size(), dml.columns.size());
    if (filled_ > kMaxFilled) return false;
    DmlValue unknown;
    unknown.state = ValueState::Unknown;
    const std::span<DmlValue> values = arena_.claim(dml.columns.size());
    std::fill(values.begin(), values.end(), unknown);
    for (size_t i = 0; i < named_.size(); ++i) values[places[i]] = named_[i].value;
    to = arena_.keep(values.size());
    return true;
}

// Rows that were read before a later one brought further columns.
bool DmlReader::align(Dml& dml) {
    DmlValue unknown;
    unknown.state = ValueState::Unknown;
    for (DmlRow& row : dml.rows) {
        for (std::span<const DmlValue>* image : {&row.before, &row.after}) {
            if (image->empty() || image->size() == dml.columns.size()) continue;
            filled_ += dml.columns.size();
            if (filled_ > kMaxFilled) return false;
            const std::span<DmlValue> values = arena_.claim(dml.columns.size());
            std::fill(values.begin(), values.end(), unknown);
            std::copy(image->begin(), image->end(), values.begin());
            *image = arena_.keep(values.size());
        }
    }
    return true;
}

}  // namespace obcanal::adapter::core
