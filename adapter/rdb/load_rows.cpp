#include "adapter/rdb/load_rows.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace obcanal::adapter::rdb {

namespace {

constexpr size_t kBlock = size_t{1} << 20;

// A float's text has six digits at the server; as a double it has all.
std::string_view float_text(std::string_view text, char (&to)[32]) {
    double number = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    if (read.ec != std::errc()) {
        return text;
    }
    const auto written = std::to_chars(std::begin(to), std::end(to), static_cast<float>(number));
    return {to, static_cast<size_t>(written.ptr - to)};
}

}  // namespace

LoadRows::LoadRows(const core::SourceTable& table) : columns_(table.columns.size()) {
    for (const core::SourceColumn& column : table.columns) {
        floats_.push_back(column.base == "float");
    }
}

std::string LoadRows::select_list(const core::SourceTable& table) {
    std::string list;
    for (const core::SourceColumn& column : table.columns) {
        list += (list.empty() ? "" : ",") + core::quote_source_name(column.name);
        if (column.base == "bit") {
            list += "+0";
        } else if (column.base == "float") {
            list += "*1e0";
        }
    }
    return list;
}

core::Dml LoadRows::make_dml(const core::SourceTable& table) {
    core::Dml dml;
    dml.type = canal::EventType::Insert;
    dml.database = table.database;
    dml.table = table.name;
    for (const core::SourceColumn& column : table.columns) {
        core::DmlColumn& made = dml.columns.emplace_back();
        made.name = column.name;
        made.mysql_type = column.mysql_type;
        made.key = column.primary;
    }
    return dml;
}

void LoadRows::take_raw_bytes(SqlPlan& plan) {
    using Decode = ValueRule::Decode;
    for (std::vector<PlanColumn>* columns : {&plan.columns, &plan.key, &plan.match}) {
        for (PlanColumn& column : *columns) {
            Decode& decode = column.rule.decode;
            if (decode == Decode::Bytes || decode == Decode::Geometry) {
                decode = Decode::None;
            } else if (decode == Decode::Ewkb) {
                decode = Decode::RawEwkb;
            }
        }
    }
}

char* LoadRows::claim(size_t bytes) {
    while (block_ < blocks_.size() && blocks_[block_].size - used_ < bytes) {
        block_++;
        used_ = 0;
    }
    if (block_ == blocks_.size()) {
        Block& block = blocks_.emplace_back();
        block.size = std::max(bytes, kBlock);
        block.memory = std::make_unique_for_overwrite<char[]>(block.size);
    }
    char* at = blocks_[block_].memory.get() + used_;
    used_ += bytes;
    return at;
}

void LoadRows::add(client::MysqlSession::Row row) {
    size_t total = 0;
    for (const auto& cell : row) {
        total += cell ? cell->size() : 0;
    }
    constexpr size_t kFloat = 32;
    char* at = claim(total + kFloat * columns_);
    for (size_t i = 0; i < columns_; i++) {
        core::DmlValue& value = values_.emplace_back();
        if (!row[i]) {
            value.state = core::ValueState::Null;
            continue;
        }
        std::string_view text = *row[i];
        char buffer[32];
        if (floats_[i]) {
            text = float_text(text, buffer);
        }
        std::memcpy(at, text.data(), text.size());
        value.text = {at, text.size()};
        at += text.size();
    }
    size_++;
    bytes_ += total + columns_ * sizeof(core::DmlValue);
}

void LoadRows::clear() {
    // What one huge value took goes back.
    std::erase_if(blocks_, [](const Block& block) { return block.size > kBlock; });
    block_ = 0;
    used_ = 0;
    size_ = 0;
    bytes_ = 0;
    values_.clear();
    rows_.clear();
    pointers_.clear();
}

const std::vector<const core::DmlRow*>& LoadRows::rows() {
    rows_.resize(size_);
    pointers_.resize(size_);
    for (size_t i = 0; i < size_; i++) {
        rows_[i].before = {};
        rows_[i].after = std::span<const core::DmlValue>(values_).subspan(i * columns_, columns_);
        pointers_[i] = &rows_[i];
    }
    return pointers_;
}

}  // namespace obcanal::adapter::rdb
