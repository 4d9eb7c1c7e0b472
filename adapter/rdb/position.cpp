#include "adapter/rdb/position.h"

#include "adapter/rdb/sql_text.h"
#include "protocol/base/text.h"

namespace obcanal::adapter::rdb {

namespace {

using config::SqlFamily;

struct LogName {
    std::string_view stem;
    uint64_t number = 0;
};

LogName log_name(std::string_view file) {
    const auto dot = file.rfind('.');
    const auto number =
        dot == std::string_view::npos ? std::nullopt : parse_uint(file.substr(dot + 1));
    if (!number) {
        return {file, 0};
    }
    return {file.substr(0, dot), *number};
}

}  // namespace

void SourceMark::move_to(const core::Dml& dml) {
    if (file == dml.log_file && offset == dml.log_offset) {
        entries += entries > 0 ? 1 : 0;
        return;
    }
    file = dml.log_file;
    offset = dml.log_offset;
    entries = 1;
}

std::string create_position_table(SqlFamily family) {
    const std::string table(kPositionTable);
    const bool mysql = family == SqlFamily::Mysql;
    return "CREATE TABLE IF NOT EXISTS " + table +
           " (id varchar(190) NOT NULL PRIMARY KEY, log_file varchar(255) NOT NULL,"
           " log_offset bigint NOT NULL, entries bigint NOT NULL,"
           " written_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP)" +
           (mysql ? " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin" : "");
}

std::string begin_position(SqlFamily family, std::string_view id) {
    const bool mysql = family == SqlFamily::Mysql;
    return std::string(mysql ? "INSERT IGNORE INTO " : "INSERT INTO ") +
           std::string(kPositionTable) + " (id,log_file,log_offset,entries) VALUES (" +
           literal(family, id) + ",'',0,0)" + (mysql ? "" : " ON CONFLICT (id) DO NOTHING");
}

std::string select_position(SqlFamily family, std::string_view id) {
    return "SELECT log_file,log_offset,entries FROM " + std::string(kPositionTable) +
           " WHERE id=" + literal(family, id) + " FOR UPDATE";
}

std::string store_position(SqlFamily family, std::string_view id, const SourceMark& mark) {
    const std::string file = literal(family, mark.file);
    const std::string offset = std::to_string(mark.offset);
    const std::string entries = std::to_string(mark.entries);
    return "INSERT INTO " + std::string(kPositionTable) +
           " (id,log_file,log_offset,entries) VALUES (" + literal(family, id) + "," + file + "," +
           offset + "," + entries + ")" +
           (family == SqlFamily::Mysql ? " ON DUPLICATE KEY UPDATE"
                                       : " ON CONFLICT (id) DO UPDATE SET") +
           " log_file=" + file + ",log_offset=" + offset + ",entries=" + entries +
           ",written_at=CURRENT_TIMESTAMP";
}

bool same_log(std::string_view file, std::string_view other) {
    return log_name(file).stem == log_name(other).stem;
}

int compare_place(std::string_view file, int64_t offset, const SourceMark& mark) {
    if (file != mark.file) {
        const LogName a = log_name(file);
        const LogName b = log_name(mark.file);
        if (a.stem != b.stem) {
            return 1;  // another server's log: what it sends was not written from the first one
        }
        return a.number < b.number ? -1 : 1;
    }
    if (offset == mark.offset) {
        return 0;
    }
    return offset < mark.offset ? -1 : 1;
}

bool CoveredChanges::covers(const core::Dml& dml) {
    if (over_) {
        return false;
    }
    const int place = compare_place(dml.log_file, dml.log_offset, mark_);
    if (place < 0) {
        return true;
    }
    if (place == 0 && seen_ < mark_.entries) {
        seen_++;
        return true;
    }
    over_ = true;
    return false;
}

}  // namespace obcanal::adapter::rdb
