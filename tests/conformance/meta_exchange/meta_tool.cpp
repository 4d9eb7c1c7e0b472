// Our stores, for the exchange with Java Canal; the same commands as java/MetaPeer.java. DIR is a
// data directory, or zk:SERVERS for the store in ZooKeeper.
//   meta_tool write|write-oblog DIR CASES       every client of the cases file; write-oblog adds
//   our own member meta_tool save DIR DESTINATION CLIENT OFFSET   moves one cursor and ends without
//   a flush, as a kill would meta_tool dump DIR DESTINATION...           prints every client in the
//   form of the cases file
//   meta_tool nodes zk:SERVERS PATH   prints what is in ZooKeeper from there on, a node a line
//   meta_tool make|remove zk:SERVERS PATH   makes an empty node; removes one with all that is below
//   meta_tool put zk:SERVERS PATH           writes one, of a few bytes that mean nothing
//   meta_tool set|hold zk:SERVERS PATH DATA writes one; has an ephemeral one until its input ends
#include "protocol/base/text.h"
#include "server/meta/file_meta_store.h"
#include "server/meta/zookeeper_meta_store.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace {

using obcanal::Error;
using obcanal::Result;
using obcanal::canal::ClientId;
using obcanal::canal::LogPosition;
using obcanal::meta::ClientRecord;
using obcanal::meta::FileMetaStore;
using obcanal::meta::MetaStore;

constexpr std::string_view kNone = "-";

constexpr std::string_view kZookeeper = "zk:";

std::shared_ptr<obcanal::ha::ZookeeperClient> zookeeper(const std::string& place) {
    obcanal::ha::ZookeeperPlace at;
    at.servers = place.substr(kZookeeper.size());
    if (const char* digest = std::getenv("ZOOKEEPER_DIGEST")) at.digest = digest;
    return std::make_shared<obcanal::ha::ZookeeperClient>(at);
}

std::unique_ptr<MetaStore> store_at(const std::string& place, const std::string& destination) {
    if (!place.starts_with(kZookeeper)) return std::make_unique<FileMetaStore>(place, destination);
    auto leadership =
        std::make_shared<obcanal::ha::Leadership>(zookeeper(place), destination, "127.0.0.1:1");
    return std::make_unique<obcanal::meta::ZookeeperMetaStore>(std::move(leadership), destination);
}

Result<void> print_nodes(obcanal::ha::ZookeeperSession& session, const std::string& path) {
    auto node = session.get(path);
    if (!node) return node.error();
    if (!*node) return {};
    constexpr size_t kMost = 10'000;
    std::printf("%s\t%s\n", path.c_str(), obcanal::printable((*node)->data, kMost).c_str());
    auto names = session.children(path);
    if (!names) return names.error();
    std::sort(names->begin(), names->end());
    for (const std::string& name : *names) {
        if (auto done = print_nodes(session, path + "/" + name); !done) return done;
    }
    return {};
}

// An ephemeral node, as another server would have it; until the standard input ends.
Result<void> hold(obcanal::ha::ZookeeperSession& session, const std::vector<std::string>& words) {
    auto made = session.create(words[2], words[3], obcanal::ha::NodeMode::Ephemeral);
    if (!made) return made.error();
    std::puts(*made ? "held" : "taken");
    std::fflush(stdout);
    while (std::getchar() != EOF) {
    }
    return {};
}

Result<void> on_nodes(const std::vector<std::string>& words) {
    const std::string& command = words[0];
    const std::string& path = words[2];
    const auto client = zookeeper(words[1]);
    auto session = client->session();
    if (!session) return session.error();
    if (command == "nodes") return print_nodes(**session, path);
    if (command == "put") return (*session)->put(path, "?");
    if (command == "remove") return (*session)->remove_tree(path);
    if (command == "set" && words.size() == 4) return (*session)->put(path, words[3]);
    if (command == "hold" && words.size() == 4) return hold(**session, words);
    auto made = (*session)->create(path, std::nullopt, obcanal::ha::NodeMode::Persistent);
    if (!made) return made.error();
    return {};
}

Error bad_case(const std::string& line) {
    return Error{obcanal::Errc::BadConfig, obcanal::Retry::Never, "not a case: " + line};
}

