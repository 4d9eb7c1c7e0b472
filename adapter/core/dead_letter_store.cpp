#include "adapter/core/dead_letter_store.h"

#include "adapter/core/letter_text.h"
#include "protocol/base/clock.h"
#include "protocol/base/crypto.h"
#include "protocol/base/json.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"

#include <boost/json/array.hpp>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>

namespace obcanal::adapter::core {
namespace {

const Logger kLog("dead-letters");

constexpr size_t kReadPiece = size_t{1} << 20;
constexpr size_t kMaxLine = size_t{1} << 30;
// Lines beyond those of the letters that make the file worth writing anew.
constexpr size_t kIdleLines = 1'000;
// Letters that are gone whose changes may still come again.
constexpr size_t kPast = 1'000;

// Parts of a key; no name or value that is worth anything holds them.
constexpr char kUnit = '\x1f';
constexpr char kRecord = '\x1e';

std::string utc_now() {
    const int64_t now = wall_ms();
    const std::time_t seconds = now / 1'000;
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[32];
    const size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return {text, size};
}

std::string table_key(const LetterOwner& owner, const RefusedChange& change) {
    std::string key = owner.group + kUnit + owner.adapter + kUnit + change.task + kUnit;
    key.append(change.dml->database).append(1, kUnit).append(change.dml->table).append(1, kRecord);
    return key;
}

void add_image_key(
    const std::string& table,
    const Dml& dml,
    std::span<const DmlValue> image,
    std::vector<std::string>& keys
) {
    if (image.empty()) return;
    std::string key = table;
    bool any = false;
    for (size_t i = 0; i < dml.columns.size() && i < image.size(); ++i) {
        if (!dml.columns[i].key || image[i].state == ValueState::Unknown) continue;
        key.append(image[i].text).append(1, kUnit);
        any = true;
    }
    if (!any) key = table;
    key = repair_utf8(as_bytes(key));
    for (const std::string& other : keys) {
        if (other == key) return;
    }
    keys.push_back(std::move(key));
}

// One for each key that the change touches; the table's own when it has none.
std::vector<std::string> keys_of(const LetterOwner& owner, const RefusedChange& change) {
    const std::string table = table_key(owner, change);
    std::vector<std::string> keys;
    if (change.row < change.dml->rows.size()) {
        const DmlRow& row = change.dml->rows[change.row];
        add_image_key(table, *change.dml, row.before, keys);
        add_image_key(table, *change.dml, row.after, keys);
    }
    if (keys.empty()) keys.push_back(repair_utf8(as_bytes(table)));
    return keys;
}

// What a letter is of: empty where the log's places don't tell changes apart.
std::string identity_of(const LetterOwner& owner, const std::string& task, const Letter& letter) {
    if (string_member(letter.change, "log_file").empty()) return {};
    std::string text = owner.group + kUnit + owner.adapter + kUnit + task + kUnit;
    text += to_json_text(letter.change);
    return to_hex(sha1(as_bytes(text)));
}

// Of a key: the part that all keys of its table begin with, which is a DDL's own key.
std::string_view table_part(std::string_view key) {
    const auto end = key.find(kRecord);
    return end == std::string_view::npos ? key : key.substr(0, end + 1);
}

boost::json::object letter_line(const Letter& letter) {
    boost::json::array keys;
    for (const std::string& key : letter.keys) keys.emplace_back(key);
    return {
        {"letter", letter.id},
        {"group", letter.owner.group},
        {"adapter", letter.owner.adapter},
        {"task", letter.task},
        {"cause", letter.cause},
        {"parked_at", letter.parked_at},
        {"keys", std::move(keys)},
        {"change", letter.change}
    };
}

// Keeps two processes from writing at once.
class FileLock {
 public:
    explicit FileLock(const std::string& path)
        : file_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
        while (file_.is_open() && ::flock(file_.get(), LOCK_EX) != 0 && errno == EINTR) {
        }
    }

 private:
    FileHandle file_;  // closing it gives the lock back
};

}  // namespace

DeadLetterStore::DeadLetterStore(std::string directory, std::string name)
    : directory_(std::move(directory)), name_(std::move(name)), path_(directory_ + "/" + name_) {}

std::string DeadLetterStore::path_of(const std::string& data_dir, const std::string& destination) {
    return data_dir + "/dead-letters/" + destination + ".jsonl";
}

Result<std::unique_ptr<DeadLetterStore>> DeadLetterStore::open(
    const std::string& data_dir, const std::string& destination
) {
    const std::string directory = data_dir + "/dead-letters";
    Result<void> made = make_directories(directory);
    if (!made) return std::move(made).error();
    std::unique_ptr<DeadLetterStore> store(new DeadLetterStore(directory, destination + ".jsonl"));
    const FileLock lock(store->path_ + ".lock");
    Result<void> read = store->refresh();
    if (!read) return std::move(read).error();
    if (store->lines_ > 2 * store->letters_.size() + store->past_.size() + kIdleLines) {
        Result<void> compacted = store->compact();
        if (!compacted) return std::move(compacted).error();
    }
    return store;
}

