#include "adapter/rdb/mirror_ddl.h"

namespace obcanal::adapter::rdb {

namespace {

// From the opening quote to behind the closing one; a doubled quote or a backslash doesn't end it.
size_t end_of_quoted(std::string_view sql, size_t at) {
    const char quote = sql[at];
    for (size_t i = at + 1; i < sql.size(); i++) {
        if (sql[i] == '\\' && quote != '`') {
            i++;
        } else if (sql[i] == quote) {
            if (i + 1 >= sql.size() || sql[i + 1] != quote) {
                return i + 1;
            }
            i++;
        }
    }
    return sql.size();
}

size_t end_of_comment(std::string_view sql, size_t at) {
    const bool block = sql.substr(at).starts_with("/*");
    const auto end = block ? sql.find("*/", at + 2) : sql.find('\n', at);
    if (end == std::string_view::npos) {
        return sql.size();
    }
    return block ? end + 2 : end;
}

bool is_comment(std::string_view rest) {
    return rest.starts_with("/*") || rest.starts_with("-- ") || rest.starts_with("#");
}

void append_text(std::string& to, std::string_view quoted) {
    const char quote = quoted.front();
    to += '\'';
    for (size_t i = 1; i + 1 < quoted.size(); i++) {
        char c = quoted[i];
        if (c == '\\' && i + 2 < quoted.size()) {
            c = quoted[++i];
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
        } else if (c == quote) {
            i++;  // doubled
        }
        to += c;
        if (c == '\'') {
            to += c;
        }
    }
    to += '\'';
}

void append_name(std::string& to, std::string_view quoted) {
    to += '"';
    for (size_t i = 1; i + 1 < quoted.size(); i++) {
        if (quoted[i] == '`') {
            i++;  // doubled
        }
        to += quoted[i];
        if (quoted[i] == '"') {
            to += '"';
        }
    }
    to += '"';
}

}  // namespace

std::string with_double_quotes(std::string_view sql) {
    std::string out;
    for (size_t i = 0; i < sql.size();) {
        const char c = sql[i];
        size_t end = i + 1;
        if (c == '`' || c == '\'' || c == '"') {
            end = end_of_quoted(sql, i);
            const std::string_view quoted = sql.substr(i, end - i);
            if (c == '`') {
                append_name(out, quoted);
            } else {
                append_text(out, quoted);
            }
        } else if (is_comment(sql.substr(i))) {
            end = end_of_comment(sql, i);
            out += c == '#' ? "--" + std::string(sql.substr(i + 1, end - i - 1))
                            : std::string(sql.substr(i, end - i));
        } else {
            out += c;
        }
        i = end;
    }
    return out;
}

MirrorStatement mirror_statement(const core::Dml& dml, config::SqlFamily family) {
    MirrorStatement statement;
    statement.database = dml.ddl_schema.empty() ? dml.database : dml.ddl_schema;
    statement.sql =
        family == config::SqlFamily::Mysql ? std::string(dml.sql) : with_double_quotes(dml.sql);
    return statement;
}

}  // namespace obcanal::adapter::rdb
