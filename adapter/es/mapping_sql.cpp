#include "adapter/es/mapping_sql.h"

#include "adapter/es/expression_reader.h"
#include "protocol/base/text.h"

#include <algorithm>
#include <set>

namespace obcanal::adapter::es {
namespace {

constexpr size_t kMaxText = size_t{256} << 10;
constexpr size_t kMaxSources = 40;
constexpr size_t kShownLine = 100;  // of a line that is shown with a fault

// Grammar:
//   select := SELECT [DISTINCT] item ("," item)* FROM source join* [WHERE all]
//             [GROUP BY all ("," all)*] [ORDER BY ...]
//   join   := [LEFT [OUTER] | INNER | CROSS] JOIN source ON all
//   source := [schema "."] table [[AS] alias] | "(" select ")" [AS] alias
class SelectReader {
 public:
    SelectReader(std::string_view sql, std::span<const SqlToken> tokens, SqlFault& fault)
        : cursor_(sql, tokens, fault) {}

    bool whole(SqlSelect& select) {
        if (!read(select)) return false;
        cursor_.take(";");
        return cursor_.peek().kind == SqlTokenKind::End || cursor_.fail_here();
    }

 private:
    bool read(SqlSelect& select);
    bool items(SqlSelect& select);
    bool item(SqlSelect& select);
    bool source(SqlSource& source);
    bool table(SqlSource& source);
    bool joins(SqlSelect& select);
    bool join(SqlSelect& select, SqlSource::Join kind, uint32_t begin);
    bool tail(SqlSelect& select);
    bool expression(SqlExpression& to);
    bool refuse_tail();
    bool resolve(SqlSelect& select, SqlExpression& expression, size_t visible);
    bool resolve_all(SqlSelect& select);
    bool find_equalities(SqlSource& source, size_t number);

