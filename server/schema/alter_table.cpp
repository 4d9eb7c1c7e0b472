#include "server/schema/alter_table.h"

#include "protocol/base/text.h"
#include "server/schema/column_reader.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

namespace obcanal::schema {
namespace {

class Alteration {
 public:
    Alteration(
        TokenReader& tokens,
        TableDefinition& table,
        std::string_view default_schema,
        const AlterDefaults& defaults
    )
        : tokens_(tokens), table_(table), default_schema_(default_schema), defaults_(defaults) {
        for (ColumnDefinition& column : table_.columns) {
            std::string was = column.name;
            columns_.push_back({std::move(column), std::move(was), false});
        }
    }

    AlterOutcome run() {
        while (!tokens_.at_statement_end()) {
            item();
            tokens_.skip_item();
            while (tokens_.take(')')) tokens_.skip_item();  // closes nothing
            tokens_.take(',');
            // Nothing that a server accepted: its work would grow with the square.
            if (placings_.size() > kMostColumns) {
                tokens_.skip_statement();
                lost();
                placings_.clear();
            }
        }
        for (Placing& placing : placings_) place(placing);
        if (!set_primary() || !names_are_distinct()) lost();
        table_.columns.clear();
        for (Column& column : columns_) {
            // The default that the statement itself sets holds for its columns, wherever it stands.
            if (column.fresh) inherit_charset(column.now, table_.charset);
            // CONVERT TO wins over what a column of the same statement says.
            const bool text = is_text_type(column.now.type) && column.now.charset != "binary";
            if (converted_ && text) column.now.charset = table_.charset;
            table_.columns.push_back(std::move(column.now));
        }
        return std::move(outcome_);
    }

 private:
    struct Column {
        ColumnDefinition now;
        std::string was;     // its name before the statement; empty: there was none
        bool fresh = false;  // defined by this statement
    };

    // What gets its place when all items are read: they change columns where they stand first.
    struct Placing {
        std::optional<ColumnDefinition> added;
        std::string moved;  // what the column was called; empty: it is added
        Placement placement;
    };

    using Place = std::vector<Column>::iterator;

    void lost() { outcome_.understood = false; }

    void item() {
        if (tokens_.take("ADD")) return add();
        if (tokens_.take("DROP")) return drop();
        if (tokens_.take("MODIFY")) return modify();
        if (tokens_.take("CHANGE")) return change();
        if (tokens_.take("RENAME")) return rename();
        if (tokens_.take("CONVERT", "TO")) return convert();
        if (const std::optional<std::string> charset = take_charset(tokens_)) {
            set_charset(*charset);
            return;
        }
        // An option, of which several stand side by side: none of the rest concerns columns.
        if (tokens_.peek().is('(')) return tokens_.skip_parenthesis();
        tokens_.next();
        while (!tokens_.at_statement_end() && !tokens_.peek().is(',')) {
            if (const std::optional<std::string> charset = take_charset(tokens_)) {
                set_charset(*charset);
            } else if (tokens_.peek().is('(')) {
                tokens_.skip_parenthesis();
            } else {
                tokens_.next();
            }
        }
    }

    void set_charset(const std::string& charset) {
        if (charset.empty()) return;
        table_.charset = charset == "default" ? defaults_.option : charset;
    }

    // -- columns by name
    static bool named(const std::string& one, std::string_view other) {
        return equals_ignore_case(one, other);
    }

    Place find_old(std::string_view name) {
        return std::ranges::find_if(columns_, [&](const Column& column) {
            return !column.was.empty() && named(column.was, name);
        });
    }

    Place find_now(std::string_view name) {
        return std::ranges::find_if(columns_, [&](const Column& column) {
            return named(column.now.name, name);
        });
    }

    // One that this statement adds; nothing: none.
    Placing* find_added(std::string_view name) {
        for (Placing& placing : placings_) {
            if (placing.added && named(placing.added->name, name)) return &placing;
        }
        return nullptr;
    }

    bool names_are_distinct() const {
        std::set<std::string> names;
        for (const Column& column : columns_) names.insert(to_lower(column.now.name));
        return !names.empty() && names.size() == columns_.size();
    }