Result<void> DeadLetterStore::refresh() {
    const std::lock_guard lock(mutex_);
    return read_tail();
}

Result<void> DeadLetterStore::read_tail() {
    if (!file_.is_open()) {
        file_ = FileHandle(::open(path_.c_str(), O_RDWR | O_APPEND | O_CLOEXEC));
        if (!file_.is_open())
            return errno == ENOENT ? Result<void>{} : file_error(path_, "can't open");
    }
    struct stat info {};
    if (::fstat(file_.get(), &info) != 0) return file_error(path_, "can't look at it");
    std::string text;
    while (read_ + text.size() < static_cast<size_t>(info.st_size)) {
        const size_t before = text.size();
        if (before > kMaxLine)
            return Error{Errc::BadPacket, Retry::Never, path_ + ": a line is too long"};
        text.resize(before + kReadPiece);
        const ssize_t count = ::pread(
            file_.get(), text.data() + before, kReadPiece, static_cast<off_t>(read_ + before)
        );
        if (count < 0 && errno != EINTR) return file_error(path_, "can't read");
        text.resize(before + static_cast<size_t>(std::max<ssize_t>(count, 0)));
        if (count == 0) break;
        size_t taken = 0;
        for (size_t end; (end = text.find('\n', taken)) != std::string::npos; taken = end + 1) {
            const std::string_view line(text.data() + taken, end - taken);
            ++lines_;
            Result<void> done = take_line(line, lines_);
            if (!done) return done;
        }
        text.erase(0, taken);
        read_ += taken;
    }
    return {};
}

Result<void> DeadLetterStore::take_line(std::string_view line, size_t number) {
    if (trim(line).empty()) return {};
    const std::string place = path_ + ":" + std::to_string(number);
    const Result<boost::json::value> parsed = parse_json(line);
    if (!parsed || !parsed->is_object()) {
        // The end of a letter that a crash cut off: nobody relied on it.
        kLog.warn("a line that is none was passed over", {{"place", place}});
        return {};
    }
    const boost::json::object& object = parsed->get_object();
    if (object.contains("letter")) {
        Result<Letter> letter = read_letter(object);
        if (!letter) return std::move(letter).error().in(place);
        next_id_ = std::max(next_id_, letter->id + 1);
        add(std::move(letter).value());
        return {};
    }
    const std::string what(string_member(object, "what"));
    const uint64_t id = number_member(object, "id");
    if (what == "next") next_id_ = std::max(next_id_, id);
    if (what == "past") remember(std::string(string_member(object, "change")));
    const auto found = letters_.find(id);
    if (found == letters_.end()) return {};
    if (what == "done" || what == "drop") {
        forget(id);
    } else if (what == "retry") {
        found->second.wish = Letter::Wish::Retry;
    } else if (what == "failed") {
        found->second.wish = Letter::Wish::None;
        found->second.cause = string_member(object, "cause");
    } else {
        return Error{
            Errc::BadPacket, Retry::Never, place + ": unknown word '" + printable(what) + "'"
        };
    }
    return {};
}

void DeadLetterStore::add(Letter letter) {
    forget(letter.id);
    for (const std::string& key : letter.keys) ++keys_[key];
    const std::string identity = identity_of(letter.owner, letter.task, letter);
    if (!identity.empty()) identities_[identity] = letter.id;
    letters_.insert_or_assign(letter.id, std::move(letter));
}

void DeadLetterStore::remember(const std::string& identity) {
    if (identity.empty() || !past_.insert(identity).second) return;
    past_order_.push_back(identity);
    if (past_order_.size() > kPast) {
        past_.erase(past_order_.front());
        past_order_.pop_front();
    }
}

void DeadLetterStore::forget(uint64_t id) {
    const auto found = letters_.find(id);
    if (found == letters_.end()) return;
    for (const std::string& key : found->second.keys) {
        const auto count = keys_.find(key);
        if (count != keys_.end() && --count->second == 0) keys_.erase(count);
    }
    const std::string identity =
        identity_of(found->second.owner, found->second.task, found->second);
    if (!identity.empty()) identities_.erase(identity);
    remember(identity);
    letters_.erase(found);
}

