// Makes LogMessage records as OceanBase's library writes them (sub-version 5), field by field, for
// cases that no recording has.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/oblog/log_record.h"

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

namespace obcanal::source {

using oblog::RecordType;

struct MadeColumn {
    std::string name;
    uint8_t type = 253;
    std::string encoding = "utf8mb4";
    bool is_signed = true;
    int64_t length = 0;
    int64_t precision = -1;
    int64_t scale = -1;
};

using Values = std::vector<std::optional<std::string>>;

struct MadeRecord {
    RecordType type = RecordType::Heartbeat;
    int64_t commit_us = 0;
    int64_t checkpoint_us = 0;
    std::optional<std::string> db;
    std::optional<std::string> table;
    std::vector<MadeColumn> columns = {};
    std::vector<int32_t> primary_key = {};
    std::vector<std::string> key_info = {};
    Values before = {};
    Values after = {};
    std::vector<uint8_t> before_origins = {};
    std::vector<uint8_t> after_origins = {};
    Values ids = {};  // filter values
};

class RecordBuilder {
 public:
    static std::string build(const MadeRecord& made) {
        RecordBuilder builder;
        builder.fill(made);
        return std::move(builder.bytes_);
    }

 private:
    static constexpr size_t kHeader = 12, kStruct = 17, kStructSize = 168;
    static constexpr int64_t kSecondUs = 1'000'000;

    template <class Number>
    void put(Number number) {
        bytes_.append(reinterpret_cast<const char*>(&number), sizeof number);
    }

    template <class Number>
    void set(size_t field, Number number) {
        std::memcpy(bytes_.data() + kStruct + field, &number, sizeof number);
    }

    void point(size_t field) { set(field, static_cast<uint32_t>(bytes_.size() - kHeader)); }

    void put_text(size_t field, const std::string& text) {
        point(field);
        bytes_.push_back(0x0B);
        put(static_cast<uint32_t>(text.size() + 1));
        bytes_.append(text).push_back('\0');
    }

    void put_texts(size_t field, const Values& texts) {
        point(field);
        bytes_.push_back(0x1B);
        put(static_cast<uint32_t>(texts.size()));
        if (texts.empty()) return;
        uint32_t at = 0;
        put(at);
        for (const auto& text : texts) {
            at += text ? static_cast<uint32_t>(text->size() + 1) : 0;
            put(at);
        }
        for (const auto& text : texts) {
            if (text) bytes_.append(*text).push_back('\0');
        }
    }

    template <class Number>
    void put_numbers(size_t field, uint8_t tag, const std::vector<Number>& numbers) {
        point(field);
        bytes_.push_back(static_cast<char>(tag));
        put(static_cast<uint32_t>(numbers.size()));
        for (const Number number : numbers) put(number);
    }

    void fill(const MadeRecord& made) {
        put(uint16_t{3});
        put(uint16_t{1});
        put(uint32_t{0});
        put(uint32_t{0});
        bytes_.push_back(0x12);
        put(uint32_t{104});
        bytes_.append(kStructSize, '\xff');
        set(0, uint8_t{3});
        set(1, uint8_t{4});
        set(2, static_cast<uint8_t>(made.type));
        set(3, uint8_t{1});
        set(4, uint32_t{4});
        set(8, uint64_t{5} << 56);
        set(16, made.commit_us / kSecondUs);
        set(56, made.checkpoint_us / kSecondUs);
        set(64, made.checkpoint_us % kSecondUs);
        put_text(24, "US-ASCII");
        put_text(28, "");
        if (made.db) put_text(36, *made.db);
        if (made.table) put_text(40, *made.table);
        if (!made.columns.empty()) fill_columns(made);
        put_texts(72, made.before);
        put_texts(76, made.after);
        put_numbers(152, 0x12, made.before_origins);
        put_numbers(156, 0x12, made.after_origins);
        put_texts(96, made.ids);
        const std::vector<uint8_t> tail = tail_of(made);
        put_numbers(100, 0x12, tail);
        const auto size = static_cast<uint32_t>(bytes_.size() - 8);
        std::memcpy(bytes_.data() + 4, &size, sizeof size);
    }

    static std::vector<uint8_t> tail_of(const MadeRecord& made) {
        std::vector<uint8_t> tail(12, 0);
        tail[0] = 7;  // thread id
        const auto usec = static_cast<uint32_t>(made.commit_us % kSecondUs);
        std::memcpy(tail.data() + 4, &usec, sizeof usec);
        return tail;
    }

    void fill_columns(const MadeRecord& made) {
        Values names, encodings, keys;
        std::vector<uint8_t> types, is_signed;
        std::vector<int64_t> lengths, precisions, scales;
        for (const MadeColumn& column : made.columns) {
            names.emplace_back(column.name);
            encodings.emplace_back(column.encoding);
            types.push_back(column.type);
            is_signed.push_back(column.is_signed ? 1 : 0);
            lengths.push_back(column.length);
            precisions.push_back(column.precision);
            scales.push_back(column.scale);
        }
        for (const std::string& key : made.key_info) keys.emplace_back(key);
        put_texts(44, names);
        put_numbers(48, 0x12, types);
        put_texts(52, keys);
        put_numbers(80, 0x15, made.primary_key);
        put_texts(88, encodings);
        put_numbers(116, 0x12, is_signed);
        put_numbers(136, 0x17, lengths);
        put_numbers(144, 0x17, precisions);
        put_numbers(148, 0x17, scales);
    }

    std::string bytes_;
};

}  // namespace obcanal::source
