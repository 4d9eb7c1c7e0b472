#include "server/filter/oro_syntax.h"

#include "protocol/base/bytes.h"
#include "protocol/base/text.h"

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace obcanal::filter {
namespace {

// Insides of bracket expressions, as java.lang.Character decides: isLetterOrDigit, isDigit,
// isWhitespace.
constexpr std::string_view kWord = R"(\p{L}\p{Nd}_)";
constexpr std::string_view kDigit = R"(\p{Nd})";
constexpr std::string_view kSpace =
    R"(\x09-\x0d\x1c-\x20\x{1680}\x{2000}-\x{2006}\x{2008}-\x{200a}\x{2028}\x{2029}\x{205f}\x{3000})";

struct PosixClass {
    std::string_view name;
    std::string_view inside;
};

// As ORO 2.0.8 has them; compared with it for every character of the basic plane. Lower and upper
// are one: names and expressions are lowered before.
constexpr std::array<PosixClass, 14> kPosixClasses{{
    {"alnum", R"(\p{L}\p{Nd})"},
    {"alpha", R"(\p{L})"},
    {"ascii", R"(\x00-\x7f)"},
    {"blank", R"(\p{Z})"},
    {"cntrl", R"(\p{Cc})"},
    {"digit", kDigit},
    {"graph", R"(\p{L}\p{Nd}\p{Pc}\p{Pd}\p{Ps}\p{Pe}\p{Po}\p{Sc}\p{Sk}\p{Sm})"},
    {"lower", R"(\p{Lowercase}\p{Uppercase}\p{Lt})"},
    {"print", R"(\p{L}\p{Nd}\p{Pc}\p{Pd}\p{Ps}\p{Pe}\p{Po}\p{Sc}\p{Sk}\p{Sm}\p{Z})"},
    {"punct", R"(\p{Pc}\p{Pd}\p{Ps}\p{Pe}\p{Po}\p{Sc}\p{Sk}\p{Sm})"},
    {"space", kSpace},
    {"upper", R"(\p{Lowercase}\p{Uppercase}\p{Lt})"},
    {"word", kWord},
    {"xdigit", "0-9a-f"},
}};

constexpr int kDeepest = 200;
constexpr uint32_t kMostRepeats = 65535;  // PCRE2's own bound, and ORO's
constexpr char32_t kEnd = 0xffffffff;

bool is_digit(char32_t c) { return c >= '0' && c <= '9'; }

bool is_octal(char32_t c) { return c >= '0' && c <= '7'; }

bool is_upper(char32_t c) { return c >= 'A' && c <= 'Z'; }

bool is_blank(char32_t c) { return c == ' ' || (c >= 9 && c <= 13); }

char32_t lower(char32_t c) { return is_upper(c) ? c + ('a' - 'A') : c; }

int hex_value(char32_t c) {
    if (is_digit(c)) return static_cast<int>(c - '0');
    c = lower(c);
    return c >= 'a' && c <= 'f' ? static_cast<int>(c - 'a' + 10) : -1;
}

// REQUIRES: valid UTF-8
std::vector<char32_t> code_points(std::string_view text) {
    std::vector<char32_t> out;
    out.reserve(text.size());
    for (size_t i = 0; i < text.size();) {
        const auto first = static_cast<uint8_t>(text[i]);
        const size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        char32_t value = length == 1 ? first : first & (0xffU >> (length + 1));
        for (size_t k = 1; k < length; ++k) {
            value = value << 6 | (static_cast<uint8_t>(text[i + k]) & 0x3fU);
        }
        out.push_back(value);
        i += length;
    }
    return out;
}

// Recursive descent. The first fault sticks and moves to the end of the text, so every loop ends.
class Translator {
 public:
    explicit Translator(std::vector<char32_t> text) : text_(std::move(text)) {}

    // ORO compiles in two passes and keeps the options of the first one: an option holds for the
    // whole expression wherever it stands.
    Result<std::string> run() {
        pass();
        std::string out = pass();
        if (!fault_.empty()) return Error{Errc::BadConfig, Retry::Never, fault_};
        return out;
    }

 private:
    std::string pass() {
        at_ = 0;
        groups_ = 0;
        skip_ignored();
        std::string out = alternatives(0);
        if (!ended()) fail(at_, "a ) that closes nothing");
        return out;
    }

    bool ended() const { return at_ >= text_.size(); }

    char32_t peek(size_t ahead = 0) const {
        return at_ + ahead < text_.size() ? text_[at_ + ahead] : kEnd;
    }

    // The text begins with the ^ that was put in front: an index is a number counted from 1.
    void fail(size_t at, std::string_view what) {
        if (fault_.empty())
            fault_ = "at character " + std::to_string(at) + ": " + std::string(what);
        at_ = text_.size();
    }

    // (?#...) everywhere, blanks and # comments under (?x).
    void skip_ignored() {
        for (;;) {
            if (peek() == '(' && peek(1) == '?' && peek(2) == '#') {
                const size_t start = at_;
                while (!ended() && peek() != ')') ++at_;
                if (ended()) return fail(start, "(?# is not closed");
                ++at_;
            } else if (extended_ && is_blank(peek())) {
                ++at_;
            } else if (extended_ && peek() == '#') {
                while (!ended() && peek() != '\n') ++at_;
            } else {
                return;
            }
        }
    }

    std::string alternatives(int depth) {
        if (depth > kDeepest) fail(at_, "nested too deeply");
        std::string out;
        for (;;) {
            while (!ended() && peek() != '|' && peek() != ')') out += repeated_atom(depth);
            if (peek() != '|') return out;
            out += '|';
            ++at_;
            skip_ignored();
        }
    }

    std::string repeated_atom(int depth) {
        const std::string one = atom(depth);
        skip_ignored();
        if (one.empty()) return one;  // options: nothing to repeat
        const std::optional<std::string> times = quantifier();
        return times ? one + *times : one;
    }

    std::optional<std::string> quantifier() {
        std::string out;
        if (peek() == '*' || peek() == '+' || peek() == '?') {
            out = static_cast<char>(peek());
            ++at_;
        } else if (peek() == '{' && is_interval(at_)) {
            out = interval();
        } else {
            return std::nullopt;
        }
        skip_ignored();
        if (peek() == '?') {
            out += '?';
            ++at_;
            skip_ignored();
        }
        if (starts_quantifier()) fail(at_, "a quantifier upon a quantifier");
        return out;
    }

    bool starts_quantifier() const {
        const char32_t c = peek();
        return c == '*' || c == '+' || c == '?' || (c == '{' && is_interval(at_));
    }

    // {n}, {n,} or {n,m}; any other { is a plain character.
    bool is_interval(size_t at) const {
        const auto c = [&](size_t i) { return i < text_.size() ? text_[i] : kEnd; };
        size_t i = at + 1;
        if (!is_digit(c(i))) return false;
        while (is_digit(c(i))) ++i;
        if (c(i) == ',') ++i;
        while (is_digit(c(i))) ++i;
        return c(i) == '}';
    }

    std::string interval() {
        ++at_;
        const uint32_t least = number();
        uint32_t most = least;
        bool open = false;
        if (peek() == ',') {
            ++at_;
            open = !is_digit(peek());
            if (!open) most = number();
        }
        ++at_;
        if (!open && most < least) fail(at_, "the interval's end is below its beginning");
        std::string out = "{" + std::to_string(least) + ",";
        if (!open) out += std::to_string(most);
        return out + "}";
    }

    uint32_t number() {
        uint32_t value = 0;
        while (is_digit(peek())) {
            value = value * 10 + static_cast<uint32_t>(peek() - '0');
            if (value > kMostRepeats) {
                fail(at_, "more than " + std::to_string(kMostRepeats) + " repetitions");
                return 0;
            }
            ++at_;
        }
        return value;
    }

    // Anchors stand in a group: PCRE2 repeats no bare anchor, ORO does.
    std::string atom(int depth) {
        const char32_t c = peek();
        switch (c) {
            case '^': ++at_; return multiline_ ? "(?m:^)" : "(?:^)";
            case '$': ++at_; return multiline_ ? "(?m:$)" : "(?:$)";
            case '.': ++at_; return ".";
            case '[': ++at_; return bracket();
            case '(': return group(depth);
            case '*':
            case '+':
            case '?': fail(at_, "a quantifier follows nothing"); return {};
            case '\\': return escape();
            default: ++at_; return literal(c);
        }
    }

    std::string group(int depth) {
        const size_t start = at_;
        ++at_;
        std::string open = "(";
        std::string close = ")";
        if (peek() != '?') {
            ++groups_;
        } else {
            ++at_;
            const char32_t kind = peek();
            if (kind == ':') {
                open = "(?:";
            } else if (kind == '=' || kind == '!') {
                open = kind == '=' ? "(?:(?=" : "(?:(?!";
                close = "))";
            } else {
                return options();
            }
            ++at_;
        }
        skip_ignored();
        std::string inside = alternatives(depth + 1);
        if (peek() != ')') {
            fail(start, "a ( that is not closed");
            return {};
        }
        ++at_;
        return open + inside + close;
    }

    // Letter case and the dot stay as they are: names are lowered before, and hold no lines.
    std::string options() {
        bool on = true;
        for (; !ended(); ++at_) {
            switch (peek()) {
                case 'i':
                case 's':
                case 'g':
                case 'o': break;
                case 'm': multiline_ = on; break;
                case 'x': extended_ = on; break;
                case '-': on = false; break;
                case ')': ++at_; return {};
                default: fail(at_, "(? is followed by something unknown"); return {};
            }
        }
        fail(at_, "(? is not closed");
        return {};
    }

    std::string escape() {
        const size_t start = at_;
        ++at_;
        const char32_t c = peek();
        if (const std::optional<Class> known = escaped_class(c)) {
            ++at_;
            return (known->negated ? "[^" : "[") + std::string(known->inside) + "]";
        }
        switch (c) {
            case 'A':
            case 'G':  // where the previous match ended: here always the beginning
                ++at_;
                return R"((?:\A))";
            case 'Z': ++at_; return R"((?:\Z))";
            case 'b': ++at_; return boundary(true);
            case 'B': ++at_; return boundary(false);
            default: break;
        }
        if (c >= '1' && c <= '9') {
            uint32_t group_number = 0;
            size_t digits = 0;
            while (is_digit(peek(digits)) && group_number <= kMostRepeats) {
                group_number = group_number * 10 + static_cast<uint32_t>(peek(digits++) - '0');
            }
            if (group_number <= groups_) {
                at_ += digits;
                return "\\g{" + std::to_string(group_number) + "}";
            }
            if (group_number <= 9) {
                fail(start, "\\" + std::to_string(group_number) + " refers to no group before it");
                return {};
            }
        }
        return literal(escaped_character(false));
    }

    static std::string boundary(bool present) {
        const std::string word = "[" + std::string(kWord) + "]";
        const std::string at_edge =
            "(?<=" + word + ")(?!" + word + ")|(?<!" + word + ")(?=" + word + ")";
        return present ? "(?:" + at_edge + ")" : "(?:(?!" + at_edge + "))";
    }

    // Behind the backslash. Digits are octal here.
    char32_t escaped_character(bool in_bracket) {
        const char32_t c = peek();
        if (is_digit(c)) {
            char32_t value = 0;
            for (int i = 0; i < 3 && is_octal(peek()); ++i, ++at_)
                value = value * 8 + (peek() - '0');
            return value;
        }
        ++at_;
        switch (c) {
            case 'n': return '\n';
            case 'r': return '\r';
            case 't': return '\t';
            case 'f': return '\f';
            case 'e': return 27;
            case 'a': return 7;
            case 'b': return in_bracket ? 8 : c;
            case 'x': {
                char32_t value = 0;
                for (int i = 0; i < 2 && hex_value(peek()) >= 0; ++i, ++at_) {
                    value = value * 16 + static_cast<char32_t>(hex_value(peek()));
                }
                return value;
            }
            case 'c': {
                char32_t control = peek();
                ++at_;
                if (control >= 'a' && control <= 'z') control -= 'a' - 'A';
                return control ^ 64U;
            }
            default: return c;
        }
    }

    static std::string code(char32_t c) {
        static constexpr std::string_view kHex = "0123456789abcdef";
        std::string digits;
        do {
            digits.insert(digits.begin(), kHex[c % 16]);
            c /= 16;
        } while (c != 0);
        return "\\x{" + digits + "}";
    }

    static std::string literal(char32_t c) { return code(lower(c)); }

    // A bracket expression, as alternatives: what is ASCII or a class counts as it stands, for the
    // names are in lower case and a range like [@-_] must not take the other case of its letters
    // in; other characters caseless; complements one by one, for which PCRE2 has no form inside.
    std::string bracket() {
        const size_t start = at_ - 1;
        const bool negated = peek() == '^';
        if (negated) ++at_;
        std::string plain;
        std::string caseless;
        std::string complements;
        for (bool first = true; !ended() && (first || peek() != ']'); first = false) {
            if (const std::optional<Class> one = bracket_class()) {
                if (one->negated) {
                    complements += "|[^" + std::string(one->inside) + "]";
                } else {
                    plain += one->inside;
                }
                continue;
            }
            const char32_t from = bracket_character();
            char32_t to = from;
            if (peek() == '-' && at_ + 1 < text_.size() && peek(1) != ']') {
                ++at_;
                if (bracket_class()) fail(at_, "a range that ends with a class");
                to = ended() ? from : bracket_character();
                if (to < from) fail(at_, "a range's end is below its beginning");
            }
            // ORO lowers a range only when both ends are upper case.
            const bool lowered = is_upper(from) && is_upper(to);
            std::string& inside = to < 0x80 ? plain : caseless;
            inside += code(lowered ? lower(from) : from);
            if (to != from) inside += "-" + code(lowered ? lower(to) : to);
        }
        if (peek() != ']') {
            fail(start, "a [ that is not closed");
            return {};
        }
        ++at_;
        std::string any;
        if (!plain.empty()) any += "|(?-i:[" + plain + "])";
        if (!caseless.empty()) any += "|[" + caseless + "]";
        any = (any + complements).substr(1);
        return negated ? "(?:(?!" + any + ").)" : "(?:" + any + ")";
    }

    struct Class {
        std::string_view inside;
        bool negated;
    };

    // \w and its like, [:name:].
    std::optional<Class> bracket_class() {
        if (peek() == '\\') {
            const std::optional<Class> known = escaped_class(peek(1));
            if (known) at_ += 2;
            return known;
        }
        if (peek() != '[' || peek(1) != ':') return std::nullopt;
        const bool negated = peek(2) == '^';
        size_t end = at_ + (negated ? 3 : 2);
        std::string name;
        while (end < text_.size() && text_[end] != ':' && text_[end] < 0x80) {
            name += static_cast<char>(text_[end++]);
        }
        if (end + 1 >= text_.size() || text_[end] != ':' || text_[end + 1] != ']') {
            return std::nullopt;
        }
        for (const PosixClass& posix : kPosixClasses) {
            if (posix.name != name) continue;
            at_ = end + 2;
            return Class{posix.inside, negated};
        }
        return std::nullopt;
    }

    static std::optional<Class> escaped_class(char32_t letter) {
        switch (letter) {
            case 'w':
            case 'W': return Class{kWord, letter == 'W'};
            case 's':
            case 'S': return Class{kSpace, letter == 'S'};
            case 'd':
            case 'D': return Class{kDigit, letter == 'D'};
            default: return std::nullopt;
        }
    }

    char32_t bracket_character() {
        if (peek() == '\\' && at_ + 1 < text_.size()) {
            ++at_;
            return escaped_character(true);
        }
        return text_[at_++];
    }

    std::vector<char32_t> text_;
    std::string fault_;
    size_t at_ = 0;
    uint32_t groups_ = 0;
    bool multiline_ = false;
    bool extended_ = false;
};

}  // namespace

Result<std::string> oro_item_to_pcre2(std::string_view item) {
    if (!is_utf8(as_bytes(item))) return Error{Errc::BadConfig, Retry::Never, "not UTF-8"};
    return Translator(code_points("^" + std::string(item) + "$")).run();
}

}  // namespace obcanal::filter