    void place(Placing& placing) {
        Column column{{}, {}, true};
        if (placing.added) {
            column.now = std::move(*placing.added);
        } else {
            const Place moved = find_old(placing.moved);
            if (moved == columns_.end()) return;  // dropped by a later item
            column = std::move(*moved);
            columns_.erase(moved);
        }
        Place at = columns_.end();
        if (placing.placement.kind == Placement::Kind::First) at = columns_.begin();
        if (placing.placement.kind == Placement::Kind::After) {
            at = find_now(placing.placement.after);
            if (at == columns_.end()) return lost();
            ++at;
        }
        columns_.insert(at, std::move(column));
    }

    // -- items
    void add() {
        if (tokens_.peek().is_word("PARTITION") || at_two("SYSTEM", "VERSIONING")) {
            if (tokens_.take("SYSTEM")) version(true);
            return;
        }
        if (at_two("PERIOD", "IF") || at_two("COLUMN", "GROUP")) return;
        if (at_constraint(tokens_)) {
            const std::vector<std::string> key = take_constraint(tokens_);
            primary_.insert(primary_.end(), key.begin(), key.end());
            return;
        }
        tokens_.take("COLUMN");
        const bool tolerant = take_if_exists(tokens_);
        if (tokens_.peek().is('(')) {
            std::optional<std::vector<PlacedColumn>> list = take_column_list(tokens_);
            if (!list) return lost();
            for (PlacedColumn& column : *list) add_column(std::move(column), tolerant);
            return;
        }
        std::optional<PlacedColumn> column = take_column(tokens_);
        if (!column) return lost();
        add_column(std::move(*column), tolerant);
    }

    void add_column(PlacedColumn added, bool tolerant) {
        const bool there = find_old(added.column.name) != columns_.end() ||
                           find_added(added.column.name) != nullptr;
        if (tolerant && there) return;
        placings_.push_back({std::move(added.column), {}, std::move(added.placement)});
    }

    // MariaDB adds two invisible columns, which are in the rows of its log.
    void version(bool on) {
        for (const char* name : {"row_start", "row_end"}) {
            const Place there = find_old(name);
            if (on && there == columns_.end()) {
                add_column({{name, "timestamp(6)", {}, {}, false, false, false}, {}}, false);
            }
            if (!on && there != columns_.end()) columns_.erase(there);
            if (!on)
                std::erase_if(placings_, [&](const Placing& placing) {
                    return placing.added && named(placing.added->name, name);
                });
        }
    }

    void drop() {
        if (tokens_.take("PRIMARY")) return drop_primary();
        if (tokens_.peek().is_word("INDEX") || tokens_.peek().is_word("KEY") ||
            tokens_.peek().is_word("CONSTRAINT")) {
            tokens_.next();
            take_if_exists(tokens_);
            const bool primary = tokens_.peek().kind == TokenKind::Name &&
                                 equals_ignore_case(tokens_.peek().value(), "PRIMARY");
            if (primary) drop_primary();
            return;
        }
        for (const char* word : {"FOREIGN", "CHECK", "PARTITION", "SUBPARTITION"}) {
            if (tokens_.peek().is_word(word)) return;
        }
        if (at_two("SYSTEM", "VERSIONING")) return version(false);
        if (at_two("PERIOD", "FOR") || at_two("PERIOD", "IF") || at_two("COLUMN", "GROUP")) return;
        const bool tablegroup =
            tokens_.peek().is_word("TABLEGROUP") && find_old("tablegroup") == columns_.end();
        if (tablegroup) return;
        tokens_.take("COLUMN");
        const bool tolerant = take_if_exists(tokens_);
        if (!tokens_.take('(')) return drop_column(tolerant);
        do {
            drop_column(tolerant);
        } while (tokens_.take(','));
        tokens_.take(')');
    }

    void drop_column(bool tolerant) {
        if (!tokens_.peek().is_name()) return lost();
        const Place column = find_old(tokens_.next().value());
        if (column != columns_.end()) {
            columns_.erase(column);
        } else if (!tolerant) {
            lost();
        }
    }

    // Columns that this statement adds belong to the new key.
    void drop_primary() {
        for (Column& column : columns_) column.now.is_key = false;
    }

