// Applies "database TAB statement" lines to a catalog; at each DROP of a table checkpoint_N it
// prints all columns, as generate.py asks information_schema for them.
#include "protocol/base/text.h"
#include "server/schema/catalog.h"
#include "server/schema/column_reader.h"

#include <iostream>
#include <string>

namespace {

using namespace obcanal;

void print(const schema::Catalog& catalog) {
    for (const schema::TableDefinition* table : catalog.tables()) {
        size_t position = 0;
        for (const schema::ColumnDefinition& column : table->columns) {
            const bool listed = !column.members.empty();
            const bool text = schema::is_text_type(column.type) && column.charset != "binary";
            std::string type = column.type.substr(0, column.type.find('('));
            std::cout << table->schema << '|' << table->table << '|' << ++position << '|'
                      << column.name << '|' << (column.is_key ? "key" : "") << '|'
                      << (column.nullable ? "null" : "") << '|' << (text ? column.charset : "")
                      << '|' << (column.is_unsigned ? "unsigned" : "") << '|'
                      << (listed ? to_lower(type) + column.type.substr(type.size()) : "") << '\n';
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    schema::Catalog catalog({.names_ignore_case = false, .charset = argc > 1 ? argv[1] : ""});
    size_t statements = 0;
    size_t unknown = 0;
    for (std::string line; std::getline(std::cin, line);) {
        const size_t tab = line.find('\t');
        if (tab == std::string::npos) {
            std::cerr << "no TAB in: " << line << '\n';
            return 2;
        }
        const std::string sql = line.substr(tab + 1);
        ++statements;
        for (const schema::TableChange& change : catalog.apply(sql, line.substr(0, tab))) {
            if (change.state != schema::TableChange::State::Unknown) continue;
            ++unknown;
            std::cerr << "unknown: " << change.name.schema << '.' << change.name.table
                      << " after: " << sql << '\n';
        }
        const size_t mark = sql.find("checkpoint_");
        if (mark == std::string::npos) continue;
        std::string number = sql.substr(mark + 11);
        number.resize(number.find_first_not_of("0123456789"));
        std::cout << "checkpoint " << number << '\n';
        print(catalog);
    }
    std::cerr << "statements=" << statements << " unknown=" << unknown << '\n';
    return 0;
}
