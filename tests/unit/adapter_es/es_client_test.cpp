#include "adapter/es/es_client.h"

#include "adapter/es/es_options.h"

#include <gtest/gtest.h>

namespace obcanal::adapter::es {
namespace {

config::OuterAdapterConfig adapter(std::string hosts, config::Properties properties = {}) {
    config::OuterAdapterConfig made;
    made.place = "application.yml:7";
    made.hosts = std::move(hosts);
    made.properties = std::move(properties);
    return made;
}

std::vector<std::string> hosts(std::string text, config::Properties properties = {}) {
    auto options = read_es_options(adapter(std::move(text), std::move(properties)));
    if (!options) return {options.error().detail};
    return options->http.hosts;
}

using Hosts = std::vector<std::string>;

TEST(EsOptions, HostsAsThePeopleWriteThem) {
    EXPECT_EQ(
        hosts("1.2.3.4:9201, es1 ,http://es2:80/below/, https://es3"),
        (Hosts{"http://1.2.3.4:9201", "http://es1:9200", "http://es2:80/below", "https://es3:9200"})
    );
    EXPECT_EQ(hosts("[::1]:9201,[fe80::1]"), (Hosts{"http://[::1]:9201", "http://[fe80::1]:9200"}));
    EXPECT_EQ(hosts("h:9300", {{"mode", "transport"}}), Hosts{"http://h:9200"});
    EXPECT_EQ(hosts("h:9300", {{"mode", "rest"}}), Hosts{"http://h:9300"});
    EXPECT_NE(hosts("ftp://h")[0].find("application.yml:7: hosts: 'ftp://h'"), std::string::npos);
    EXPECT_NE(hosts("h:port")[0].find("'h:port'"), std::string::npos);
    EXPECT_NE(hosts(" , ")[0].find("no host"), std::string::npos);
}

TEST(EsOptions, WaysToGetIn) {
    auto by_url = read_es_options(adapter("https://me:p%40%3A@h:1"));
    ASSERT_TRUE(by_url.ok());
    EXPECT_EQ(by_url->http.hosts, Hosts{"https://h:1"});
    EXPECT_EQ(by_url->http.user, "me");
    EXPECT_EQ(by_url->http.password, "p@:");
    auto by_property = read_es_options(adapter("h", {{"security.auth", "me:a:b"}}));
    ASSERT_TRUE(by_property.ok());
    EXPECT_EQ(by_property->http.password, "a:b");
    auto by_key =
        read_es_options(adapter("h", {{"security.apiKey", "abc="}, {"security.ca.path", "/ca.pem"}})
        );
    ASSERT_TRUE(by_key.ok());
    EXPECT_EQ(by_key->http.authorization, "ApiKey abc=");
    EXPECT_EQ(by_key->http.ca_file, "/ca.pem");
    EXPECT_FALSE(read_es_options(adapter("h", {{"security.auth", "me:a"}, {"security.apiKey", "k"}})
    ).ok());
    EXPECT_FALSE(read_es_options(adapter("h", {{"security.auth", "me"}})).ok());
    // A password is not shown.
    auto wrong = read_es_options(adapter("me:secret@h:x"));
    ASSERT_FALSE(wrong.ok());
    EXPECT_EQ(wrong.error().detail.find("secret"), std::string::npos);
}

TEST(EsOptions, ThreadsAndZone) {
    EXPECT_EQ(read_es_options(adapter("h"))->http.connections, 3u);
    EXPECT_EQ(read_es_options(adapter("h", {{"threads", "8"}}))->http.connections, 8u);
    EXPECT_FALSE(read_es_options(adapter("h", {{"threads", "0"}})).ok());
    EXPECT_TRUE(read_es_options(adapter("h", {}))->whole_documents);
    EXPECT_FALSE(read_es_options(adapter("h", {{"wholeDocuments", "False"}}))->whole_documents);
    EXPECT_FALSE(read_es_options(adapter("h", {{"wholeDocuments", "no"}})).ok());
    auto zone = read_es_options(adapter("h", {{"canal.adapter.timeZone", "+08:00"}}));
    ASSERT_TRUE(zone.ok());
    EXPECT_EQ(zone->zone->offset_at(0), 8 * 3600);
    EXPECT_FALSE(read_es_options(adapter("h", {{"canal.adapter.timeZone", "nowhere"}})).ok());
}

TEST(EsServer, WhoAnswers) {
    auto es = read_server(R"({"version":{"number":"8.14.1","build_flavor":"default"}})");
    ASSERT_TRUE(es.ok());
    EXPECT_EQ(es->major, 8);
    EXPECT_FALSE(es->opensearch || es->has_types());
    auto six = read_server(R"({"version":{"number":"6.8.23"}})");
    ASSERT_TRUE(six.ok());
    EXPECT_TRUE(six->has_types());
    auto os = read_server(R"({"version":{"distribution":"opensearch","number":"2.19.6"}})");
    ASSERT_TRUE(os.ok());
    EXPECT_TRUE(os->opensearch);
    EXPECT_FALSE(os->has_types());
    EXPECT_EQ(read_server(R"({"version":{"number":"5.6.1"}})").error().code, Errc::Unsupported);
    EXPECT_FALSE(read_server(R"({"name":"x"})").ok());
    EXPECT_FALSE(read_server("<html>").ok());
    EXPECT_FALSE(read_server(R"({"version":{"number":"x"}})").ok());
}

TEST(IndexMapping, WhichOfAnAliasIsWrittenTo) {
    const std::string two =
        R"({"i-1":{"aliases":{"i":{"is_write_index":false},"j":{"is_write_index":true}}},)"
        R"("i-2":{"aliases":{"i":{"is_write_index":true}}}})";
    EXPECT_EQ(read_write_index(two, "i").value(), "i-2");
    EXPECT_EQ(read_write_index(two, "j").value(), "i-1");
    EXPECT_EQ(read_write_index(R"({"i-1":{"aliases":{"i":{}}}})", "i").value(), "");
    EXPECT_FALSE(read_write_index("[]", "i"));
}

TEST(IndexMapping, TypesOfFields) {
    auto mapping = read_index_mapping(
        R"({"users-1":{"mappings":{"properties":{"name":{"type":"text"},"n":{"type":"long"},)"
        R"("o":{"properties":{"a":{"type":"long"}}}}}}})",
        "users",
        "",
        false
    );
    ASSERT_TRUE(mapping.ok());
    EXPECT_TRUE(mapping->is_alias);
    EXPECT_EQ(mapping->indexes, Hosts{"users-1"});
    EXPECT_EQ(mapping->type_of("name"), EsType::Text);
    EXPECT_EQ(mapping->type_of("n"), EsType::Number);
    EXPECT_EQ(mapping->type_of("o"), EsType::Object);
    EXPECT_EQ(mapping->type_of("other"), EsType::Unknown);
    auto six = read_index_mapping(
        R"({"i":{"mappings":{"_doc":{"properties":{"d":{"type":"date"}}}}}})", "i", "_doc", true
    );
    ASSERT_TRUE(six.ok());
    EXPECT_FALSE(six->is_alias);
    EXPECT_EQ(six->type_of("d"), EsType::Date);
    EXPECT_TRUE(read_index_mapping(R"({"i":{"mappings":{}}})", "i", "", false).ok());
    const auto hides = [](const std::string& more) {
        const auto read =
            read_index_mapping(R"({"i":{"mappings":{)" + more + "}}}", "i", "", false);
        return read.ok() && read->hides_fields;
    };
    EXPECT_FALSE(hides(R"("properties":{})"));
    EXPECT_FALSE(hides(R"("dynamic":"strict")"));
    EXPECT_FALSE(hides(R"("dynamic":"true")"));
    EXPECT_TRUE(hides(R"("dynamic":"false")"));
    EXPECT_TRUE(hides(R"("dynamic":"runtime")"));
    EXPECT_TRUE(hides(R"("enabled":false)"));
    EXPECT_FALSE(read_index_mapping("[]", "i", "", false).ok());
}

TEST(ReplyError, SaysWhatTheServerSays) {
    const Error error = reply_error(
        {403, R"({"error":{"type":"security_exception","reason":"no"},"status":403})"}, "GET /x"
    );
    EXPECT_EQ(error.code, Errc::Auth);
    EXPECT_EQ(error.detail, "GET /x: status 403: security_exception: no");
    EXPECT_EQ(reply_error({503, "busy"}, "GET /").code, Errc::Io);
}

}  // namespace
}  // namespace obcanal::adapter::es
