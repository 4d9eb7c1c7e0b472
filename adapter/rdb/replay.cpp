#include "adapter/rdb/replay.h"

#include "protocol/base/json.h"
#include "protocol/base/text.h"

#include <boost/json/object.hpp>
#include <fcntl.h>

#include <algorithm>

namespace obcanal::adapter::rdb {

namespace {

// What a server may have handed out and not seen acknowledged, where nothing better is known.
constexpr uint64_t kRowsInDoubt = 20'000;
constexpr size_t kFileLimit = 64'000;

std::string read_boot_id() {
    auto text = read_file("/proc/sys/kernel/random/boot_id", kFileLimit);
    return text && *text ? std::string(trim(**text)) : "";
}

const std::string& boot_id() {
    static const std::string id = read_boot_id();
    return id;
}

std::string text_of(const boost::json::object& object, std::string_view name) {
    const boost::json::value* value = object.if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

// False: the text says nothing that holds. Empty: nothing was ever written.
bool read_note(std::string_view text, std::optional<SourceMark>& noted) {
    if (trim(text).empty()) {
        return true;
    }
    const auto parsed = parse_json(trim(text));
    // What the page cache held is lost with the machine.
    if (!parsed || !parsed->is_object() || text_of(parsed->get_object(), "boot") != boot_id()) {
        return false;
    }
    const boost::json::object& object = parsed->get_object();
    const boost::json::value* offset = object.if_contains("offset");
    if (offset != nullptr && offset->is_int64()) {
        noted = SourceMark{text_of(object, "file"), offset->get_int64(), 1};
    }
    return offset == nullptr || noted;
}

}  // namespace

ReplayWindow::ReplayWindow(std::string directory, std::string name, bool by_rows)
    : directory_(std::move(directory)), path_(directory_ + "/" + name), by_rows_(by_rows) {}

Result<void> ReplayWindow::open() {
    if (file_.is_open()) {
        return {};
    }
    if (auto made = make_directories(directory_); !made) {
        return made;
    }
    auto text = read_file(path_, kFileLimit);
    if (!text) {
        return text.error();
    }
    const std::string content = text->value_or("");
    const bool known = read_note(content, noted_);
    size_ = content.size();
    file_ = FileHandle(::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0640));
    if (!file_.is_open()) {
        return file_error(path_, "can't open");
    }
    rows_ = known && !by_rows_ ? 0 : kRowsInDoubt;
    return {};
}

void ReplayWindow::begin(uint64_t session) {
    if (by_rows_ && session != session_) {
        rows_ = kRowsInDoubt;
    }
    session_ = session;
    doubt_ = noted_;
    before_ = noted_;
}

bool ReplayWindow::covers(const core::Dml& dml) const {
    return rows_ > 0 || (doubt_ && compare_place(dml.log_file, dml.log_offset, *doubt_) <= 0);
}

Result<void> ReplayWindow::note(const core::Dml& last) {
    if (noted_ && compare_place(last.log_file, last.log_offset, *noted_) <= 0) {
        before_ = noted_;
        return {};
    }
    before_ = noted_;
    noted_ = SourceMark{std::string(last.log_file), last.log_offset, 1};
    return store();
}

Result<void> ReplayWindow::take_back() {
    if (noted_ == before_) {
        return {};
    }
    noted_ = before_;
    return store();
}

void ReplayWindow::passed(uint64_t rows) { rows_ -= std::min(rows_, std::max<uint64_t>(rows, 1)); }

// One write() of the whole file, padded to the length that it had: a killed process leaves the old
// or the new one.
Result<void> ReplayWindow::store() {
    boost::json::object object{{"boot", boot_id()}};
    if (noted_) {
        object["file"] = noted_->file;
        object["offset"] = noted_->offset;
    }
    std::string text = to_json_text(object);
    text.resize(std::max(size_, text.size() + 1), ' ');
    text.back() = '\n';
    size_ = text.size();
    return write_at(file_, path_, text, 0);
}

}  // namespace obcanal::adapter::rdb
