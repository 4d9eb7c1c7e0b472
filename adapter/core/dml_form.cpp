#include "adapter/core/dml_form.h"

#include "protocol/base/wire_reader.h"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace obcanal::adapter::core {

namespace field = canal::column_field;

namespace {

// Forms that a table gets one after the other; then each has to be of no use for so many images.
constexpr uint32_t kMisses = 16;
constexpr uint32_t kMissesInARow = 64;
constexpr size_t kForms = 1'024;

std::atomic<uint64_t> last_form{0};

bool is_unknown_prop(Bytes pair, bool& ok) {
    Walk walk(pair);
    std::string_view key;
    std::string_view value;
    while (walk.more()) {
        const uint64_t tag = walk.varint();
        if (tag == bytes_tag_of(canal::pair_field::kKey)) {
            key = walk.text();
        } else if (tag == bytes_tag_of(canal::pair_field::kValue)) {
            value = walk.text();
        } else {
            walk.skip(tag);
        }
    }
    ok = ok && walk.ok;
    return key == "unknown" && value == "true";
}

// A few words, mostly: less than a call of memcmp().
bool same_bytes(const char* a, const char* b, size_t size) {
    const auto word = [](const char* from) {
        uint64_t bytes = 0;
        std::memcpy(&bytes, from, sizeof bytes);
        return bytes;
    };
    if (size < sizeof(uint64_t)) {
        for (size_t i = 0; i < size; ++i) {
            if (a[i] != b[i]) return false;
        }
        return true;
    }
    const size_t last = size - sizeof(uint64_t);
    for (size_t i = 0; i < last; i += sizeof(uint64_t)) {
        if (word(a + i) != word(b + i)) return false;
    }
    return word(a + last) == word(b + last);
}

ValueState state_of(bool unknown, bool null) {
    if (unknown) return ValueState::Unknown;
    return null ? ValueState::Null : ValueState::Value;
}

}  // namespace

uint64_t Walk::long_varint() {
    uint64_t value = 0;
    const std::byte* byte = at;
    for (int shift = 0; shift < 70 && byte != end; shift += 7) {
        const auto bits = std::to_integer<uint64_t>(*byte++);
        value |= (bits & 0x7f) << shift;
        if (bits < 0x80) {
            at = byte;
            return value;
        }
    }
    ok = false;
    return 0;
}

void Walk::skip(uint64_t tag) {
    switch (tag & 7) {
        case 0: static_cast<void>(varint()); return;
        case 1: fixed(8); return;
        case 2: static_cast<void>(bytes()); return;
        case 5: fixed(4); return;
        default: ok = false;  // groups: no message of Canal has one
    }
}

bool read_column(Bytes bytes, DmlColumn& column, DmlValue& value) {
    Walk walk(bytes);
    value = {};
    bool null = false;
    bool unknown = false;
    while (walk.more()) {
        const uint64_t tag = walk.varint();
        switch (tag) {
            case tag_of(field::kIndex): static_cast<void>(walk.varint()); break;
            case tag_of(field::kSqlType):
                value.sql_type = static_cast<int32_t>(walk.varint());
                break;
            case bytes_tag_of(field::kName): column.name = walk.text(); break;
            case tag_of(field::kIsKey): column.key = walk.varint() != 0; break;
            case tag_of(field::kUpdated): value.updated = walk.varint() != 0; break;
            case tag_of(field::kIsNull): null = walk.varint() != 0; break;
            case bytes_tag_of(field::kProps):
                unknown = is_unknown_prop(walk.bytes(), walk.ok) || unknown;
                break;
            case bytes_tag_of(field::kValue): value.text = walk.text(); break;
            case bytes_tag_of(field::kMysqlType): column.mysql_type = walk.text(); break;
            default:
                if (tag == 0 || tag > UINT32_MAX) walk.ok = false;
                walk.skip(tag);
        }
    }
    value.state = state_of(unknown, null);
    return walk.ok;
}

