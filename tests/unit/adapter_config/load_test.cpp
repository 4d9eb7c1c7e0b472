// application.yml: how names, overrides and faults are read.
#include "adapter/config/load.h"

#include "tests/unit/scratch_dir.h"

#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

namespace obcanal::adapter::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

constexpr const char* kMinimal = R"(canal.conf:
  consumerProperties:
    canal.tcp.server.host: 127.0.0.1:11111
  canalAdapters:
  - instance: example
    groups:
    - groupId: g1
      outerAdapters:
      - name: logger
)";

LoadedAdapter read(
    const std::string& text,
    const Environment& environment = {},
    const std::vector<std::string>& defines = {}
) {
    return load_text("application.yml", text, defines, environment);
}

std::string findings(const LoadedAdapter& loaded) {
    std::ostringstream text;
    report(loaded.findings, text);
    return text.str();
}

TEST(AdapterConfigTest, SampleOfTheReferenceLoadsUnedited) {
    const std::string dir = std::string(OBCANAL_FIXTURES) + "/adapter-conf";
    const LoadedAdapter loaded = load(dir, {}, {});
    EXPECT_EQ(findings(loaded), "");
    const AdapterConfig& config = loaded.config;
    EXPECT_EQ(config.rest_port, 8081);
    EXPECT_EQ(config.metrics_port, 11'113);
    EXPECT_EQ(config.canal.server, "127.0.0.1:11111");
    EXPECT_EQ(config.canal.batch_size, 500U);
    EXPECT_EQ(config.sync_batch_size, 1000U);
    EXPECT_EQ(config.timeout.count(), 500);  // "timeout:" is as good as absent
    ASSERT_EQ(config.destinations.size(), 1U);
    EXPECT_EQ(config.destinations[0].name, "example");
    ASSERT_EQ(config.destinations[0].groups.size(), 1U);
    const GroupConfig& group = config.destinations[0].groups[0];
    EXPECT_EQ(group.id, "g1");
    ASSERT_EQ(group.adapters.size(), 1U);
    EXPECT_EQ(group.adapters[0].name, "logger");
    EXPECT_EQ(group.adapters[0].key, "AUTO_GENERATED_-example-g1-0");
    EXPECT_TRUE(group.adapters[0].generated_key);
    EXPECT_THAT(group.adapters[0].place, HasSubstr("application.yml:"));
}

TEST(AdapterConfigTest, NamesAreComparedWithoutCaseDashesAndUnderscores) {
    const LoadedAdapter loaded = read(R"(Canal:
  CONF:
    sync-batch-size: 7
    consumer_properties:
      canal:
        tcp.server.host: h:1
    canal-adapters:
    - Instance: " d "
      groups:
      - group-id: g
        outer_adapters:
        - name: rdb
          key: K1
          properties:
            jdbc:
              url: jdbc:mysql://h/db
            jdbc.username: 0123
)");
    EXPECT_EQ(findings(loaded), "");
    EXPECT_EQ(loaded.config.sync_batch_size, 7U);
    EXPECT_EQ(loaded.config.canal.server, "h:1");
    ASSERT_EQ(loaded.config.destinations.size(), 1U);
    EXPECT_EQ(loaded.config.destinations[0].name, "d");
    const OuterAdapterConfig& outer = loaded.config.destinations[0].groups[0].adapters[0];
    EXPECT_EQ(outer.key, "K1");
    EXPECT_FALSE(outer.generated_key);
    EXPECT_THAT(
        outer.properties,
        ElementsAre(Pair("jdbc.url", "jdbc:mysql://h/db"), Pair("jdbc.username", "0123"))
    );
    EXPECT_EQ(property(outer.properties, "JDBC.user-name"), "0123");
    EXPECT_EQ(property(outer.properties, "jdbc.password"), "");
}

TEST(AdapterConfigTest, EnvironmentStandsAboveTheFileAndTheCommandLineAboveBoth) {
    const Environment environment{
        {"CANAL_CONF_SYNCBATCHSIZE", "11"},
        {"CANAL_CONF_TIMEOUT", "12"},
        {"CANAL_CONF_CONSUMERPROPERTIES_CANAL_TCP_SERVER_HOST", "other:2"},
        {"CANAL_CONF_CONSUMERPROPERTIES_CANAL_TCP_USERNAME", "u"},
        {"CANAL_CONF_CANALADAPTERS_0_INSTANCE", "shop"},
        {"CANAL_CONF_CANALADAPTERS_0_GROUPS_0_OUTERADAPTERS_1_NAME", "rdb"},
    };
    const LoadedAdapter loaded = read(kMinimal, environment, {"canal.conf.timeout=13"});
    EXPECT_EQ(findings(loaded), "");
    EXPECT_EQ(loaded.config.sync_batch_size, 11U);
    EXPECT_EQ(loaded.config.timeout.count(), 13);
    EXPECT_EQ(loaded.config.canal.server, "other:2");
    EXPECT_EQ(loaded.config.canal.user, "u");
    ASSERT_EQ(loaded.config.destinations.size(), 1U);
    EXPECT_EQ(loaded.config.destinations[0].name, "shop");
    ASSERT_EQ(loaded.config.destinations[0].groups[0].adapters.size(), 2U);
    EXPECT_EQ(loaded.config.destinations[0].groups[0].adapters[1].name, "rdb");

    std::ostringstream printed;
    print_config(loaded.values, printed);
    EXPECT_THAT(printed.str(), HasSubstr("canal.conf.timeout = 13    # command line\n"));
    EXPECT_THAT(printed.str(), HasSubstr("canal.conf.syncBatchSize = 11    # environment\n"));
    EXPECT_THAT(printed.str(), HasSubstr("canal.conf.mode = tcp    # default\n"));
}

TEST(AdapterConfigTest, FaultsNameFileLineAndKey) {
    const auto faults = [](const std::string& lines) {
        return findings(read(std::string(kMinimal) + lines));
    };
    EXPECT_THAT(
        faults("  timeout: soon\n"),
        HasSubstr("application.yml:10: canal.conf.timeout: 'soon' must be a number from 0 to ")
    );
    EXPECT_THAT(
        faults("  mode: kafka\n"), HasSubstr("application.yml:10: canal.conf.mode: 'kafka'")
    );
    EXPECT_THAT(
        faults("  timeot: 5\n"),
        HasSubstr("application.yml:10: canal.conf.timeot: warning: is no key that is known")
    );
    EXPECT_THAT(
        faults("  sync_batch_size: 5\n  syncBatchSize: 6\n"),
        HasSubstr("application.yml:11: canal.conf.syncBatchSize: stands here twice")
    );
    EXPECT_THAT(
        faults("  timeout: 5\n  timeout: 6\n"),
        HasSubstr("application.yml:11: canal.conf.timeout: stands here twice")
    );
    EXPECT_THAT(faults("  retries: x\n"), HasSubstr("canal.conf.retries: 'x' must be a number"));
    EXPECT_THAT(faults(" bad: [\n"), HasSubstr("application.yml:1"));
    EXPECT_THAT(findings(read("")), HasSubstr("canalAdapters: must name at least one instance"));
    EXPECT_THAT(findings(read("- a\n")), HasSubstr("application.yml:1: must be a map"));
    EXPECT_THAT(findings(load("/nowhere", {}, {})), HasSubstr("does not exist"));
}

TEST(AdapterConfigTest, RetriesThatLoseDataAreExplained) {
    EXPECT_EQ(findings(read(std::string(kMinimal) + "  retries: -1\n")), "");
    EXPECT_THAT(
        findings(read(std::string(kMinimal) + "  retries: 3\n")),
        HasSubstr("application.yml:10: canal.conf.retries: warning: a batch that fails is tried")
    );
    EXPECT_THAT(
        findings(read(std::string(kMinimal) + "  terminateOnException: true\n")),
        HasSubstr("terminateOnException: warning: has no effect")
    );
}

TEST(AdapterConfigTest, OneGroupAndOneAdapterOfAName) {
    const std::string twice = std::string(kMinimal) + R"(    - groupId: g1
      outerAdapters:
      - {name: logger, key: a}
  - instance: example
    groups:
    - groupId: g2
      outerAdapters:
      - {name: rdb, key: a}
      - {name: rdb, key: A}
      - {name: ""}
)";
    const LoadedAdapter loaded = read(twice);
    const std::string text = findings(loaded);
    EXPECT_THAT(text, HasSubstr("'g1' stands in the instance example twice"));
    EXPECT_THAT(
        text,
        HasSubstr("application.yml:18: canal.conf.canalAdapters[1].groups[0]."
                  "outerAdapters[1].key: 'A' stands in this group twice")
    );
    EXPECT_THAT(text, HasSubstr("outerAdapters[2].name: must be given"));
    // Two entries of one instance are one destination.
    ASSERT_EQ(loaded.config.destinations.size(), 1U);
    EXPECT_EQ(loaded.config.destinations[0].groups.size(), 2U);
}