Result<LogPosition> cursor_of(const std::vector<std::string_view>& field, const std::string& line) {
    if (field.size() != 12) return bad_case(line);
    const auto position = obcanal::parse_int(field[4]);
    const auto timestamp = obcanal::parse_int(field[5]);
    const auto server_id = obcanal::parse_int(field[6]);
    const auto port = obcanal::parse_uint(field[10]);
    const auto slave_id = obcanal::parse_int(field[11]);
    if (!position || !timestamp || !port || *port > 65535 || !slave_id) return bad_case(line);
    LogPosition cursor;
    cursor.journal_name = field[3];
    cursor.position = *position;
    cursor.timestamp_ms = *timestamp;
    if (field[6] != kNone) {
        if (!server_id) return bad_case(line);
        cursor.server_id = *server_id;
    }
    cursor.gtid = field[7];
    cursor.included = field[8] == "true";
    cursor.identity = {std::string(field[9]), static_cast<uint16_t>(*port), *slave_id};
    return cursor;
}

Result<void> write(const std::string& dir, const std::string& cases, bool oblog) {
    std::map<std::string, std::unique_ptr<MetaStore>> stores;
    std::ifstream file(cases);
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line[0] == '#') continue;
        const auto field = obcanal::split(line, '\t');
        const auto id = field.size() < 4 ? std::nullopt : obcanal::parse_int(field[1]);
        if (!id) return bad_case(line);
        const ClientId client{static_cast<int16_t>(*id)};
        auto& store = stores[std::string(field[0])];
        if (!store) {
            store = store_at(dir, std::string(field[0]));
            if (auto loaded = store->load(); !loaded) return loaded.error();
        }
        std::optional<std::string> filter;
        if (field[2] != kNone) filter = std::string(field[2]);
        if (auto done = store->subscribe(client, filter); !done) return done;
        if (field[3] == kNone) continue;
        auto cursor = cursor_of(field, line);
        if (!cursor) return cursor.error();
        if (oblog)
            cursor->oblog =
                obcanal::canal::OblogResume{1700000001456789, true, {"1_2", "1_2"}, "1_3", 17};
        if (auto done = store->save_cursor(client, *cursor); !done) return done;
    }
    if (stores.empty()) return bad_case(cases);
    for (const auto& [name, store] : stores) {
        if (auto done = store->close(); !done) return done;
    }
    return {};
}

Result<void> save(
    const std::string& dir, const std::string& destination, int64_t id, int64_t offset
) {
    FileMetaStore store(dir, destination);
    if (auto loaded = store.load(); !loaded) return loaded.error();
    const ClientId client{static_cast<int16_t>(id)};
    auto cursor = store.cursor(client);
    if (!cursor) return bad_case(destination);
    cursor->position = offset;
    if (auto done = store.save_cursor(client, *cursor); !done) return done;
    _exit(0);
}

Result<void> dump(const std::string& dir, const std::string& destination) {
    const std::unique_ptr<MetaStore> store = store_at(dir, destination);
    auto table = store->load();
    if (!table) return table.error();
    for (const ClientRecord& client : table->clients) {
        std::string line = destination + "\t" + std::to_string(client.id.value) + "\t";
        line += client.filter ? *client.filter : std::string(kNone);
        if (client.cursor) {
            const LogPosition& at = *client.cursor;
            const auto add = [&line](const std::string& text) { line.append("\t").append(text); };
            add(at.journal_name);
            add(std::to_string(at.position));
            add(std::to_string(at.timestamp_ms));
            add(at.server_id ? std::to_string(*at.server_id) : std::string(kNone));
            add(at.gtid);
            add(at.included ? "true" : "false");
            add(at.identity.host);
            add(std::to_string(at.identity.port));
            add(std::to_string(at.identity.slave_id));
        } else {
            line.append("\t").append(kNone);
        }
        std::puts(line.c_str());
    }
    return {};
}

Result<void> run(const std::vector<std::string>& words) {
    const std::string& command = words[0];
    if (command == "write" || command == "write-oblog")
        return write(words[1], words[2], command == "write-oblog");
    for (const char* of_nodes : {"nodes", "make", "put", "set", "hold", "remove"}) {
        if (command == of_nodes) return on_nodes(words);
    }
    if (command == "dump") {
        for (size_t at = 2; at < words.size(); ++at) {
            if (auto done = dump(words[1], words[at]); !done) return done;
        }
        return {};
    }
    if (command == "save" && words.size() == 5) {
        const auto client = obcanal::parse_int(words[3]);
        const auto offset = obcanal::parse_int(words[4]);
        if (client && offset) return save(words[1], words[2], *client, *offset);
    }
    return Error{obcanal::Errc::BadConfig, obcanal::Retry::Never, "see the head of meta_tool.cpp"};
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (words.size() < 3) {
        std::fputs(
            "usage: meta_tool write|write-oblog|save|dump|nodes|make|put|set|hold|remove DIR ...\n",
            stderr
        );
        return 2;
    }
    if (auto done = run(words); !done) {
        std::fprintf(stderr, "meta_tool: %s\n", done.error().detail.c_str());
        return 1;
    }
    return 0;
}