Result<void> DeadLetterStore::append(const boost::json::object& line) {
    const FileLock lock(path_ + ".lock");
    bool created = false;
    if (!file_.is_open()) {
        created = true;
        file_ = FileHandle(::open(path_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
        if (!file_.is_open()) return file_error(path_, "can't create");
    }
    struct stat info {};
    if (::fstat(file_.get(), &info) != 0) return file_error(path_, "can't look at it");
    std::string text = to_json_text(line) + "\n";
    if (info.st_size > 0) {
        char last = '\n';
        if (::pread(file_.get(), &last, 1, info.st_size - 1) != 1)
            return file_error(path_, "can't read");
        if (last != '\n') text.insert(0, 1, '\n');  // behind what a crash left
    }
    // O_APPEND: at the end whatever the offset says.
    Result<void> written = write_at(file_, path_, text, static_cast<size_t>(info.st_size));
    if (!written) return written;
    if (::fdatasync(file_.get()) != 0) return file_error(path_, "can't sync");
    if (created) {
        const FileHandle folder(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!folder.is_open() || ::fsync(folder.get()) != 0)
            return file_error(directory_, "can't sync");
    }
    return read_tail();
}

Result<void> DeadLetterStore::park(const LetterOwner& owner, const RefusedChange& change) {
    const std::lock_guard lock(mutex_);
    Letter letter;
    letter.id = next_id_;
    letter.owner = owner;
    letter.task = change.task;
    letter.cause = repair_utf8(as_bytes(change.cause));
    letter.parked_at = utc_now();
    letter.keys = keys_of(owner, change);
    letter.change = change_text(*change.dml, change.row);
    const std::string identity = identity_of(owner, letter.task, letter);
    if (!identity.empty() && identities_.contains(identity)) return {};
    Result<void> done = append(letter_line(letter));
    if (done) {
        kLog.error(
            "a change was parked",
            {{"letter", letter.id},
             {"file", path_},
             {"task", letter.task},
             {"table", std::string(change.dml->database) + "." + std::string(change.dml->table)},
             {"cause", letter.cause}}
        );
    }
    return done;
}

bool DeadLetterStore::was_parked(const LetterOwner& owner, const RefusedChange& change) const {
    const std::lock_guard lock(mutex_);
    if (identities_.empty() && past_.empty()) return false;
    Letter letter;
    letter.change = change_text(*change.dml, change.row);
    const std::string identity = identity_of(owner, change.task, letter);
    return !identity.empty() && (identities_.contains(identity) || past_.contains(identity));
}

bool DeadLetterStore::has_earlier(const LetterOwner& owner, const RefusedChange& change) const {
    const std::lock_guard lock(mutex_);
    if (letters_.empty()) return false;
    const std::string table = repair_utf8(as_bytes(table_key(owner, change)));
    const auto of_table = keys_.lower_bound(table);
    if (of_table == keys_.end() || !of_table->first.starts_with(table)) return false;
    if (of_table->first == table) return true;  // one that concerns the whole table
    for (const std::string& key : keys_of(owner, change)) {
        // A change without key concerns every row.
        if (key == table || keys_.contains(key)) return true;
    }
    return false;
}

size_t DeadLetterStore::size() const {
    const std::lock_guard lock(mutex_);
    return letters_.size();
}

std::vector<Letter> DeadLetterStore::letters() const {
    const std::lock_guard lock(mutex_);
    std::vector<Letter> all;
    for (const auto& [id, letter] : letters_) all.push_back(letter);
    return all;
}

std::vector<Letter> DeadLetterStore::to_retry() const {
    const std::lock_guard lock(mutex_);
    std::vector<Letter> all;
    std::map<std::string, bool> waiting;  // keys of older letters that nobody wants to retry
    for (const auto& [id, letter] : letters_) {
        bool behind = false;
        for (const std::string& key : letter.keys) {
            const std::string table(table_part(key));
            const auto of_table = waiting.lower_bound(table);
            const bool any = of_table != waiting.end() && of_table->first.starts_with(table);
            // A DDL's letter and those of its table's rows wait for each other.
            behind =
                behind || waiting.contains(key) || waiting.contains(table) || (key == table && any);
        }
        if (letter.wish == Letter::Wish::Retry && !behind) {
            all.push_back(letter);
        } else {
            for (const std::string& key : letter.keys) waiting[key] = true;
        }
    }
    return all;
}

Result<void> DeadLetterStore::note(std::string_view what, uint64_t id, std::string_view cause) {
    const std::lock_guard lock(mutex_);
    boost::json::object line{{"what", what}, {"id", id}, {"at", utc_now()}};
    if (!cause.empty()) line["cause"] = repair_utf8(as_bytes(cause));
    return append(line);
}

Result<void> DeadLetterStore::done(uint64_t id) { return note("done", id); }

Result<void> DeadLetterStore::failed(uint64_t id, const std::string& cause) {
    return note("failed", id, cause);
}

Result<void> DeadLetterStore::wish_retry(uint64_t id) { return note("retry", id); }

Result<void> DeadLetterStore::drop(uint64_t id) { return note("drop", id); }

// Only while the lock is held, before anybody else has the file open for long.
Result<void> DeadLetterStore::compact() {
    std::string text;
    for (const auto& [id, letter] : letters_) text += to_json_text(letter_line(letter)) + "\n";
    for (const std::string& identity : past_order_) {
        text += to_json_text(boost::json::object{{"what", "past"}, {"change", identity}}) + "\n";
    }
    // Numbers are not given twice.
    text += to_json_text(boost::json::object{{"what", "next"}, {"id", next_id_}}) + "\n";
    Replaced replaced = replace_file(directory_, name_, text);
    if (!replaced.done) return std::move(replaced.done);
    file_ = FileHandle();
    read_ = 0;
    lines_ = 0;
    letters_.clear();
    keys_.clear();
    identities_.clear();
    past_.clear();
    past_order_.clear();
    return read_tail();
}

}  // namespace obcanal::adapter::core
