// Field numbers of Canal's Entry messages (Canal EntryProtocol) for the hand-written encoder, and
// forward appending of single fields for what is encoded once.
#pragma once

#include "protocol/base/bytes.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace obcanal::canal {

namespace entry_field {
inline constexpr uint32_t kHeader = 1, kEntryType = 2, kStoreValue = 3;
}

namespace header_field {
inline constexpr uint32_t kVersion = 1, kLogfileName = 2, kLogfileOffset = 3, kServerId = 4,
                          kServerEncode = 5, kExecuteTime = 6, kSourceType = 7, kSchemaName = 8,
                          kTableName = 9, kEventLength = 10, kEventType = 11, kProps = 12,
                          kGtid = 13;
}

namespace row_change_field {
inline constexpr uint32_t kTableId = 1, kEventType = 2, kIsDdl = 10, kSql = 11, kRowDatas = 12,
                          kProps = 13, kDdlSchemaName = 14;
}

namespace row_data_field {
inline constexpr uint32_t kBeforeColumns = 1, kAfterColumns = 2;
}

namespace column_field {
inline constexpr uint32_t kIndex = 1, kSqlType = 2, kName = 3, kIsKey = 4, kUpdated = 5,
                          kIsNull = 6, kProps = 7, kValue = 8, kMysqlType = 10;
}

namespace transaction_field {  // TransactionBegin and TransactionEnd
inline constexpr uint32_t kTransactionId = 2, kProps = 3, kThreadId = 4;
}

namespace pair_field {
inline constexpr uint32_t kKey = 1, kValue = 2;
}

namespace messages_field {
inline constexpr uint32_t kBatchId = 1, kMessages = 2;
}

inline constexpr uint64_t kSourceTypeMysql = 2;

enum class EntryType : uint8_t { TransactionBegin = 1, RowData = 2, TransactionEnd = 3 };

constexpr uint8_t varint_tag(uint32_t field) { return static_cast<uint8_t>(field << 3); }

constexpr uint8_t bytes_tag(uint32_t field) { return static_cast<uint8_t>(field << 3 | 2); }

// int32 and int64 go out sign-extended to 64 bits.
constexpr uint64_t signed_varint(int64_t value) { return static_cast<uint64_t>(value); }

inline void append_varint(std::string& to, uint64_t value) {
    std::byte buffer[10];
    const std::byte* end = write_varint(buffer, value);
    to.append(reinterpret_cast<const char*>(buffer), static_cast<size_t>(end - buffer));
}

inline void append_varint_field(std::string& to, uint32_t field, uint64_t value) {
    to.push_back(static_cast<char>(varint_tag(field)));
    append_varint(to, value);
}

inline void append_bytes_field(std::string& to, uint32_t field, std::string_view value) {
    to.push_back(static_cast<char>(bytes_tag(field)));
    append_varint(to, value.size());
    to.append(value);
}

}  // namespace obcanal::canal
