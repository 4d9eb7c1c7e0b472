#include "server/config/load.h"

#include "protocol/base/text.h"
#include "server/config/instance_rules.h"
#include "server/config/key_reader.h"
#include "server/config/server_rules.h"
#include "server/config/unknown_keys.h"
#include "server/config/users_yml.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <set>
#include <utility>

namespace obcanal::config {
namespace {

constexpr std::string_view kServerScope = "server";
constexpr std::string_view kClasspath = "classpath:";
constexpr std::string_view kMask = "******";

class Loader {
 public:
    Loader(const std::string& conf_dir, const std::vector<std::string>& defines)
        : conf_dir_(conf_dir), canal_file_(conf_dir + "/canal.properties") {
        parse_defines(defines);
        read_server_files();
    }

    LoadedConfig load_all() {
        Layers layers(defines_, {server_file(), common_file(), nullptr}, {});
        KeyReader reader(layers, findings_, conf_dir_, server_name_);
        read_server(reader);
        std::vector<std::string> names = loaded_.server.destinations;
        if (loaded_.server.auto_scan) scan(names);
        read_destinations(names, layers, reader);
        return finished();
    }

    LoadedConfig load_one(const std::string& destination) {
        Layers layers(defines_, {server_file(), common_file(), nullptr}, {});
        KeyReader reader(layers, findings_, conf_dir_, server_name_);
        read_server(reader);
        loaded_.values.clear();
        read_destinations({destination}, layers, reader);
        return finished();
    }

 private:
    const Properties* server_file() const { return server_ ? &*server_ : common_file(); }
    const Properties* common_file() const { return common_ ? &*common_ : nullptr; }

    void parse_defines(const std::vector<std::string>& defines) {
        for (const std::string& define : defines) {
            const size_t equals = define.find('=');
            const std::string key(trim(define.substr(0, equals)));
            if (key.empty()) {
                findings_.error("command line", define, "no key in front of '='");
                continue;
            }
            defines_[key] = equals == std::string::npos ? "" : define.substr(equals + 1);
        }
    }

    // canal.properties; server keys come from another file where canal.conf names one.
    void read_server_files() {
        server_name_ = canal_file_;
        const auto named = defines_.find("canal.conf");
        if (named != defines_.end() && !trim(named->second).empty()) {
            std::string_view path = trim(named->second);
            const bool in_conf = path.starts_with(kClasspath);
            if (in_conf) path.remove_prefix(kClasspath.size());
            server_name_ = in_conf ? conf_dir_ + "/" + std::string(path) : std::string(path);
        }
        if (server_name_ != canal_file_) server_ = read_file(server_name_, true);
        common_ = read_file(canal_file_, server_name_ == canal_file_);
    }

    std::optional<Properties> read_file(const std::string& path, bool required) {
        Result<Properties> file = Properties::read(path);
        if (file) return std::move(file).value();
        if (required || file.error().code != Errc::NotFound) {
            std::string what = file.error().detail;
            if (what.starts_with(path + ": ")) what.erase(0, path.size() + 2);
            findings_.error(path, {}, std::move(what));
        }
        return std::nullopt;
    }

    void read_server(KeyReader& reader) {
        ServerConfig& server = loaded_.server;
        reader.read(server_keys(), KeyKind::Server, server);
        reader.read(tls_keys(), KeyKind::Server, server.client_tls, "canal.tls");
        reader.read(tls_keys(), KeyKind::Server, server.admin_tls, "canal.admin.tls");
        reader.read(tls_keys(), KeyKind::Server, server.metrics_tls, "canal.metrics.tls");
        server.conf_dir = resolve_path(reader.setting("canal.conf.dir").text, conf_dir_);
        server.users = read_users(conf_dir_ + "/users.yml", findings_);
        check_server(reader, server);
        read_destination_list(reader, server);
        keep_values(reader, std::string(kServerScope));
    }