    void modify() {
        for (const char* word : {"PARTITION", "SUBPARTITION", "CONSTRAINT"}) {
            if (tokens_.peek().is_word(word)) return;
        }
        // OceanBase: the key becomes another one.
        if (at_two("PRIMARY", "KEY")) {
            drop_primary();
            primary_ = take_constraint(tokens_);
            return;
        }
        tokens_.take("COLUMN");
        const bool tolerant = take_if_exists(tokens_);
        if (tokens_.peek().is('(')) {
            std::optional<std::vector<PlacedColumn>> list = take_column_list(tokens_);
            if (!list) return lost();
            for (PlacedColumn& column : *list) {
                const std::string name = column.column.name;
                redefine(name, std::move(column), tolerant);
            }
            return;
        }
        std::optional<PlacedColumn> column = take_column(tokens_);
        if (!column) return lost();
        const std::string name = column->column.name;
        redefine(name, std::move(*column), tolerant);
    }

    void change() {
        tokens_.take("COLUMN");
        const bool tolerant = take_if_exists(tokens_);
        if (!tokens_.peek().is_name()) return lost();
        const std::string name = tokens_.next().value();
        std::optional<PlacedColumn> column = take_column(tokens_);
        if (!column) return lost();
        redefine(name, std::move(*column), tolerant);
    }

    void redefine(const std::string& name, PlacedColumn to, bool tolerant) {
        const Place column = find_old(name);
        if (column == columns_.end()) {
            // MariaDB: ADD c, CHANGE nothing c ... defines the column that was just added.
            Placing* added = find_added(to.column.name);
            if (added != nullptr) {
                added->added = std::move(to.column);
                if (to.placement.kind != Placement::Kind::AsIs) added->placement = to.placement;
            } else if (!tolerant) {
                lost();
            }
            return;
        }
        if (column->now.is_key) {
            to.column.is_key = true;  // stays in the primary key
            to.column.nullable = false;
        }
        column->now = std::move(to.column);
        column->fresh = true;
        if (to.placement.kind != Placement::Kind::AsIs) {
            placings_.push_back({std::nullopt, column->was, std::move(to.placement)});
        }
    }

    void rename() {
        if (tokens_.take("COLUMN")) return rename_column();
        for (const char* word : {"INDEX", "KEY", "CONSTRAINT", "PARTITION", "SUBPARTITION"}) {
            if (tokens_.peek().is_word(word)) return;
        }
        if (!tokens_.take("TO") && !tokens_.take("AS")) tokens_.take('=');
        outcome_.renamed_to = take_table_name(tokens_, default_schema_);
        if (!outcome_.renamed_to) lost();
    }

    void rename_column() {
        const bool tolerant = take_if_exists(tokens_);
        if (!tokens_.peek().is_name()) return lost();
        const Place column = find_old(tokens_.next().value());
        if (!tokens_.take("TO") || !tokens_.peek().is_name()) return lost();
        if (column != columns_.end()) {
            column->now.name = tokens_.next().value();
        } else if (!tolerant) {
            lost();
        }
    }

    void convert() {
        std::optional<std::string> charset = take_charset(tokens_);
        if (charset && *charset == "default") charset = defaults_.convert;
        // To binary the types change as well; a default may be one that we do not know.
        if (!charset || charset->empty() || *charset == "binary") return lost();
        table_.charset = *charset;
        converted_ = true;
    }

    bool set_primary() {
        for (const std::string& name : primary_) {
            const Place column = find_now(name);
            if (column == columns_.end()) return false;
            column->now.is_key = true;
            column->now.nullable = false;
        }
        return true;
    }

    bool at_two(std::string_view first, std::string_view second) const {
        TokenReader ahead = tokens_;
        return ahead.take(first, second);
    }

    TokenReader& tokens_;
    TableDefinition& table_;
    std::string_view default_schema_;
    const AlterDefaults& defaults_;
    std::vector<Column> columns_;
    std::vector<Placing> placings_;
    std::vector<std::string> primary_;  // of ADD PRIMARY KEY, which may name columns added later
    bool converted_ = false;
    AlterOutcome outcome_;
};

}  // namespace

AlterOutcome alter_table(
    TokenReader& tokens,
    TableDefinition& table,
    std::string_view default_schema,
    const AlterDefaults& defaults
) {
    return Alteration(tokens, table, default_schema, defaults).run();
}

}  // namespace obcanal::schema
