#include "server/config/extra_configs.h"

#include "protocol/base/text.h"

#include <algorithm>
#include <array>

namespace obcanal::config {
namespace {

// Columns in declared order, rows in the order of execution: without these the entries would not
// look like those of a MySQL source.
constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kOurs{{
    {"enable_output_by_table_def", "1"},
    {"enable_output_trans_order_by_sql_operation", "1"},
    {"sort_trans_participants", "1"},
}};

struct OwnKey {
    std::string_view name;
    std::string_view instead;  // behind "canal.instance."
};

// Settings of the log proxy that other keys decide.
constexpr std::array kDecidedElsewhere = std::to_array<OwnKey>({
    {"cluster_url", "oceanbase.clusterUrl"},
    {"rootserver_list", "oceanbase.rsList"},
    {"cluster_user", "oceanbase.username"},
    {"cluster_password", "oceanbase.password"},
    {"sys_user", "oceanbase.sysUsername"},
    {"sys_password", "oceanbase.sysPassword"},
    {"first_start_timestamp", "oceanbase.startTimestamp"},
    {"first_start_timestamp_us", "oceanbase.startTimestampUs"},
    {"timezone", "oceanbase.timezone"},
    {"working_mode", "oceanbase.workingMode"},
    {"tb_white_list", "filter.regex"},
    {"tb_black_list", "filter.black.regex"},
});

Error bad(std::string what) { return {Errc::BadConfig, Retry::Never, std::move(what)}; }

class MapText {
 public:
    explicit MapText(std::string_view text) : text_(text) {}

    Result<ExtraConfigs> parse() {
        ExtraConfigs map;
        if (!take('{')) return expected("'{'");
        if (take(':'))
            return closed(std::move(map));  // {:} is how the language writes an empty map
        if (at_ < text_.size() && peek() == '}') return closed(std::move(map));
        for (;;) {
            Result<std::string> key = word();
            if (!key) return std::move(key).error();
            if (!take(':')) return expected("':'");
            Result<std::string> value = word();
            if (!value) return std::move(value).error();
            map.emplace_back(std::move(key).value(), std::move(value).value());
            if (!take(',')) return closed(std::move(map));
        }
    }

 private:
    char peek() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
        return at_ < text_.size() ? text_[at_] : '\0';
    }

    bool take(char c) {
        if (peek() != c) return false;
        ++at_;
        return true;
    }

    Result<ExtraConfigs> closed(ExtraConfigs map) {
        if (!take('}')) return expected("',' or '}'");
        if (peek() != '\0') return expected("nothing more");
        return map;
    }

    // A text in quotes, in which a doubled quote stands for one, or a bare word.
    Result<std::string> word() {
        const char quote = peek();
        std::string out;
        if (quote == '\'' || quote == '"') {
            ++at_;
            for (; at_ < text_.size(); ++at_) {
                if (text_[at_] == quote) {
                    ++at_;
                    if (at_ >= text_.size() || text_[at_] != quote) return out;
                }
                out.push_back(text_[at_]);
            }
            return bad("the text that starts with " + printable(out, 20) + " has no closing quote");
        }
        while (at_ < text_.size() && is_word(text_[at_])) out.push_back(text_[at_++]);
        if (out.empty()) return expected("a word or a text in quotes");
        return out;
    }

    static bool is_word(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '.' || c == '-' || c == '+';
    }

    Error expected(std::string_view what) const {
        const std::string rest = printable(text_.substr(std::min(at_, text_.size())), 20);
        return bad(
            "expected " + std::string(what) +
            (rest.empty() ? " at the end" : " at '" + rest + "'") +
            "; the form is {'key': 'value', 'key': 'value'}"
        );
    }

    std::string_view text_;
    size_t at_ = 0;
};

// The protocol writes "key=value key=value" and knows no quoting.
bool travels(std::string_view word) {
    return std::none_of(word.begin(), word.end(), [](char c) {
        return static_cast<unsigned char>(c) <= ' ' || c == '\x7F';
    });
}

}  // namespace

Result<ExtraConfigs> parse_map_text(std::string_view text) {
    text = trim(text);
    if (text.empty()) return ExtraConfigs{};
    return MapText(text).parse();
}

Result<ExtraConfigs> with_our_defaults(ExtraConfigs user) {
    ExtraConfigs merged;
    for (const auto& [key, value] : kOurs) merged.emplace_back(key, value);
    for (auto& [key, value] : user) {
        if (key.empty() || key.find('=') != std::string::npos || !travels(key) || !travels(value))
            return bad(
                "'" + printable(key) + "': neither key nor value may hold blanks, the key no '='"
            );
        for (const OwnKey& own : kDecidedElsewhere) {
            if (key == own.name) {
                return bad(
                    "'" + key + "' is set by canal.instance." + std::string(own.instead) +
                    "; remove it here"
                );
            }
        }
        const auto known = std::find_if(merged.begin(), merged.end(), [&key](const auto& entry) {
            return entry.first == key;
        });
        if (known == merged.end()) {
            merged.emplace_back(std::move(key), std::move(value));
        } else {
            known->second = std::move(value);
        }
    }
    return merged;
}

}  // namespace obcanal::config
