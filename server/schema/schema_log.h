// The tables of a source at the point of its log that is being read, and how they came to be: a
// history that a restart at any earlier point restores. It is kept in a SchemaStore as checkpoints
// (all tables) and what happened since, so that it stays small and outlives a crash. What changed
// must be saved before anything that follows in the log may reach a client. Feed strand, except
// restore() and save(), which block, and during which nothing else may be called.
#pragma once

#include "protocol/base/result.h"
#include "server/schema/catalog.h"
#include "server/schema/definition_source.h"
#include "server/schema/log_point.h"
#include "server/schema/schema_record.h"
#include "server/schema/schema_store.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace obcanal::schema {

struct SchemaLogOptions {
    CatalogOptions catalog;
    // A checkpoint follows when what happened since the last one takes this much, and as much as
    // that checkpoint.
    size_t checkpoint_bytes = size_t{1} << 20;
    // What is older than this, and than the last checkpoint before it, is dropped; of more bytes
    // than the store wants to keep, the older half. Nothing that the store says is being read.
    int64_t keep_ms = int64_t{360} * 3600 * 1000;
};

// How the point to read from was found.
enum class StartKind : uint8_t {
    Continues,  // everything before it was read
    Chosen,     // by configuration, or the present end of the log
};

class SchemaLog {
 public:
    // No store: the history lasts as long as this.
    explicit SchemaLog(SchemaLogOptions options = {}, std::unique_ptr<SchemaStore> store = nullptr);

    // What restore() is told before it, once the source's server is known.
    void describe_server(CatalogOptions server) { options_.catalog = std::move(server); }

    // -- may block
    // Takes the tables back (or forth) to where they were right before the first event from `start`
    // on. `origin` names the server that `start` belongs to; a history of another one is followed
    // by time. False: it does not tell, and the source should be asked for everything.
    Result<bool> restore(const LogMoment& start, const std::string& origin, StartKind kind);
    // What was not saved yet is durable when this returns.
    Result<void> save();

    // -- feed strand
    bool unsaved() const { return !pending_.empty(); }

    // All that the source knows, asked for because restore() found nothing.
    void begin_with(const FetchedSchema& all, const LogMoment& start);

    // Each statement of the log, at the beginning of its event. The tables it touched.
    std::vector<TableChange> apply(
        std::string_view sql, std::string_view default_schema, const LogMoment& at
    );

    // Null: not known. Valid until the next call.
    const TableDefinition* find(std::string_view schema, std::string_view table) const {
        return catalog_.find(schema, table);
    }

    // An earlier run got to know the table at a later point, and nothing touched it in between.
    bool recall(const TableName& name);
    // What the source answered when the event at `at` needed the table.
    void define(const FetchedTable& answer, const LogMoment& at);
    // What the log itself says: not kept, as it says it again.
    void define(TableDefinition table) { catalog_.put(std::move(table)); }

    const Catalog& catalog() const { return catalog_; }

 private:
    // A record of an earlier run that the log has not reached yet.
    struct Ahead {
        SchemaRecord record;
        std::vector<TableName> touched;
    };

    Result<std::vector<SchemaRecord>> load();
    void begin_anew(const LogMoment& start, const std::string& origin);
    void load_checkpoint(const Checkpoint& checkpoint);
    void take_answer(const KeptTable& table);
    void read_ahead(std::vector<SchemaRecord> records);
    void pass_answers(const LogPoint& at);
    // True: the history has this statement already.
    bool was_known(const LoggedStatement& statement);
    void note(const SchemaRecord& record);
    void start_over_with(const Checkpoint& checkpoint);
    Checkpoint checkpoint(const LogMoment& at) const;
    bool is_same(const TableName& a, const TableName& b) const;
    Result<void> drop_old();

    SchemaLogOptions options_;
    std::unique_ptr<SchemaStore> store_;
    Catalog catalog_;
    std::string origin_;
    std::deque<Ahead> ahead_;
    std::vector<std::string> pending_;  // records to append, or instead of all others
    bool replace_ = false;
    size_t checkpoint_size_ = 0;  // of the last one
    size_t since_checkpoint_ = 0;
    size_t stored_ = 0;  // bytes of all records
    int64_t newest_ms_ = 0;
    size_t drop_above_;       // bytes
    int64_t dropped_ms_ = 0;  // newest_ms_ when old records were dropped last
};

}  // namespace obcanal::schema
