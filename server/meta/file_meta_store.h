// Canal's file-instance.xml: {data_dir}/{destination}/meta.dat in Java's format, replaced
// atomically and synced on each flush(), plus meta.journal for the cursors in between
// (cursor_journal.h). Thread-safe. save_cursor() and cursor() never wait for a disk sync;
// subscribe() and unsubscribe() sync when they change something, flush() and close() when something
// changed before: those belong on a BlockingLane.
#pragma once

#include "protocol/base/log.h"
#include "server/meta/client_records.h"
#include "server/meta/cursor_journal.h"
#include "server/meta/meta_document.h"
#include "server/meta/meta_store.h"

#include <mutex>
#include <optional>
#include <set>
#include <string>

namespace obcanal::meta {

class FileMetaStore final : public MetaStore {
 public:
    static constexpr size_t kMaxFileBytes = size_t{64} << 20;

    FileMetaStore(const std::string& data_dir, std::string destination);

    // Makes the directory. A meta.dat that can't be understood is an error: starting without its
    // cursors would lose what the clients have not seen. Conflict: another process has the journal.
    Result<ClientTable> load() override;
    Result<void> subscribe(canal::ClientId client, const std::optional<std::string>& filter)
        override;
    Result<void> unsubscribe(canal::ClientId client) override;
    Result<void> save_cursor(canal::ClientId client, const canal::LogPosition& at) override;
    std::optional<canal::LogPosition> cursor(canal::ClientId client) const override;
    bool dirty() const override;
    Result<void> flush() override;
    Result<void> close() override;

 private:
    // All below: under mutex_.
    void apply_journal(ClientTable& table);
    // A slot with the cursors of journaled_; false: they are too large for one.
    Result<bool> write_journal();

    const std::string destination_;
    const std::string directory_;
    const Logger log_{"meta"};

    std::mutex flush_mutex_;  // held during disk syncs; taken before mutex_
    mutable std::mutex mutex_;
    bool open_ = false;
    bool dirty_ = false;  // something changed since the last flush() began
    bool synced_ = true;  // false: the last replacement of meta.dat may not outlive a power cut
    ClientRecords records_;
    MetaDocument document_;  // what of meta.dat is not ours
    std::optional<CursorJournal> journal_;
    JournalBase base_;
    std::set<canal::ClientId> journaled_;  // whose cursors are newer than meta.dat
    std::set<canal::ClientId>
        just_saved_;  // of those, the ones newer than the meta.dat that is being written
};

}  // namespace obcanal::meta