    SqlCursor cursor_;
};

bool SelectReader::expression(SqlExpression& to) {
    ExpressionReader reader(cursor_);
    std::optional<SqlExpression> read = reader.read();
    if (!read) return false;
    to = std::move(*read);
    return true;
}

bool SelectReader::read(SqlSelect& select) {
    if (!cursor_.enter()) return false;
    select.range.begin = cursor_.peek().range.begin;
    if (!cursor_.expect_word("SELECT")) return false;
    select.distinct = cursor_.take_word("DISTINCT");
    if (!items(select) || !cursor_.expect_word("FROM")) return false;
    select.from.begin = cursor_.peek().range.begin;
    SqlSource& main = select.sources.emplace_back();
    if (!source(main)) return false;
    main.joined = main.range;
    if (!joins(select)) return false;
    select.from.end = cursor_.last_end();
    select.conditions_end = select.from.end;
    if (!tail(select)) return false;
    select.range.end = cursor_.last_end();
    cursor_.leave();
    return resolve_all(select);
}

bool SelectReader::items(SqlSelect& select) {
    select.item_list.begin = cursor_.peek().range.begin;
    do {
        if (!item(select)) return false;
    } while (cursor_.take(","));
    select.item_list.end = cursor_.last_end();
    return true;
}

bool SelectReader::item(SqlSelect& select) {
    const SqlToken& first = cursor_.peek();
    const bool star = first.is("*") || (cursor_.peek(1).is(".") && cursor_.peek(2).is("*"));
    if (star) return cursor_.fail(first, "'*' is not understood: the fields have to be named");
    SelectItem item;
    if (!expression(item.value)) return false;
    if (cursor_.take_word("AS")) {
        const SqlToken& alias = cursor_.peek();
        if (!alias.is_name() && alias.kind != SqlTokenKind::String) {
            return cursor_.fail_here("a name");
        }
        item.name = cursor_.next().value();
    } else if (cursor_.peek().kind == SqlTokenKind::String ||
               (cursor_.peek().is_name() && !is_reserved(cursor_.peek()))) {
        item.name = cursor_.next().value();
    } else if (item.value.kind == SqlExpression::Kind::Column) {
        item.name = item.value.columns.front().column;
    } else {
        return cursor_.fail(first, "a field that is no column by itself needs a name: ... AS name");
    }
    for (const SelectItem& other : select.items) {
        if (other.name == item.name) {
            return cursor_.fail(first, "the name '" + printable(item.name) + "' stands here twice");
        }
    }
    select.grouped = select.grouped || item.value.aggregate;
    select.items.push_back(std::move(item));
    return true;
}

bool SelectReader::table(SqlSource& source) {
    const SqlToken& first = cursor_.peek();
    if (!first.is_name() || is_reserved(first)) return cursor_.fail_here("a table");
    source.table = cursor_.next().value();
    if (cursor_.take(".")) {
        if (!cursor_.peek().is_name()) return cursor_.fail_here("a table");
        source.schema = std::move(source.table);
        source.table = cursor_.next().value();
    }
    source.alias = source.table;
    if (cursor_.peek().is_word("PARTITION")) return cursor_.fail_here();
    return true;
}

bool SelectReader::source(SqlSource& source) {
    source.range.begin = cursor_.peek().range.begin;
    const bool derived = cursor_.peek().is("(");
    if (derived) {
        cursor_.next();
        if (!cursor_.peek().is_word("SELECT")) {
            return cursor_.fail_here("SELECT");
        }
        source.derived = std::make_unique<SqlSelect>();
        if (!read(*source.derived) || !cursor_.expect(")")) return false;
    } else if (!table(source)) {
        return false;
    }
    const bool as = cursor_.take_word("AS");
    if (cursor_.peek().is_name() && !is_reserved(cursor_.peek())) {
        source.alias = cursor_.next().value();
    } else if (as || derived) {
        return cursor_.fail_here("an alias");
    }
    source.range.end = cursor_.last_end();
    return true;
}

bool SelectReader::joins(SqlSelect& select) {
    for (;;) {
        const SqlToken& token = cursor_.peek();
        const uint32_t begin = token.range.begin;
        if (cursor_.take_word("LEFT")) {
            cursor_.take_word("OUTER");
            if (!join(select, SqlSource::Join::Left, begin)) return false;
        } else if (token.is_word("INNER") || token.is_word("JOIN")) {
            cursor_.take_word("INNER");
            if (!join(select, SqlSource::Join::Inner, begin)) return false;
        } else if (token.is(",") || token.is_word("RIGHT") || token.is_word("CROSS") ||
                   token.is_word("NATURAL") || token.is_word("FULL") ||
                   token.is_word("STRAIGHT_JOIN")) {
            return cursor_.fail(
                token,
                "'" + std::string(token.text) +
                    "' is not understood: LEFT JOIN and INNER JOIN with ON are"
            );
        } else {
            return true;
        }
    }
}

bool SelectReader::join(SqlSelect& select, SqlSource::Join kind, uint32_t begin) {
    if (!cursor_.expect_word("JOIN")) return false;
    if (select.sources.size() == kMaxSources) {
        return cursor_.fail(cursor_.peek(), "more than 40 tables are not understood");
    }
    SqlSource& joined = select.sources.emplace_back();
    joined.join = kind;
    joined.joined.begin = begin;
    if (!source(joined)) return false;
    for (size_t i = 0; i + 1 < select.sources.size(); ++i) {
        if (equals_ignore_case(select.sources[i].alias, joined.alias)) {
            return cursor_.fail_here("another alias than '" + printable(joined.alias) + "'");
        }
    }
    if (cursor_.peek().is_word("USING")) {
        return cursor_.fail_here("ON with an equality of columns");
    }
    if (!cursor_.expect_word("ON") || !expression(joined.on)) return false;
    joined.joined.end = cursor_.last_end();
    return true;
}

bool SelectReader::tail(SqlSelect& select) {
    if (cursor_.take_word("WHERE")) {
        select.where.emplace();
        if (!expression(*select.where)) return false;
        if (select.where->aggregate) {
            return cursor_.fail_here("a condition on rows, not on groups,");
        }
        select.conditions_end = cursor_.last_end();
    }
    if (cursor_.take_word("GROUP")) {
        if (!cursor_.expect_word("BY")) return false;
        select.grouped = true;
        do {
            if (!expression(select.group_by.emplace_back())) return false;
            if (!cursor_.take_word("ASC")) cursor_.take_word("DESC");
        } while (cursor_.take(","));
    }
    if (cursor_.take_word("ORDER")) {
        if (!cursor_.expect_word("BY")) return false;
        SqlExpression ignored;
        do {
            if (!expression(ignored)) return false;
            if (!cursor_.take_word("ASC")) cursor_.take_word("DESC");
        } while (cursor_.take(","));
    }
    return refuse_tail();
}

bool SelectReader::refuse_tail() {
    const SqlToken& token = cursor_.peek();
    if (token.kind == SqlTokenKind::End || token.is(")") || token.is(";")) return true;
    return cursor_.fail_here();
}

// Of which source each column is; `visible`: so many sources may be named.
bool SelectReader::resolve(SqlSelect& select, SqlExpression& expression, size_t visible) {
    for (ColumnUse& use : expression.columns) {
        if (use.qualifier.empty()) {
            if (visible == 1) use.source = 0;
            continue;
        }
        for (size_t i = 0; i < visible; ++i) {
            if (equals_ignore_case(select.sources[i].alias, use.qualifier)) {
                use.source = static_cast<int>(i);
            }
        }
        if (use.source < 0) {
            SqlToken at;
            at.range = use.range;
            return cursor_.fail(
                at, "no table before has the alias '" + printable(use.qualifier) + "'"
            );
        }
    }
    return true;
}

bool SelectReader::resolve_all(SqlSelect& select) {
    const size_t all = select.sources.size();
    for (SelectItem& item : select.items) {
        if (!resolve(select, item.value, all)) return false;
    }
    for (size_t i = 1; i < all; ++i) {
        if (!resolve(select, select.sources[i].on, i + 1)) return false;
    }
    if (select.where && !resolve(select, *select.where, all)) return false;
    for (SqlExpression& group : select.group_by) {
        // A name alone may be one of the select list.
        if (!resolve(select, group, all)) return false;
    }
    return true;
}

SqlFault fault_at(const ColumnUse& use, std::string what) {
    return {use.range.begin, std::move(what)};
}

bool settle(
    SqlSelect& select,
    SqlExpression& expression,
    size_t visible,
    const SourceColumns& columns,
    SqlFault& fault
) {
    for (ColumnUse& use : expression.columns) {
        if (use.source >= 0) continue;
        for (size_t i = 0; i < visible; ++i) {
            const SqlSource& source = select.sources[i];
            bool has = false;
            if (source.derived) {
                has = std::ranges::any_of(source.derived->items, [&use](const SelectItem& item) {
                    return equals_ignore_case(item.name, use.column);
                });
            } else {
                has = columns.has(source, use.column);
            }
            if (!has) continue;
            if (use.source >= 0) {
                fault = fault_at(use, "more than one table has a column '" + use.column + "'");
                return false;
            }
            use.source = static_cast<int>(i);
        }
        if (use.source < 0) {
            fault = fault_at(use, "no table has a column '" + use.column + "'");
            return false;
        }
    }
    return true;
}

bool settle_select(SqlSelect& select, const SourceColumns& columns, SqlFault& fault) {
    const size_t all = select.sources.size();
    for (SelectItem& item : select.items) {
        if (!settle(select, item.value, all, columns, fault)) return false;
    }
    for (size_t i = 0; i < all; ++i) {
        SqlSource& source = select.sources[i];
        if (source.derived && !settle_select(*source.derived, columns, fault)) return false;
        if (i > 0 && !settle(select, source.on, i + 1, columns, fault)) return false;
    }
    if (select.where && !settle(select, *select.where, all, columns, fault)) return false;
    for (SqlExpression& group : select.group_by) {
        const bool named = group.kind == SqlExpression::Kind::Column &&
                           std::ranges::any_of(select.items, [&group](const SelectItem& item) {
                               return equals_ignore_case(item.name, group.columns[0].column);
                           });
        if (!named && !settle(select, group, all, columns, fault)) return false;
    }
    return true;
}

bool find_equalities(SqlSelect& select, SqlFault& fault) {
    for (size_t i = 0; i < select.sources.size(); ++i) {
        SqlSource& source = select.sources[i];
        if (source.derived && !find_equalities(*source.derived, fault)) return false;
        if (i == 0) continue;
        const int number = static_cast<int>(i);
        source.equal.clear();
        for (const auto& [a, b] : source.on.equal) {
            const bool first = source.on.columns[a].source == number;
            const bool second = source.on.columns[b].source == number;
            if (first == second) continue;
            source.equal.push_back(first ? JoinEquality{a, b} : JoinEquality{b, a});
        }
        if (source.equal.empty()) {
            fault = {
                source.on.range.begin,
                "ON needs an equality of a column of '" + printable(source.alias) +
                    "' and one of a table before it"
            };
            return false;
        }
    }
    return true;
}

bool unsettled(const SqlExpression& expression) {
    return std::ranges::any_of(expression.columns, [](const ColumnUse& use) {
        return use.source < 0;
    });
}

bool unsettled(const SqlSelect& select) {
    for (const SelectItem& item : select.items) {
        if (unsettled(item.value)) return true;
    }
    for (const SqlSource& source : select.sources) {
        if (unsettled(source.on) || (source.derived && unsettled(*source.derived))) return true;
    }
    if (select.where && unsettled(*select.where)) return true;
    return std::ranges::any_of(select.group_by, [](const SqlExpression& group) {
        return unsettled(group);
    });
}

}  // namespace

std::shared_ptr<MappingSql> parse_mapping_sql(std::string_view text, SqlFault& fault) {
    if (text.size() > kMaxText) {
        fault = {0, "the text is longer than 256 KiB"};
        return nullptr;
    }
    std::vector<SqlToken> tokens;
    if (!tokenize(text, tokens, fault)) return nullptr;
    auto sql = std::make_shared<MappingSql>();
    sql->text = text;
    if (!SelectReader(text, tokens, fault).whole(sql->select)) return nullptr;
    if (!needs_columns(*sql) && !find_equalities(sql->select, fault)) return nullptr;
    return sql;
}

bool needs_columns(const MappingSql& sql) { return unsettled(sql.select); }

bool resolve_columns(MappingSql& sql, const SourceColumns& columns, SqlFault& fault) {
    return settle_select(sql.select, columns, fault) && find_equalities(sql.select, fault);
}

std::string describe_fault(std::string_view sql, const SqlFault& fault) {
    const size_t at = std::min<size_t>(fault.at, sql.size());
    size_t begin = at;
    while (begin > 0 && sql[begin - 1] != '\n') --begin;
    size_t end = std::min(sql.find('\n', at), sql.size());
    size_t line = 1 + static_cast<size_t>(std::count(sql.begin(), sql.begin() + begin, '\n'));
    const auto is_tail = [&](size_t i) {
        return i < sql.size() && (static_cast<unsigned char>(sql[i]) & 0xC0U) == 0x80U;
    };
    std::string front;
    if (at - begin > kShownLine / 2) {
        begin = at - kShownLine / 2;
        while (begin < at && is_tail(begin)) ++begin;
        front = "...";
    }
    std::string back;
    if (end - at > kShownLine / 2) {
        end = at + kShownLine / 2;
        while (end > at && is_tail(end)) --end;
        back = "...";
    }
    std::string shown = front;
    std::string blanks(front.size(), ' ');
    for (size_t i = begin; i < end; ++i) {
        const auto c = static_cast<unsigned char>(sql[i]);
        shown += c < 0x20 || c == 0x7F ? ' ' : sql[i];
        if (i < at && !is_tail(i)) blanks += ' ';
    }
    std::string text = fault.what;
    if (line > 1) text += " (line " + std::to_string(line) + " of the SQL)";
    return text + "\n" + shown + back + "\n" + blanks + "^";
}

}  // namespace obcanal::adapter::es