TEST(AdapterConfigTest, SecretsAreMasked) {
    const LoadedAdapter loaded = read(R"(canal.adapter.rest.token: verysecret
canal.conf:
  consumerProperties: {canal.tcp.server.host: "h:1", canal.tcp.password: verysecret}
  srcDataSources:
    defaultDS:
      url: jdbc:mysql://h/db?user=u&password=verysecret&x=1
      username: root
      password: verysecret
  canalAdapters:
  - instance: example
    groups:
    - outerAdapters:
      - name: es7
        hosts: http://u:verysecret@h:9200
        properties: {security.auth: "u:verysecret", jdbc.password: verysecret}
)");
    EXPECT_EQ(findings(loaded), "");
    std::ostringstream printed;
    print_config(loaded.values, printed);
    EXPECT_THAT(printed.str(), Not(HasSubstr("verysecret")));
    EXPECT_THAT(printed.str(), HasSubstr("password=***&x=1"));
    EXPECT_THAT(printed.str(), HasSubstr("http://u:***@h:9200"));
    ASSERT_EQ(loaded.config.data_sources.size(), 1U);
    EXPECT_EQ(loaded.config.data_sources[0].password, "verysecret");
    EXPECT_EQ(loaded.config.data_sources[0].max_active, 3U);
    EXPECT_EQ(loaded.config.rest_token, "verysecret");
    EXPECT_EQ(loaded.config.destinations[0].groups[0].id, "default");
}