FormColumn::FormColumn(Bytes bytes) {
    Walk walk(bytes);
    const std::byte* const begin = walk.at;
    const std::byte* front = begin;    // ends there
    const std::byte* tail = walk.end;  // begins there
    while (walk.more()) {
        const std::byte* const start = walk.at;
        const uint64_t tag = walk.varint();
        const uint64_t number = tag >> 3U;
        walk.skip(tag);
        if (number > field::kValue) {
            tail = std::min(tail, start);
        } else if (tail != walk.end || (number <= field::kIsKey && start != front)) {
            ordered_ = false;
        } else if (number <= field::kIsKey) {
            front = walk.at;
        }
    }
    bytes_ = as_text({begin, front});
    bytes_ += as_text({tail, walk.end});
    const auto front_size = static_cast<size_t>(front - begin);
    front_ = std::string_view(bytes_).substr(0, front_size);
    tail_ = std::string_view(bytes_).substr(front_size);
    DmlValue value;
    static_cast<void>(read_column(as_bytes(bytes_), named_, value));
    sql_type_ = value.sql_type;
}

bool FormColumn::read(Bytes bytes, DmlValue& value) const {
    const std::string_view text = as_text(bytes);
    const size_t around = front_.size() + tail_.size();
    if (text.size() < around || !same_bytes(text.data(), front_.data(), front_.size()) ||
        !same_bytes(text.data() + text.size() - tail_.size(), tail_.data(), tail_.size())) {
        // The same with a value that has another sqlType, perhaps.
        DmlColumn column;
        return read_column(bytes, column, value) && column.name == named_.name &&
               column.mysql_type == named_.mysql_type && column.key == named_.key;
    }
    value = {};
    value.sql_type = sql_type_;
    Walk walk(bytes.subspan(front_.size(), bytes.size() - around));
    bool null = false;
    bool unknown = false;
    while (walk.more()) {
        const uint64_t tag = walk.varint();
        switch (tag) {
            case tag_of(field::kUpdated): value.updated = walk.varint() != 0; break;
            case tag_of(field::kIsNull): null = walk.varint() != 0; break;
            case bytes_tag_of(field::kProps):
                unknown = is_unknown_prop(walk.bytes(), walk.ok) || unknown;
                break;
            case bytes_tag_of(field::kValue): value.text = walk.text(); break;
            default: return false;
        }
    }
    value.state = state_of(unknown, null);
    return walk.ok;
}

DmlForm* DmlForms::find(const Dml& dml) {
    if (latest_ != nullptr && latest_->table == dml.table && latest_->database == dml.database) {
        return latest_;
    }
    key_ = dml.database;
    key_ += '\0';
    key_ += dml.table;
    const auto found = forms_.find(key_);
    if (found == forms_.end()) return nullptr;
    latest_ = found->second.get();
    return latest_;
}

uint64_t DmlForms::learn(DmlForm* known, Dml& dml, Bytes image) {
    if (known != nullptr && ++known->misses_in_a_row < kMissesInARow && known->misses >= kMisses) {
        return 0;
    }
    if (forms_.size() >= kForms) {
        for (auto& [name, form] : forms_) retired_.push_back(std::move(form));
        forms_.clear();
    }
    auto made = std::make_unique<DmlForm>();
    made->number = ++last_form;
    made->database = dml.database;
    made->table = dml.table;
    made->misses = known == nullptr ? 0 : std::min(known->misses + 1, kMisses);
    Walk walk(image);
    while (walk.more()) {
        ++walk.at;
        const FormColumn& column = made->columns.emplace_back(walk.bytes());
        if (!column.ordered()) return 0;
        made->named.push_back(column.named());
    }
    key_ = dml.database;
    key_ += '\0';
    key_ += dml.table;
    std::unique_ptr<DmlForm>& place = forms_[key_];
    // Earlier Dmls of the batch refer to it.
    if (place != nullptr) retired_.push_back(std::move(place));
    place = std::move(made);
    latest_ = place.get();
    dml.columns = latest_->named;
    return latest_->number;
}

}  // namespace obcanal::adapter::core
