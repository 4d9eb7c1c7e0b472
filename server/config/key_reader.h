// Fills structs from the layers by the rows of the key tables and remembers where each value came
// from. One reader per scope (the server or a destination), one thread.
#pragma once

#include "protocol/base/finding.h"
#include "server/config/key_table.h"
#include "server/config/layers.h"

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace obcanal::config {

// Relative paths mean what they mean to the reference, whose working directory is bin/ beside the
// configuration: "../conf" is the configuration directory, whatever it is called.
std::string resolve_path(std::string_view path, std::string_view conf_dir);

class KeyReader {
 public:
    struct Read {
        const KeyInfo* info = nullptr;
        Setting setting;
    };

    // `file`: what messages name for a key that is set nowhere.
    KeyReader(Layers& layers, FindingList& findings, std::string conf_dir, std::string file)
        : layers_(layers),
          findings_(findings),
          conf_dir_(std::move(conf_dir)),
          file_(std::move(file)) {}

    // `prefix` stands before each name of the table.
    template <class S>
    void read(std::span<const Key<S>> keys, KeyKind kind, S& to, std::string_view prefix = {});

    // The keys of the source that the destination does not have: says so where its own file sets
    // one.
    template <class S>
    void pass_over(
        std::span<const Key<S>> keys, std::string_view why, std::string_view prefix = {}
    );

    // What was read for a key of the tables. REQUIRES: it was read
    const Setting& setting(std::string_view key) const;
    void error(std::string_view key, std::string what);
    void warning(std::string_view key, std::string what);

    // A key without effect was met; one warning per topic and file follows at the end.
    void without_effect(
        std::string_view topic, std::string_view why, const Setting& at, std::string_view key
    );
    void finish();

    const std::map<std::string, Read, std::less<>>& all() const { return read_; }
    Layers& layers() { return layers_; }

 private:
    struct Topic {
        std::string where;
        std::string_view why;
        std::string keys;
    };

    Setting look_up(const KeyInfo& info, const std::string& name, KeyKind kind);
    // The content of the file that "<name>.file" names, where it is set.
    void look_into_file(const std::string& name, KeyKind kind, Setting& setting);
    template <class S>
    Result<void> assign(const Key<S>& key, std::string_view text, S& to);
    std::string where(const Setting& setting) const;
    void judge(const KeyInfo& info, const std::string& name, const Setting& setting);

    Layers& layers_;
    FindingList& findings_;
    std::string conf_dir_;
    std::string file_;
    std::map<std::string, Read, std::less<>> read_;
    std::map<std::string, Topic> topics_;  // by file and topic
};

}  // namespace obcanal::config