TEST(AdapterConfigTest, PositionKeyReachesEveryAdapterThatHasNoneOfItsOwn) {
    const LoadedAdapter loaded = read(
        "canal.adapter: {position: target, client.id: 1002, data.dir: /d}\n" +
        std::string(kMinimal) + "      - {name: rdb, properties: {canal.adapter.position: none}}\n"
    );
    EXPECT_EQ(findings(loaded), "");
    const auto& adapters = loaded.config.destinations[0].groups[0].adapters;
    EXPECT_EQ(property(adapters[0].properties, "canal.adapter.position"), "target");
    EXPECT_EQ(property(adapters[1].properties, "canal.adapter.position"), "none");
    EXPECT_EQ(loaded.config.canal.client_id, 1002);
    EXPECT_EQ(loaded.config.data_dir, "/d");
}

TEST(AdapterConfigTest, ActiveProfileStandsAboveTheFile) {
    const ScratchDir scratch;
    const std::string& dir = scratch.path();
    std::ofstream(dir + "/application.yml") << "spring.profiles.active: prod\n" << kMinimal;
    std::ofstream(dir + "/application-prod.yml") << "canal.conf.sync-batch-size: 9\n"
                                                    "server.port: ${REST:8099}\n";
    const std::string before = application_stamp(dir);
    const LoadedAdapter loaded = load(dir, {}, {});
    EXPECT_EQ(findings(loaded), "");
    EXPECT_EQ(loaded.config.sync_batch_size, 9U);
    EXPECT_EQ(loaded.config.rest_port, 8099);
    EXPECT_EQ(loaded.config.canal.server, "127.0.0.1:11111");
    EXPECT_EQ(application_stamp(dir), before);
    std::ofstream(dir + "/application-prod.yml") << "canal.conf.sync-batch-size: 10\n";
    EXPECT_NE(application_stamp(dir), before);
    EXPECT_THAT(
        findings(load(dir, {"spring.profiles.active=none"}, {})),
        HasSubstr("application-none.yml: does not exist")
    );
}

}  // namespace
}  // namespace obcanal::adapter::config
