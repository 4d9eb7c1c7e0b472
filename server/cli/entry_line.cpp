#include "server/cli/entry_line.h"

#include "protocol/base/text.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <optional>

namespace obcanal::cli {

using canal::ColumnView;
using canal::EntryView;
using canal::HeaderView;
using canal::RowChangeView;
using canal::RowView;
using canal::TransactionView;

namespace {

enum class Paint : uint8_t { Plain, Dim, Bold, Green, Yellow, Red, Magenta, Cyan };

constexpr std::array<std::string_view, 8> kPaint{
    "\x1b[0m",
    "\x1b[2m",
    "\x1b[1m",
    "\x1b[32m",
    "\x1b[33m",
    "\x1b[31m",
    "\x1b[35m",
    "\x1b[36m",
};

// One line: text in colours, counted in characters, cut where it gets too wide.
class Line {
 public:
    Line(const LineStyle& style, std::string& to) : style_(style), to_(to) {}

    void add(std::string_view text, Paint paint = Paint::Plain) {
        if (full_ || text.empty()) return;
        size_t bytes = 0;
        size_t taken = 0;
        // The last column is kept for the mark of a cut.
        const size_t room = style_.width == 0 ? SIZE_MAX : style_.width - 1 - used_;
        while (bytes < text.size() && taken < room) {
            bytes += character_bytes(text, bytes);
            ++taken;
        }
        const bool colour = style_.colour && paint != Paint::Plain;
        if (colour) to_ += kPaint[static_cast<size_t>(paint)];
        to_ += text.substr(0, bytes);
        if (colour) to_ += kPaint[0];
        used_ += taken;
        full_ = bytes < text.size();
        if (full_) to_ += "…";
    }

    void end() { to_ += '\n'; }

    static size_t character_bytes(std::string_view text, size_t at) {
        size_t bytes = 1;
        while (at + bytes < text.size() &&
               (static_cast<unsigned char>(text[at + bytes]) & 0xc0) == 0x80) {
            ++bytes;
        }
        return bytes;
    }

