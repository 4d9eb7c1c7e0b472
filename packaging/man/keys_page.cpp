// obcanal-keys-page TEMPLATE PAGE: obcanal.properties(5), with the keys from the tables that the
// server reads them by. A program of the build; it is not installed.
#include "server/config/key_table.h"

#include <fstream>
#include <iostream>
#include <iterator>
#include <limits>
#include <string>
#include <string_view>

namespace obcanal::config {
namespace {

// Text as roff takes it. Callers never begin a line with it.
std::string roff(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\\') {
            out += "\\e";
        } else if (c == '-') {
            out += "\\-";
        } else {
            out += c;
        }
    }
    return out;
}

std::string range(const KeyInfo& key) {
    constexpr int64_t kOpen = std::numeric_limits<int64_t>::max();
    if (key.least == std::numeric_limits<int64_t>::min() && key.most == kOpen) return {};
    std::string out = " From " + std::to_string(key.least);
    if (key.most != kOpen) out += " to " + std::to_string(key.most);
    return out + (key.power_of_two ? ", a power of two." : ".");
}

void print(std::ostream& to, std::string_view prefix, const KeyInfo& key) {
    to << ".TP\n\\fB" << roff(prefix) << roff(key.name) << "\\fR";
    if (key.own) to << " *";
    if (!key.fallback.empty()) to << " = " << roff(key.fallback);
    to << "\n\\&" << roff(key.doc) << roff(range(key));
    if (key.secret) to << " A secret.";
    if (!key.unsupported.empty()) to << " No effect: " << roff(key.unsupported) << ".";
    to << '\n';
}

template <class Keys>
void print_all(std::ostream& to, const Keys& keys, std::string_view prefix = {}) {
    for (const KeyInfo& key : keys) print(to, prefix, key);
}

void print_keys(std::ostream& to) {
    to << ".SH KEYS OF THE SERVER\n";
    print_all(to, server_keys());
    for (const std::string_view port : {"canal.tls", "canal.admin.tls", "canal.metrics.tls"})
        print_all(to, tls_keys(), port);
    to << ".SH KEYS OF A DESTINATION IN CANAL.PROPERTIES\n"
          "The name of a destination instead of \\fBglobal\\fR: for that one alone.\n";
    print_all(to, per_destination_keys());
    to << ".SH KEYS OF A DESTINATION\n";
    print_all(to, instance_keys());
    to << ".SS Read from a log proxy\n";
    print_all(to, oblog_keys());
    to << ".SS Read from a MySQL binary log\n";
    print_all(to, binlog_keys());
    for (const std::string_view role : {"canal.instance.master", "canal.instance.standby"})
        print_all(to, mysql_server_keys(), role);
    to << ".SH KEYS WITHOUT EFFECT\nOf parts of the Java server that obcanal does not have.\n";
    print_all(to, foreign_keys());
    for (const KeyPrefix& key : foreign_prefixes())
        to << ".TP\n\\fB" << roff(key.prefix) << "*\\fR\n\\&" << roff(key.unsupported) << ".\n";
}

int run(const char* template_name, const char* page_name) {
    std::ifstream from(template_name);
    std::ofstream to(page_name);
    bool printed = false;
    for (std::string line; std::getline(from, line);) {
        if (line == "@KEYS@") {
            print_keys(to);
            printed = true;
            continue;
        }
        const size_t at = line.find("@VERSION@");
        if (at != std::string::npos) line.replace(at, 9, OBCANAL_VERSION);
        to << line << '\n';
    }
    to.close();
    if (printed && to) return 0;
    std::cerr << template_name << ": no line @KEYS@, or " << page_name << " can't be written\n";
    return 1;
}

}  // namespace
}  // namespace obcanal::config

int main(int argc, char** argv) {
    if (argc == 3) return obcanal::config::run(argv[1], argv[2]);
    std::cerr << "usage: obcanal-keys-page TEMPLATE PAGE\n";
    return 2;
}
