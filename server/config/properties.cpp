#include "server/config/properties.h"

#include "protocol/base/text.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

namespace obcanal::config {
namespace {

constexpr std::string_view kUtf8Mark = "\xEF\xBB\xBF";

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\f'; }

bool is_line_end(char c) { return c == '\n' || c == '\r'; }

// Takes one natural line off `text`, without its end.
std::string_view take_line(std::string_view& text) {
    size_t end = 0;
    while (end < text.size() && !is_line_end(text[end])) ++end;
    const std::string_view line = text.substr(0, end);
    if (end < text.size()) end += text.substr(end, 2) == "\r\n" ? 2 : 1;
    text.remove_prefix(end);
    return line;
}

std::string_view without_leading_blanks(std::string_view line) {
    size_t first = 0;
    while (first < line.size() && is_blank(line[first])) ++first;
    return line.substr(first);
}

bool continues(std::string_view line) {
    size_t backslashes = 0;
    while (backslashes < line.size() && line[line.size() - 1 - backslashes] == '\\') ++backslashes;
    return backslashes % 2 == 1;
}

void append_utf8(std::string& to, uint32_t code) {
    const auto put = [&to](uint32_t byte) { to.push_back(static_cast<char>(byte)); };
    if (code < 0x80) {
        put(code);
    } else if (code < 0x800) {
        put(0xC0 | (code >> 6));
        put(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        put(0xE0 | (code >> 12));
        put(0x80 | ((code >> 6) & 0x3F));
        put(0x80 | (code & 0x3F));
    } else {
        put(0xF0 | (code >> 18));
        put(0x80 | ((code >> 12) & 0x3F));
        put(0x80 | ((code >> 6) & 0x3F));
        put(0x80 | (code & 0x3F));
    }
}

// The UTF-16 unit of "\uXXXX" at the start of `text`, or nothing.
std::optional<uint32_t> unicode_escape(std::string_view text) {
    if (text.size() < 6 || text[0] != '\\' || text[1] != 'u') return std::nullopt;
    const std::optional<std::string> bytes = from_hex(text.substr(2, 4));
    if (!bytes) return std::nullopt;
    return load_be<uint16_t>(as_bytes(*bytes).data());
}

bool is_high_surrogate(uint32_t unit) { return unit >= 0xD800 && unit < 0xDC00; }

bool is_low_surrogate(uint32_t unit) { return unit >= 0xDC00 && unit < 0xE000; }

// Resolves escapes; `problem` tells the last bad one, which stays out of the text.
std::string unescape(std::string_view raw, std::string& problem) {
    std::string out;
    out.reserve(raw.size());
    for (size_t i = 0; i < raw.size(); ++i) {
        if (raw[i] != '\\') {
            out.push_back(raw[i]);
            continue;
        }
        if (i + 1 == raw.size()) break;
        if (raw[i + 1] == 'u') {
            const std::optional<uint32_t> unit = unicode_escape(raw.substr(i));
            if (!unit) {
                problem = "\\u needs four hex digits behind it";
                ++i;
                continue;
            }
            i += 5;
            if (is_high_surrogate(*unit)) {
                const std::optional<uint32_t> low = unicode_escape(raw.substr(i + 1));
                if (low && is_low_surrogate(*low)) {
                    append_utf8(out, 0x10000 + ((*unit - 0xD800) << 10) + (*low - 0xDC00));
                    i += 6;
                    continue;
                }
            }
            if (is_high_surrogate(*unit) || is_low_surrogate(*unit)) {
                problem = std::string(raw.substr(i - 5, 6)) + " is half of a surrogate pair";
                continue;
            }
            append_utf8(out, *unit);
            continue;
        }
        const char c = raw[++i];
        switch (c) {
            case 't': out.push_back('\t'); break;
            case 'n': out.push_back('\n'); break;
            case 'r': out.push_back('\r'); break;
            case 'f': out.push_back('\f'); break;
            default: out.push_back(c);
        }
    }
    return out;
}

Error system_error(const std::string& path, int code) {
    return {
        code == ENOENT || code == ENOTDIR ? Errc::NotFound : Errc::Io,
        Retry::Never,
        path + ": " + std::strerror(code)
    };
}

class Descriptor {
 public:
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    int get() const { return fd_; }

 private:
    int fd_;
};

}  // namespace

Result<std::string> read_small_file(const std::string& path, size_t limit) {
    // Not blocking: a named pipe must not hang the start.
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file.get() < 0) return system_error(path, errno);
    struct stat about {};
    if (::fstat(file.get(), &about) != 0) return system_error(path, errno);
    if (!S_ISREG(about.st_mode))
        return Error{Errc::BadConfig, Retry::Never, path + ": not a regular file"};
    std::string text(limit + 1, '\0');
    size_t size = 0;
    while (size < text.size()) {
        const ssize_t count = ::read(file.get(), text.data() + size, text.size() - size);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return system_error(path, errno);
        if (count == 0) break;
        size += static_cast<size_t>(count);
    }
    if (size > limit) {
        return Error{
            Errc::BadConfig,
            Retry::Never,
            path + ": larger than " + std::to_string(limit) + " bytes"
        };
    }
    text.resize(size);
    return text;
}

Result<Properties> Properties::read(const std::string& path) {
    Result<std::string> text = read_small_file(path, kMaxPropertiesBytes);
    if (!text) return std::move(text).error();
    return parse(as_bytes(*text), path);
}

Properties Properties::parse(Bytes text, std::string name) {
    Properties made;
    made.name_ = std::move(name);
    std::string decoded;
    std::string_view rest;
    if (is_utf8(text)) {
        rest = as_text(text);
        if (rest.starts_with(kUtf8Mark)) rest.remove_prefix(kUtf8Mark.size());
    } else {
        append_latin1(decoded, text);
        rest = decoded;
    }

    std::string logical;
    size_t line = 0;
    while (!rest.empty()) {
        std::string_view natural = without_leading_blanks(take_line(rest));
        ++line;
        if (line > kMaxPropertiesLines) {
            made.remarks_.push_back(
                {line, true, {}, "more than " + std::to_string(kMaxPropertiesLines) + " lines"}
            );
            break;
        }
        if (natural.empty() || natural[0] == '#' || natural[0] == '!') continue;
        const size_t first = line;
        logical.clear();
        while (continues(natural)) {
            natural.remove_suffix(1);
            logical += natural;
            natural = {};
            if (rest.empty()) break;
            natural = without_leading_blanks(take_line(rest));
            ++line;
        }
        logical += natural;
        made.add_line(logical, first);
    }
    return made;
}

void Properties::add_line(std::string_view logical, size_t line) {
    size_t end = 0;
    while (end < logical.size()) {
        const char c = logical[end];
        if (c == '=' || c == ':' || is_blank(c)) break;
        end += c == '\\' ? 2 : 1;
    }
    end = std::min(end, logical.size());
    std::string_view raw_value = without_leading_blanks(logical.substr(end));
    if (!raw_value.empty() && (raw_value[0] == '=' || raw_value[0] == ':'))
        raw_value = without_leading_blanks(raw_value.substr(1));

    std::string problem;
    std::string key = unescape(logical.substr(0, end), problem);
    std::string value = unescape(raw_value, problem);
    if (!problem.empty()) remarks_.push_back({line, true, key, std::move(problem)});
    Property& entry = entries_[key];
    if (entry.line != 0 && entry.value != value) {
        remarks_.push_back(
            {line, false, key, "replaces the value of line " + std::to_string(entry.line)}
        );
    }
    entry = {std::move(value), line};
}

const Property* Properties::find(std::string_view key) const {
    const auto found = entries_.find(key);
    return found == entries_.end() ? nullptr : &found->second;
}

}  // namespace obcanal::config
