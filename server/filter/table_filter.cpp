#include "server/filter/table_filter.h"

#include "protocol/base/bytes.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "server/filter/oro_regex.h"

#include <algorithm>
#include <atomic>

namespace obcanal::filter {
namespace {

// As Java counts: characters above U+FFFF are two.
size_t utf16_length(std::string_view text) {
    size_t length = 0;
    for (const char c : text) {
        const auto byte = static_cast<uint8_t>(c);
        length += byte >= 0xf0 ? 2 : (byte & 0xc0) != 0x80 ? 1 : 0;
    }
    return length;
}

struct Item {
    std::string text;
    OroRegex regex;
};

class List {
 public:
    static Result<List> compile(std::string_view list, std::string_view name, bool when_empty) {
        List out;
        out.when_empty_ = when_empty;
        for (const std::string_view text : list_items(list)) {
            Result<OroRegex> regex = OroRegex::compile(text);
            if (!regex) {
                return std::move(regex).error().in(
                    std::string(name) + " list: \"" + printable(text) + "\""
                );
            }
            out.items_.push_back({std::string(text), std::move(regex).value()});
        }
        return out;
    }

    // ORO joins the items with | and takes the first that matches from the beginning: when that
    // one ends before the name does, no later item is tried.
    TableFilter::Verdict match(std::string_view name) const {
        if (items_.empty() || name.empty()) return {when_empty_, {}, false};
        const std::string subject =
            to_lower(is_utf8(as_bytes(name)) ? name : repair_utf8(as_bytes(name)));
        for (const Item& item : items_) {
            const OroRegex::Match found = item.regex.match(subject);
            if (found.limit_exceeded) return {false, item.text, true};
            if (found.end) return {*found.end == subject.size(), item.text, false};
        }
        return {};
    }

 private:
    std::vector<Item> items_;
    bool when_empty_ = false;
};

}  // namespace

std::vector<std::string_view> list_items(std::string_view list) {
    std::vector<std::string_view> items;
    int braces = 0;
    int brackets = 0;
    int parentheses = 0;
    size_t start = 0;
    for (size_t i = 0; i < list.size(); ++i) {
        switch (list[i]) {
            case '\\': ++i; break;
            case '{': ++braces; break;
            case '}': braces = std::max(0, braces - 1); break;
            case '[': ++brackets; break;
            case ']': brackets = std::max(0, brackets - 1); break;
            case '(': ++parentheses; break;
            case ')': parentheses = std::max(0, parentheses - 1); break;
            case ',':
                if (braces != 0 || brackets != 0 || parentheses != 0) break;
                if (i > start) items.push_back(list.substr(start, i - start));
                start = i + 1;
                break;
            default: break;
        }
    }
    if (start < list.size()) items.push_back(list.substr(start));
    // Items of one length stay in order, which their places in the list say.
    std::ranges::sort(items, [](std::string_view a, std::string_view b) {
        const size_t length_a = utf16_length(a);
        const size_t length_b = utf16_length(b);
        return length_a != length_b ? length_a > length_b : a.data() < b.data();
    });
    return items;
}

struct TableFilter::Lists {
    List white;
    List black;
    mutable std::atomic<uint64_t> limits_exceeded{0};
    mutable LogGate gate{std::chrono::seconds(10)};
    Logger log{"filter"};

    Lists(List w, List b) : white(std::move(w)), black(std::move(b)) {}

    Verdict match(const List& list, std::string_view name) const {
        const Verdict verdict = list.match(name);
        if (verdict.limit_exceeded) {
            limits_exceeded.fetch_add(1, std::memory_order_relaxed);
            if (const int64_t held = gate.pass(); held >= 0) {
                log.warn(
                    "an expression takes too long for a table: it counts as no match",
                    {{"table", printable(name)},
                     {"item", printable(verdict.item)},
                     {"repeats", held}}
                );
            }
        }
        return verdict;
    }
};

TableFilter::TableFilter(std::unique_ptr<Lists> lists) : lists_(std::move(lists)) {}

TableFilter::TableFilter(TableFilter&&) noexcept = default;
TableFilter& TableFilter::operator=(TableFilter&&) noexcept = default;
TableFilter::~TableFilter() = default;

Result<TableFilter> TableFilter::compile(std::string_view white, std::string_view black) {
    Result<List> wanted = List::compile(white, "white", true);
    if (!wanted) return std::move(wanted).error();
    Result<List> unwanted = List::compile(black, "black", false);
    if (!unwanted) return std::move(unwanted).error();
    return TableFilter(
        std::make_unique<Lists>(std::move(wanted).value(), std::move(unwanted).value())
    );
}

bool TableFilter::passes(std::string_view schema, std::string_view table) const {
    std::string name;
    name.reserve(schema.size() + 1 + table.size());
    name.append(schema).append(".").append(table);
    return white(name).matches && !black(name).matches;
}

TableFilter::Verdict TableFilter::white(std::string_view name) const {
    return lists_->match(lists_->white, name);
}

TableFilter::Verdict TableFilter::black(std::string_view name) const {
    return lists_->match(lists_->black, name);
}

uint64_t TableFilter::limits_exceeded() const {
    return lists_->limits_exceeded.load(std::memory_order_relaxed);
}

}  // namespace obcanal::filter
