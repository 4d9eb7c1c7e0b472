#include "server/config/load_oblog.h"

#include "server/config/key_reader.h"
#include "server/config/key_table.h"
#include "server/config/layers.h"

#include <filesystem>
#include <optional>
#include <utility>

namespace obcanal::config {
namespace {

// The reference's working directory lies beside the configuration directory.
std::string conf_dir_of(const std::filesystem::path& file) {
    return file.parent_path().parent_path().string();
}

void check(KeyReader& reader, const OblogConfig& config) {
    constexpr std::string_view kPrefix = "canal.instance.oceanbase.";
    const auto need = [&](std::string_view name, bool there) {
        if (!there) reader.error(std::string(kPrefix).append(name), "must be set");
    };
    need("logproxy.address", !config.addresses.empty());
    need("rsList", !config.rs_list.empty() || !config.cluster_url.empty());
    need("username", !config.username.empty());
}

}  // namespace

LoadedOblog load_oblog(const std::string& file, const std::vector<std::string>& defines) {
    LoadedOblog loaded;
    FindingList findings;
    Layers::Defines values;
    for (const std::string& define : defines) {
        const size_t equals = define.find('=');
        const std::string value = equals == std::string::npos ? "" : define.substr(equals + 1);
        values[define.substr(0, equals)] = value;
    }
    const std::filesystem::path path =
        file.empty() ? std::filesystem::path() : std::filesystem::absolute(file);
    std::optional<Properties> properties;
    if (!file.empty()) {
        Result<Properties> read = Properties::read(file);
        if (read) {
            properties = std::move(read).value();
        } else {
            findings.error(file, {}, read.error().detail);
        }
    }
    Layers layers(
        values,
        {nullptr, nullptr, properties ? &*properties : nullptr},
        path.parent_path().filename().string()
    );
    const std::string name = file.empty() ? "command line" : file;
    KeyReader reader(layers, findings, conf_dir_of(path), name);
    reader.read(oblog_keys(), KeyKind::Instance, loaded.config);
    check(reader, loaded.config);
    reader.finish();
    loaded.findings = findings.take();
    return loaded;
}

}  // namespace obcanal::config