    // Adds what the directory holds beside what is listed. It is listed before its files are read,
    // so that a change while we read shows at the first look.
    void scan(std::vector<std::string>& names) {
        const std::string& dir = loaded_.server.conf_dir;
        Result<ConfListing> listing = list_destinations(dir);
        if (!listing) {
            findings_.error(dir, "canal.auto.scan", listing.error().detail);
            return;
        }
        for (const auto& [name, stamp] : listing->destinations) {
            if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
        }
        for (const auto& [name, why] : listing->misnamed)
            findings_.warning(dir + "/" + name, {}, why + "; the directory is passed over");
        for (const auto& [name, why] : listing->unreadable)
            findings_.warning(dir + "/" + name, {}, why + "; the directory is passed over");
        loaded_.listing = std::move(listing).value();
    }

    void read_destinations(
        const std::vector<std::string>& names, Layers& layers, KeyReader& reader
    ) {
        // Findings of whole files, once; placeholders can refer to keys of one's own.
        KeyNames asked;
        for (const std::string& name : names) read_destination(name, asked);
        asked.insert(layers.asked().begin(), layers.asked().end());
        findings_.set_scope({});
        if (server_) judge_file(*server_, false, asked, reader, findings_);
        if (common_) judge_file(*common_, false, asked, reader, findings_);
        judge_overrides(defines_, asked, reader, findings_);
        reader.finish();
    }

    void read_destination(const std::string& destination, KeyNames& asked) {
        findings_.set_scope(destination);
        const std::string path =
            loaded_.server.conf_dir + "/" + destination + "/" + std::string(kInstanceFile);
        // Without a file everything can still come from canal.properties and the environment.
        const std::optional<Properties> file = read_file(path, loaded_.server.auto_scan);
        Layers layers(
            defines_, {server_file(), common_file(), file ? &*file : nullptr}, destination
        );
        KeyReader reader(layers, findings_, conf_dir_, path);
        InstanceConfig config;
        config.destination = destination;
        reader.read(per_destination_keys(), KeyKind::PerDestination, config);
        reader.read(instance_keys(), KeyKind::Instance, config);
        read_source(reader, config);
        check_instance(reader, config);
        if (loaded_.server.in_cluster && config.meta != MetaKind::ZooKeeper) {
            reader.error(
                "canal.instance.global.spring.xml",
                "canal.zkServers is set, and only cursors in ZooKeeper (default-instance.xml) keep "
                "two servers from feeding at once; use it, or remove canal.zkServers"
            );
        }
        asked.insert(layers.asked().begin(), layers.asked().end());
        if (file) judge_file(*file, true, layers.asked(), reader, findings_);
        reader.finish();
        keep_values(reader, destination);
        if (findings_.has_error(destination)) {
            loaded_.refused.push_back({destination, findings_.errors_of(destination)});
        } else {
            loaded_.instances.push_back(std::move(config));
        }
    }

    void keep_values(const KeyReader& reader, const std::string& scope) {
        for (const auto& [key, read] : reader.all()) {
            const bool hide = read.info->secret && !read.setting.text.empty();
            loaded_.values.push_back(
                {scope, key, hide ? std::string(kMask) : read.setting.text, read.setting.origin}
            );
        }
    }

    LoadedConfig finished() {
        loaded_.findings = findings_.take();
        return std::move(loaded_);
    }

    std::string conf_dir_;
    std::string canal_file_;
    std::string server_name_;
    Layers::Defines defines_;
    std::optional<Properties> server_;
    std::optional<Properties> common_;
    FindingList findings_;
    LoadedConfig loaded_;
};

}  // namespace

LoadedConfig load(const std::string& conf_dir, const std::vector<std::string>& defines) {
    return Loader(conf_dir, defines).load_all();
}

LoadedConfig load_instance(
    const std::string& conf_dir,
    const std::vector<std::string>& defines,
    const std::string& destination
) {
    return Loader(conf_dir, defines).load_one(destination);
}

bool can_start(const LoadedConfig& loaded) {
    const bool server_is_wrong =
        std::any_of(loaded.findings.begin(), loaded.findings.end(), [](const Finding& finding) {
            return finding.severity == Finding::Severity::Error && finding.scope.empty();
        });
    return !server_is_wrong && (loaded.refused.empty() || !loaded.instances.empty());
}

}  // namespace obcanal::config
