#include "server/schema/names.h"

#include <utility>

namespace obcanal::schema {

std::optional<TableName> take_table_name(TokenReader& tokens, std::string_view default_schema) {
    tokens.take('.');  // ODBC's .name
    if (!tokens.peek().is_name()) return std::nullopt;
    TableName name{std::string(default_schema), tokens.next().value()};
    while (tokens.take('.')) {
        if (!tokens.peek().is_name()) return std::nullopt;
        name.schema = std::exchange(name.table, tokens.next().value());
    }
    return name;
}

bool take_if_exists(TokenReader& tokens) {
    if (!tokens.take("IF")) return false;
    tokens.take("NOT");
    tokens.take("EXISTS");
    return true;
}

void take_wait(TokenReader& tokens) {
    if (tokens.take("WAIT")) tokens.next();
    tokens.take("NOWAIT");
}

}  // namespace obcanal::schema
