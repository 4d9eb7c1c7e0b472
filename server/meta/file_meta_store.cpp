#include "server/meta/file_meta_store.h"

#include "protocol/base/bytes.h"

#include <utility>

namespace obcanal::meta {

using canal::ClientId;
using canal::LogPosition;

namespace {

constexpr std::string_view kFileName = "meta.dat";

Error not_open() { return Error{Errc::Stopped, Retry::Never, "meta store is not open"}; }

}  // namespace

FileMetaStore::FileMetaStore(const std::string& data_dir, std::string destination)
    : destination_(std::move(destination)), directory_(data_dir + "/" + destination_) {}

Result<ClientTable> FileMetaStore::load() {
    const std::scoped_lock lock(mutex_);
    if (destination_.empty() || destination_ == "." || destination_ == ".." ||
        destination_.find('/') != std::string::npos)
        return Error{
            Errc::BadConfig,
            Retry::Never,
            "destination \"" + destination_ + "\" can't name a directory"
        };
    if (auto made = make_directories(directory_); !made) return std::move(made).error();
    const std::string path = directory_ + "/" + std::string(kFileName);
    auto text = read_file(path, kMaxFileBytes);
    if (!text) return std::move(text).error();
    const std::string content = text->value_or("");
    auto document = parse_meta_document(content, destination_);
    if (!document) return std::move(document).error().in(path);
    auto journal = CursorJournal::open(directory_ + "/meta.journal");
    if (!journal) return std::move(journal).error();

    journal_ = std::move(journal).value();
    const Sha1 digest = sha1(as_bytes(content));
    base_ = {digest, digest};
    ClientTable table = std::exchange(document->table, {});
    document_ = std::move(document).value();
    apply_journal(table);
    records_ = ClientRecords(table);
    // What an older slot holds must not come back should meta.dat ever have its old content again.
    auto written = write_journal();
    if (!written) return std::move(written).error();
    open_ = true;
    return table;
}

void FileMetaStore::apply_journal(ClientTable& table) {
    journaled_.clear();
    just_saved_.clear();
    dirty_ = false;
    const auto payload = journal_->newest_payload(base_.current);
    if (!payload) return;
    auto cursors = parse_cursors(*payload);
    if (!cursors) {
        log_.warn(
            "cursor journal not understood, using meta.dat",
            {{"destination", destination_}, {"cause", cursors.error().detail}}
        );
        return;
    }
    for (auto& [client, cursor] : *cursors) {
        for (ClientRecord& record : table.clients) {
            if (record.id != client) continue;
            record.cursor = std::move(cursor);
            journaled_.insert(client);
            dirty_ = true;
            break;
        }
    }
}

Result<bool> FileMetaStore::write_journal() {
    std::string& payload = journal_->start_payload();
    // Also of those that unsubscribe just now: until meta.dat is replaced they are in it.
    for (const ClientId client : journaled_) {
        if (const LogPosition* at = records_.cursor(client)) append_cursor(payload, client, *at);
    }
    return journal_->write(base_);
}

Result<void> FileMetaStore::subscribe(ClientId client, const std::optional<std::string>& filter) {
    {
        const std::scoped_lock lock(mutex_);
        if (!open_) return not_open();
        records_.subscribe(client, filter);
        dirty_ = true;
    }
    return flush();
}

Result<void> FileMetaStore::unsubscribe(ClientId client) {
    {
        const std::scoped_lock lock(mutex_);
        if (!open_) return not_open();
        records_.unsubscribe(client);
        dirty_ = true;
    }
    return flush();
}

Result<void> FileMetaStore::save_cursor(ClientId client, const LogPosition& at) {
    {
        const std::scoped_lock lock(mutex_);
        if (!open_) return not_open();
        records_.save_cursor(client, at);
        dirty_ = true;
        journaled_.insert(client);
        just_saved_.insert(client);
        auto written = write_journal();
        if (!written) return std::move(written).error();
        if (*written) return {};
    }
    return flush();
}

std::optional<LogPosition> FileMetaStore::cursor(ClientId client) const {
    const std::scoped_lock lock(mutex_);
    const LogPosition* found = records_.cursor(client);
    return found == nullptr ? std::nullopt : std::optional(*found);
}

bool FileMetaStore::dirty() const {
    const std::scoped_lock lock(mutex_);
    return dirty_;
}

Result<void> FileMetaStore::flush() {
    const std::scoped_lock one_at_a_time(flush_mutex_);
    std::string text;
    {
        const std::scoped_lock lock(mutex_);
        if (!open_) return not_open();
        if (!dirty_) return {};
        text = render_meta_document(document_, records_.subscribed_clients(), destination_);
        const Sha1 digest = sha1(as_bytes(text));
        dirty_ = false;
        if (digest == base_.current && synced_) return {};
        // Until the replacement is done a crash may leave either meta.dat, so slots written
        // meanwhile name both.
        base_.next = digest;
        just_saved_.clear();
    }
    Replaced replaced = replace_file(directory_, std::string(kFileName), text);

    const std::scoped_lock lock(mutex_);
    synced_ = replaced.done.ok();
    if (!synced_) dirty_ = true;
    if (replaced.renamed) {
        base_.current = base_.next;
        journaled_ = std::exchange(just_saved_, {});
    } else {
        base_.next = base_.current;
    }
    auto written = write_journal();
    if (!replaced.done) return std::move(replaced.done);
    if (!written) return std::move(written).error();
    return {};
}

Result<void> FileMetaStore::close() {
    auto flushed = flush();
    const std::scoped_lock lock(mutex_);
    open_ = false;
    journal_.reset();
    return flushed;
}

}  // namespace obcanal::meta
