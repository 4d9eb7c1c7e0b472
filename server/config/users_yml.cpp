#include "server/config/users_yml.h"

#include "protocol/base/text.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace obcanal::config {
namespace {

constexpr size_t kMaxBytes = size_t{1} << 20;
constexpr size_t kPasswordDigits = 40;

class UsersReader {
 public:
    UsersReader(const std::string& name, FindingList& findings)
        : name_(name), findings_(findings) {}

    std::vector<UserConfig> read(const YAML::Node& document) {
        if (document.IsNull()) return {};
        if (!document.IsMap()) {
            error(document.Mark(), "", "must be a map with the key users");
            return {};
        }
        for (const auto& entry : document) {
            if (entry.first.Scalar() == "users") {
                read_list(entry.second);
            } else {
                error(entry.first.Mark(), entry.first.Scalar(), "is no key of this file");
            }
        }
        return std::move(users_);
    }

    void error(const YAML::Mark& mark, const std::string& key, std::string what) {
        std::string where = name_;
        if (!mark.is_null()) where += ":" + std::to_string(mark.line + 1);
        faulty_ = true;
        findings_.error(std::move(where), key, std::move(what));
    }

 private:
    void read_list(const YAML::Node& list) {
        if (list.IsNull()) return;
        if (!list.IsSequence()) return error(list.Mark(), "users", "must be a list");
        for (const YAML::Node& one : list) {
            if (one.IsMap()) {
                read_user(one);
            } else {
                error(one.Mark(), "users", "an item must have name, password and destinations");
            }
        }
    }

    void read_user(const YAML::Node& one) {
        UserConfig user;
        faulty_ = false;
        for (const auto& entry : one) {
            const std::string& key = entry.first.Scalar();
            if (key == "name") {
                user.name = scalar(entry.second, key);
            } else if (key == "password") {
                user.password_hash = scalar(entry.second, key);
            } else if (key == "destinations") {
                user.destinations = names(entry.second);
            } else {
                error(entry.first.Mark(), printable(key), "is no key of a user");
            }
        }
        if (user.name.empty()) error(one.Mark(), "name", "must be given");
        const bool hex = from_hex(user.password_hash).has_value();
        if (!hex || user.password_hash.size() != kPasswordDigits) {
            error(
                one.Mark(),
                "password",
                "must be the 40 hex digits of SHA1(SHA1(password)): what MySQL's PASSWORD() gives, "
                "without the '*'"
            );
        }
        const bool twice = std::any_of(users_.begin(), users_.end(), [&user](const auto& other) {
            return other.name == user.name;
        });
        if (twice) error(one.Mark(), "name", printable(user.name) + " stands here twice");
        if (!faulty_) users_.push_back(std::move(user));
    }

    std::string scalar(const YAML::Node& node, const std::string& key) {
        if (node.IsScalar()) return node.Scalar();
        error(node.Mark(), key, "must be a text");
        return {};
    }

    std::vector<std::string> names(const YAML::Node& node) {
        std::vector<std::string> list;
        if (node.IsScalar()) list.push_back(node.Scalar());
        if (node.IsSequence()) {
            for (const YAML::Node& one : node) list.push_back(scalar(one, "destinations"));
        }
        if (node.IsMap()) error(node.Mark(), "destinations", "must be a list of names");
        return list;
    }

    const std::string& name_;
    FindingList& findings_;
    bool faulty_ = false;  // the user in hand
    std::vector<UserConfig> users_;
};

}  // namespace

std::vector<UserConfig> parse_users(
    const std::string& name, std::string_view text, FindingList& findings
) {
    UsersReader reader(name, findings);
    try {
        return reader.read(YAML::Load(std::string(text)));
    } catch (const YAML::Exception& failure) {
        reader.error(failure.mark, "", "YAML: " + failure.msg);
    }
    return {};
}

std::vector<UserConfig> read_users(const std::string& path, FindingList& findings) {
    std::error_code code;
    if (!std::filesystem::exists(path, code)) return {};
    std::ifstream file(path, std::ios::binary);
    std::string text(kMaxBytes + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<size_t>(file.gcount()));
    if (file.bad() || !file.is_open() || text.size() > kMaxBytes) {
        const char* const what = text.size() > kMaxBytes ? "is larger than 1 MiB" : "can't be read";
        findings.error(path, "", what);
        return {};
    }
    return parse_users(path, text, findings);
}

}  // namespace obcanal::config
