#include "adapter/core/load_state.h"

#include "protocol/base/durable_file.h"
#include "protocol/base/json.h"
#include "protocol/base/text.h"

#include <boost/json/array.hpp>
#include <unistd.h>

#include <filesystem>

namespace obcanal::adapter::core {
namespace {

constexpr size_t kMaxFile = size_t{64} << 20;
constexpr std::array<std::string_view, 3> kPhases{"running", "failed", "done"};
constexpr std::string_view kSuffix = ".load.json";

// A part of a file's name: nothing in it can be taken for another part, or for a directory.
std::string escaped(std::string_view text) {
    std::string name;
    for (const char c : text) {
        const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                           (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
        name += plain ? std::string(1, c) : "%" + to_hex(as_bytes(std::string_view(&c, 1)));
    }
    return name;
}

std::string to_text(const LoadState& state) {
    boost::json::array params;
    for (const std::string& param : state.request.params)
        params.push_back(boost::json::string(to_hex(as_bytes(param))));
    boost::json::object parts;
    for (const auto& [name, part] : state.parts) {
        boost::json::array key;
        for (const std::string& value : part.after_key)
            key.push_back(boost::json::string(to_hex(as_bytes(value))));
        parts[name] = boost::json::object{
            {"after", std::move(key)},
            {"rows", part.rows},
            {"done", part.done},
            {"log_file", part.log_file},
            {"log_offset", part.log_offset}
        };
    }
    return to_json_text(boost::json::object{
        {"task", state.request.task},
        {"params", std::move(params)},
        {"truncate", state.request.truncate},
        {"rebuild", state.request.rebuild},
        {"phase", kPhases.at(static_cast<size_t>(state.phase))},
        {"parts", std::move(parts)},
        {"replayed_until_ms", state.replayed_until_ms}
    });
}

std::vector<std::string> texts(const boost::json::value& value) {
    std::vector<std::string> all;
    for (const boost::json::value& one : value.as_array()) {
        const std::optional<std::string> text = from_hex(std::string_view(one.as_string()));
        if (!text) throw std::invalid_argument("not hexadecimal");
        all.push_back(*text);
    }
    return all;
}

// Throws what it finds wrong; our own file, whole or absent.
LoadState from_text(const boost::json::object& object) {
    LoadState state;
    state.request.task = std::string(object.at("task").as_string());
    state.request.params = texts(object.at("params"));
    state.request.truncate = object.at("truncate").as_bool();
    state.request.rebuild = object.contains("rebuild") && object.at("rebuild").as_bool();
    const std::string_view phase = object.at("phase").as_string();
    for (size_t i = 0; i < kPhases.size(); ++i) {
        if (kPhases[i] == phase) state.phase = static_cast<LoadState::Phase>(i);
    }
    for (const auto& [name, value] : object.at("parts").as_object()) {
        LoadPart& part = state.parts[std::string(name)];
        part.after_key = texts(value.at("after"));
        part.rows = value.at("rows").to_number<uint64_t>();
        part.done = value.at("done").as_bool();
        part.log_file = std::string(value.at("log_file").as_string());
        part.log_offset = value.at("log_offset").to_number<int64_t>();
    }
    state.replayed_until_ms = object.at("replayed_until_ms").to_number<int64_t>();
    return state;
}

Result<std::optional<LoadState>> read_state(const std::string& path) {
    Result<std::optional<std::string>> text = read_file(path, kMaxFile);
    if (!text) return std::move(text).error();
    if (!*text) return std::optional<LoadState>();
    const auto wrong = [&path](const std::string& what) {
        return Error{
            Errc::BadPacket,
            Retry::Never,
            path + ": is no state of a full load: " + what + "; remove it and load anew"
        };
    };
    const Result<boost::json::value> value = parse_json(**text);
    if (!value) return wrong(value.error().detail);
    try {
        return std::optional(from_text(value->as_object()));
    } catch (const std::exception& fault) {
        return wrong(fault.what());
    }
}

}  // namespace

LoadStore::LoadStore(
    const std::string& data_dir,
    const std::string& destination,
    const std::string& group,
    const std::string& adapter
)
    : directory_(data_dir + "/full-loads/" + escaped(destination)),
      prefix_(escaped(group) + "." + escaped(adapter) + ".") {}

std::string LoadStore::name_of(const std::string& task) const {
    return prefix_ + escaped(task) + std::string(kSuffix);
}

Result<void> LoadStore::put(const LoadState& state) const {
    Result<void> made = make_directories(directory_);
    if (!made) return made;
    return replace_file(directory_, name_of(state.request.task), to_text(state)).done;
}

Result<LoadState> LoadStore::begin(const FullLoadRequest& request) {
    const std::lock_guard lock(mutex_);
    LoadState state;
    if (!request.restart) {
        Result<std::optional<LoadState>> before =
            read_state(directory_ + "/" + name_of(request.task));
        if (!before) return std::move(before).error();
        const bool same = *before && (*before)->phase != LoadState::Phase::Done &&
                          (*before)->request.params == request.params &&
                          (*before)->request.truncate == request.truncate &&
                          (*before)->request.rebuild == request.rebuild;
        if (same) {
            state = std::move(**before);
        } else if (*before) {
            state.replayed_until_ms = (*before)->replayed_until_ms;
        }
    }
    state.request = request;
    state.phase = LoadState::Phase::Running;
    Result<void> saved = put(state);
    if (!saved) return std::move(saved).error();
    return state;
}

Result<void> LoadStore::save(const LoadState& state) {
    const std::lock_guard lock(mutex_);
    return put(state);
}

Result<void> LoadStore::forget(const std::string& task) {
    const std::lock_guard lock(mutex_);
    const std::string path = directory_ + "/" + name_of(task);
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return file_error(path, "remove");
    return {};
}

Result<std::vector<LoadState>> LoadStore::all() const {
    const std::lock_guard lock(mutex_);
    std::vector<LoadState> states;
    std::error_code code;
    for (const auto& entry : std::filesystem::directory_iterator(directory_, code)) {
        const std::string name = entry.path().filename().string();
        if (!name.starts_with(prefix_) || !name.ends_with(kSuffix)) continue;
        Result<std::optional<LoadState>> state = read_state(entry.path().string());
        if (!state) return std::move(state).error();
        if (*state) states.push_back(std::move(**state));
    }
    return states;
}

}  // namespace obcanal::adapter::core
