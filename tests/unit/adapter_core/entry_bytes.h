// Canal entries and batches put together by hand, as any server might send them.
#pragma once

#include "protocol/base/bytes.h"
#include "protocol/canal/packets.h"
#include "protocol/canal/wire_fields.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::adapter::core {

struct ColumnBytes {
    std::string name;
    int sql_type = 4;
    std::optional<std::string> value = {};
    bool key = false;
    bool updated = false;
    bool unknown = false;
    std::string mysql_type = "int(11)";

    std::string encode() const {
        namespace field = canal::column_field;
        std::string to;
        canal::append_varint_field(to, field::kIndex, 0);
        canal::append_varint_field(to, field::kSqlType, canal::signed_varint(sql_type));
        canal::append_bytes_field(to, field::kName, name);
        canal::append_varint_field(to, field::kIsKey, key ? 1 : 0);
        canal::append_varint_field(to, field::kUpdated, updated ? 1 : 0);
        canal::append_varint_field(to, field::kIsNull, value ? 0 : 1);
        if (unknown) {
            std::string prop;
            canal::append_bytes_field(prop, canal::pair_field::kKey, "unknown");
            canal::append_bytes_field(prop, canal::pair_field::kValue, "true");
            canal::append_bytes_field(to, field::kProps, prop);
        }
        if (value) canal::append_bytes_field(to, field::kValue, *value);
        canal::append_bytes_field(to, field::kMysqlType, mysql_type);
        return to;
    }
};

struct RowBytes {
    std::vector<ColumnBytes> before;
    std::vector<ColumnBytes> after;

    std::string encode() const {
        std::string to;
        for (const ColumnBytes& column : before)
            canal::append_bytes_field(to, canal::row_data_field::kBeforeColumns, column.encode());
        for (const ColumnBytes& column : after)
            canal::append_bytes_field(to, canal::row_data_field::kAfterColumns, column.encode());
        return to;
    }
};

inline std::string header_bytes(std::string_view schema, std::string_view table, int64_t when) {
    namespace field = canal::header_field;
    std::string to;
    canal::append_varint_field(to, field::kVersion, 1);
    canal::append_bytes_field(to, field::kLogfileName, "bin.000001");
    canal::append_varint_field(to, field::kLogfileOffset, 1234);
    canal::append_varint_field(to, field::kExecuteTime, canal::signed_varint(when));
    canal::append_bytes_field(to, field::kSchemaName, schema);
    canal::append_bytes_field(to, field::kTableName, table);
    return to;
}

inline std::string entry_bytes(int type, std::string_view header, std::string_view content) {
    std::string to;
    canal::append_bytes_field(to, canal::entry_field::kHeader, header);
    canal::append_varint_field(to, canal::entry_field::kEntryType, static_cast<uint64_t>(type));
    canal::append_bytes_field(to, canal::entry_field::kStoreValue, content);
    return to;
}

inline std::string rows_bytes(int event, const std::vector<RowBytes>& rows) {
    namespace field = canal::row_change_field;
    std::string to;
    canal::append_varint_field(to, field::kTableId, 7);
    canal::append_varint_field(to, field::kEventType, static_cast<uint64_t>(event));
    canal::append_varint_field(to, field::kIsDdl, 0);
    for (const RowBytes& row : rows) canal::append_bytes_field(to, field::kRowDatas, row.encode());
    return to;
}

inline std::string ddl_bytes(int event, std::string_view sql, std::string_view schema) {
    namespace field = canal::row_change_field;
    std::string to;
    canal::append_varint_field(to, field::kEventType, static_cast<uint64_t>(event));
    canal::append_varint_field(to, field::kIsDdl, 1);
    canal::append_bytes_field(to, field::kSql, sql);
    canal::append_bytes_field(to, field::kDdlSchemaName, schema);
    return to;
}

// A Messages body; the views of what is parsed point into it.
inline std::string messages_bytes(int64_t id, const std::vector<std::string>& entries) {
    std::string to;
    canal::append_varint_field(to, canal::messages_field::kBatchId, canal::signed_varint(id));
    for (const std::string& entry : entries)
        canal::append_bytes_field(to, canal::messages_field::kMessages, entry);
    return to;
}

}  // namespace obcanal::adapter::core
