// A configuration directory of one test, with what loading it gave.
#pragma once

#include "environment.h"
#include "server/config/load.h"
#include "tests/unit/scratch_dir.h"

#include <gtest/gtest.h>

#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::config {

// What every test needs to have a server and a destination without errors.
constexpr std::string_view kServerBasics =
    "canal.serverMode = tcp\n"
    "canal.destinations = shop\n";
constexpr std::string_view kOblogBasics =
    "canal.instance.oceanbase.logproxy.address = 127.0.0.1:2983\n"
    "canal.instance.oceanbase.rsList = 127.0.0.1:2882:2881\n"
    "canal.instance.oceanbase.username = user@shop\n"
    "canal.instance.oceanbase.password = secret\n"
    "canal.instance.oceanbase.tenant = shop\n";

class ConfDirTest : public testing::Test {
 protected:
    ConfDirTest() {
        server();
        instance();
    }

    std::string dir() const { return scratch_.path() + "/conf"; }
    std::string server_file() const { return dir() + "/canal.properties"; }
    std::string instance_file(const std::string& destination = "shop") const {
        return dir() + "/" + destination + "/instance.properties";
    }

    void write(const std::string& path, std::string_view text) { write_text(path, text); }
    // Lines behind the basics: the first is line 3.
    void server(std::string_view lines = {}) {
        write(server_file(), std::string(kServerBasics) + std::string(lines));
    }
    // Lines behind the basics: the first is line 6.
    void instance(std::string_view lines = {}, const std::string& destination = "shop") {
        write(instance_file(destination), std::string(kOblogBasics) + std::string(lines));
    }

    LoadedConfig loaded() const { return load(dir(), defines_); }

    // The findings as a user sees them, "CONF" for the directory.
    std::string findings(const LoadedConfig& config) const {
        std::ostringstream out;
        report(config.findings, out);
        std::string text = out.str();
        for (size_t at = text.find(dir()); at != std::string::npos; at = text.find(dir()))
            text.replace(at, dir().size(), "CONF");
        return text;
    }
    std::string findings() const { return findings(loaded()); }

    InstanceConfig only_instance() const {
        LoadedConfig config = loaded();
        EXPECT_EQ(findings(config), "");
        EXPECT_EQ(config.instances.size(), 1U);
        return config.instances.empty() ? InstanceConfig{} : std::move(config.instances[0]);
    }

    ScratchDir scratch_;
    // Without a password an open port is a finding.
    std::optional<Environment> loopback_{std::in_place, "canal.ip", "127.0.0.1"};
    std::vector<std::string> defines_;
};

}  // namespace obcanal::config