 private:
    const LineStyle& style_;
    std::string& to_;
    size_t used_ = 0;
    bool full_ = false;
};

// Control characters made visible, so that a value can neither break the line nor command the
// terminal (C1 controls, U+0080 to U+009F, do too). White space in SQL becomes one blank.
std::string visible(std::string_view text) {
    constexpr std::string_view kHex = "0123456789abcdef";
    std::string shown;
    shown.reserve(text.size());
    for (size_t i = 0; i < text.size(); ++i) {
        auto byte = static_cast<unsigned char>(text[i]);
        const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
        const bool c1 = byte == 0xc2 && next >= 0x80 && next < 0xa0;
        if (c1) {
            byte = next;
            ++i;
        }
        if (byte == '\n') {
            shown += "\\n";
        } else if (byte == '\t') {
            shown += "\\t";
        } else if (byte == '\\') {
            shown += "\\\\";
        } else if (byte < 0x20 || byte == 0x7f || c1) {
            shown += "\\x";
            shown += {kHex[byte >> 4], kHex[byte & 15]};
        } else {
            shown += static_cast<char>(byte);
        }
    }
    return shown;
}

std::string one_line(std::string_view sql) {
    std::string line;
    for (const char c : sql) {
        const bool blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
        if (!blank) {
            line += c;
        } else if (!line.empty() && line.back() != ' ') {
            line += ' ';
        }
    }
    return visible(trim(line));
}

// Cut to `width` characters, with the size of the whole behind.
std::string shortened(std::string_view text, size_t width) {
    size_t bytes = 0;
    for (size_t taken = 0; taken < width && bytes < text.size(); ++taken)
        bytes += Line::character_bytes(text, bytes);
    if (width == 0 || bytes == text.size()) return visible(text);
    return visible(text.substr(0, bytes)) + "…(" + std::to_string(text.size()) + " bytes)";
}

bool needs_quotes(std::string_view text) {
    return text.empty() || text == "NULL" || text == "?" ||
           text.find_first_of(" \t\n'=") != std::string_view::npos;
}

void add_value(Line& line, const LineStyle& style, const ColumnView& column, Paint paint) {
    if (column.unknown()) return line.add("?", Paint::Dim);
    if (column.is_null.value_or(false)) return line.add("NULL", Paint::Dim);
    const std::string_view raw = column.value.value_or("");
    const std::string text = is_utf8(as_bytes(raw)) ? std::string(raw) : repair_utf8(as_bytes(raw));
    std::string shown = shortened(text, style.value_width);
    const std::string_view quote = needs_quotes(text) ? "'" : "";
    for (size_t at = shown.find('\''); at != std::string::npos; at = shown.find('\'', at + 2))
        shown.insert(at, "'");  // as SQL writes it
    line.add(quote, Paint::Dim);
    line.add(shown, paint);
    line.add(quote, Paint::Dim);
}

void add_name(Line& line, const ColumnView& column) {
    const bool key = column.is_key.value_or(false);
    line.add("  ");
    line.add(visible(column.name.value_or("?")), key ? Paint::Bold : Paint::Dim);
    line.add("=", Paint::Dim);
}

bool is_key(const ColumnView& column) { return column.is_key.value_or(false); }

// `visit` for the key columns, then for the others.
template <class Visit>
void keys_first(const std::vector<ColumnView>& columns, Visit visit) {
    for (const bool keys : {true, false}) {
        for (const ColumnView& column : columns) {
            if (is_key(column) == keys) visit(column);
        }
    }
}

void add_image(
    Line& line, const LineStyle& style, const std::vector<ColumnView>& columns, Paint paint
) {
    keys_first(columns, [&](const ColumnView& column) {
        add_name(line, column);
        add_value(line, style, column, paint);
    });
}

// The old value of a column; images may differ in their columns.
const ColumnView* find_column(const std::vector<ColumnView>& columns, const ColumnView& like) {
    const auto found = std::find_if(columns.begin(), columns.end(), [&](const ColumnView& column) {
        return column.index == like.index && column.name == like.name;
    });
    return found == columns.end() ? nullptr : &*found;
}

// Keys and what changed; everything where a table has no key to tell its rows apart.
void add_update(Line& line, const LineStyle& style, const RowView& row) {
    const bool has_key = std::any_of(row.after.begin(), row.after.end(), is_key);
    keys_first(row.after, [&](const ColumnView& column) {
        const bool changed = column.updated.value_or(false);
        if (!changed && has_key && !is_key(column)) return;
        add_name(line, column);
        if (changed) {
            if (const ColumnView* old = find_column(row.before, column)) {
                add_value(line, style, *old, Paint::Red);
                line.add(" -> ", Paint::Dim);
            }
        }
        add_value(line, style, column, changed ? Paint::Green : Paint::Plain);
    });
}

Paint paint_of(std::string_view event) {
    if (event == "INSERT") return Paint::Green;
    if (event == "UPDATE") return Paint::Yellow;
    if (event == "DELETE") return Paint::Red;
    if (event == "QUERY") return Paint::Cyan;
    return Paint::Magenta;
}

std::string table_text(const HeaderView& header) {
    std::string text = visible(header.schema_name.value_or(""));
    const std::string_view table = header.table_name.value_or("");
    if (!table.empty()) text += (text.empty() ? "" : ".") + visible(table);
    return text;
}

std::string local_time(int64_t ms, const char* format) {
    const auto seconds = static_cast<time_t>(ms / 1000);
    tm parts{};
    ::localtime_r(&seconds, &parts);
    std::array<char, 32> text{};
    return {text.data(), std::strftime(text.data(), text.size(), format, &parts)};
}

std::string clock_text(int64_t ms) {
    std::array<char, 8> fraction{};
    std::snprintf(fraction.data(), fraction.size(), ".%03d", static_cast<int>(ms % 1000));
    return local_time(ms, "%H:%M:%S") + fraction.data();
}

std::string event_text(const HeaderView& header, const RowChangeView& change) {
    const int32_t number = change.event_type.value_or(header.event_type.value_or(0));
    const std::string_view name = canal::event_type_name(number);
    return name.empty() ? std::to_string(number) : std::string(name);
}

// Time, event and table: the start of every line about a table.
void add_front(Line& line, const HeaderView& header, const std::string& event) {
    constexpr size_t kEventWidth = 8;
    std::string padded = event;
    padded.resize(std::max(kEventWidth, event.size() + 1), ' ');
    line.add(clock_text(header.execute_time.value_or(0)) + "  ", Paint::Dim);
    line.add(padded, paint_of(event));
    line.add(table_text(header), Paint::Bold);
}

}  // namespace

Result<uint64_t> EntryLine::append(Bytes bytes, uint64_t row_limit, std::string& to) {
    Result<EntryView> entry = canal::read_entry(bytes);
    if (!entry) return std::move(entry).error();
    const HeaderView header = entry->header.value_or(HeaderView{});
    if (const auto* about = std::get_if<TransactionView>(&entry->content)) {
        if (entry->type() == canal::entry_type::kTransactionBegin) {
            transaction_rows_ = 0;
            return uint64_t{0};
        }
        Line line(style_, to);
        std::string text = "-- commit " + visible(about->transaction_id.value_or(""));
        text += ", " + std::to_string(transaction_rows_);
        text += transaction_rows_ == 1 ? " row" : " rows";
        line.add(text, Paint::Dim);
        line.end();
        transaction_rows_ = 0;
        return uint64_t{0};
    }
    const auto* change = std::get_if<RowChangeView>(&entry->content);
    if (change == nullptr) return uint64_t{0};  // a GTID or heartbeat: nothing for the eye

    const std::string day = local_time(header.execute_time.value_or(0), "%Y-%m-%d");
    if (day != day_) {
        Line line(style_, to);
        line.add("-- " + day, Paint::Dim);
        line.end();
        day_ = day;
    }
    const std::string event = event_text(header, *change);
    if (change->rows.empty()) {
        Line line(style_, to);
        add_front(line, header, event);
        // The text of a statement whose rows follow is only a comment to them.
        const bool schema_change = change->is_ddl.value_or(false);
        line.add("  ");
        line.add(one_line(change->sql.value_or("")), schema_change ? Paint::Plain : Paint::Dim);
        line.end();
        return uint64_t{0};
    }
    const uint64_t rows = std::min<uint64_t>(change->rows.size(), row_limit);
    for (uint64_t i = 0; i < rows; ++i) {
        if (Result<void> read = canal::read_row(change->rows[i], row_); !read)
            return std::move(read).error();
        Line line(style_, to);
        add_front(line, header, event);
        if (row_.after.empty()) {
            add_image(line, style_, row_.before, Paint::Plain);
        } else if (row_.before.empty()) {
            add_image(line, style_, row_.after, Paint::Plain);
        } else {
            add_update(line, style_, row_);
        }
        line.end();
    }
    transaction_rows_ += rows;
    return rows;
}

}  // namespace obcanal::cli
