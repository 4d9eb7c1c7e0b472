#include "protocol/base/text.h"
#include "server/config/instance_config.h"
#include "server/config/key_table.h"
#include "server/config/spring_file.h"

#include <array>

namespace obcanal::config {
namespace {

using Instance = Key<InstanceConfig>;

constexpr int64_t kMaxPeriodMs = 3'600'000;
constexpr int64_t kMaxEntries = int64_t{1} << 24;
constexpr std::string_view kParallel = "obcanal parses each destination on one thread";
constexpr std::string_view kParallelTopic = "parallel parsing";

Error bad(std::string what) { return {Errc::BadConfig, Retry::Never, std::move(what)}; }

Result<void> parse_mode(InstanceConfig&, std::string_view text) {
    if (text.empty() || equals_ignore_case(text, "spring")) return {};
    if (equals_ignore_case(text, "manager")) {
        return bad(
            "configuration from canal-admin (manager) is not supported; use spring, which reads "
            "{destination}/instance.properties"
        );
    }
    return bad("'" + std::string(text) + "' is no mode; obcanal knows spring");
}

Result<void> parse_lazy(InstanceConfig& to, std::string_view text) {
    to.lazy = equals_ignore_case(text, "true");
    if (to.lazy || text.empty() || equals_ignore_case(text, "false")) return {};
    return bad("'" + std::string(text) + "' is neither true nor false");
}

Result<void> parse_spring_xml(InstanceConfig& to, std::string_view text) {
    Result<SpringFile> file = SpringFile::of(text);
    if (!file) return std::move(file).error();
    to.meta = file->meta;
    return {};
}

Result<void> parse_source(InstanceConfig& to, std::string_view text) {
    if (text.empty()) return {};
    if (text == "oblogproxy") {
        to.source = SourceKind::Oblogproxy;
    } else if (text == "binlog") {
        to.source = SourceKind::Binlog;
    } else {
        return bad("'" + std::string(text) + "' is no source; obcanal knows oblogproxy and binlog");
    }
    return {};
}

Result<void> parse_batch_mode(InstanceConfig& to, std::string_view text) {
    if (text == "MEMSIZE") {
        to.batch_mode = BatchMode::MemSize;
    } else if (text == "ITEMSIZE") {
        to.batch_mode = BatchMode::ItemSize;
    } else {
        return bad("'" + std::string(text) + "' is neither MEMSIZE nor ITEMSIZE");
    }
    return {};
}

constexpr std::array kPerDestinationKeys = std::to_array<Instance>({
    {"canal.instance.global.mode",
     Instance::Parse{parse_mode},
     "spring",
     "Where instance configuration comes from: spring, the local files."},
    {"canal.instance.global.lazy",
     Instance::Parse{parse_lazy},
     "false",
     "Starts the destination with the first subscription of a client."},
    {"canal.instance.global.spring.xml",
     Instance::Parse{parse_spring_xml},
     "classpath:spring/file-instance.xml",
     "Where cursors live, by the reference's file name: memory-instance.xml, file-instance.xml or "
     "default-instance.xml (ZooKeeper), each also with ob- in front."},
    Instance("canal.instance.global.manager.address", NoMember{}, "", "Address of canal-admin.")
        .no_effect("canal-admin is not supported", "${canal.admin.manager}"),
});

constexpr std::array kInstanceKeys = std::to_array<Instance>({
    Instance(
        "canal.instance.source",
        Instance::Parse{parse_source},
        "",
        "oblogproxy or binlog. Empty: oblogproxy if canal.instance.oceanbase.logproxy.address has "
        "a value, else binlog."
    )
        .as_own(),
    Instance(
        "canal.file.data.dir",
        &InstanceConfig::file_data_dir,
        "../conf",
        "Directory of {destination}/meta.dat."
    )
        .as_path(),
    Instance(
        "canal.file.flush.period",
        &InstanceConfig::file_flush_period_ms,
        "1000",
        "Milliseconds between writes of cursors to meta.dat."
    )
        .in(1, kMaxPeriodMs),
    {"canal.instance.filter.regex",
     &InstanceConfig::filter_regex,
     ".*\\..*",
     "Tables that are delivered: Perl expressions for schema.table, separated by commas."},
    {"canal.instance.filter.black.regex",
     &InstanceConfig::filter_black_regex,
     "",
     "Tables that are not delivered."},
    {"canal.instance.filter.field",
     &InstanceConfig::filter_field,
     "",
     "Columns that are delivered: schema.table:column/column, separated by commas."},
    {"canal.instance.filter.black.field",
     &InstanceConfig::filter_black_field,
     "",
     "Columns that are not delivered."},
    {"canal.instance.filter.query.dcl",
     &InstanceConfig::filter_query_dcl,
     "false",
     "Leaves out statements that are neither DDL nor DML."},
    {"canal.instance.filter.query.dml",
     &InstanceConfig::filter_query_dml,
     "false",
     "Leaves out DML statements of the statement log."},
    {"canal.instance.filter.query.ddl",
     &InstanceConfig::filter_query_ddl,
     "false",
     "Leaves out DDL statements."},
    {"canal.instance.filter.rows", &InstanceConfig::filter_rows, "false", "Leaves out all rows."},
    {"canal.instance.filter.dml.insert",
     &InstanceConfig::filter_dml_insert,
     "false",
     "Leaves out inserted rows."},
    {"canal.instance.filter.dml.update",
     &InstanceConfig::filter_dml_update,
     "false",
     "Leaves out updated rows."},
    {"canal.instance.filter.dml.delete",
     &InstanceConfig::filter_dml_delete,
     "false",
     "Leaves out deleted rows."},
    {"canal.instance.filter.transaction.entry",
     &InstanceConfig::filter_transaction_entry,
     "false",
     "Leaves out most begins and ends of transactions."},
    Instance(
        "canal.instance.transaction.size",
        &InstanceConfig::transaction_size,
        "1024",
        "Entries of a transaction that become visible together; a larger one is cut."
    )
        .in(1, kMaxEntries)
        .as_power_of_two(),
    Instance(
        "canal.instance.memory.buffer.size",
        &InstanceConfig::memory_buffer_size,
        "16384",
        "Entries that are kept until clients ack them."
    )
        .in(1, kMaxEntries)
        .as_power_of_two(),
    Instance(
        "canal.instance.memory.buffer.memunit",
        &InstanceConfig::memory_buffer_memunit,
        "1024",
        "Bytes of one unit: the buffer holds memory.buffer.size units, a fetch size counts them."
    )
        .in(1, int64_t{1} << 20),
    {"canal.instance.memory.batch.mode",
     Instance::Parse{parse_batch_mode},
     "MEMSIZE",
     "What a client's fetch size counts: MEMSIZE (units of memory) or ITEMSIZE (entries)."},
    Instance("canal.instance.memory.rawEntry", NoMember{}, "true", "Keeps entries serialised.")
        .no_effect("entries are always kept serialised"),
    {"canal.instance.get.ddl.isolation",
     &InstanceConfig::ddl_isolation,
     "false",
     "Delivers each DDL statement as a batch of its own."},
    Instance(
        "canal.instance.get.linger",
        &InstanceConfig::get_linger_ms,
        "20",
        "Milliseconds that a timed get waits for more once there is something, while so much comes "
        "that it is worth it: otherwise it is answered at once. -1: as the reference, the whole "
        "timeout unless a full fetch size has gathered."
    )
        .in(-1, 60'000)
        .as_own(),
    Instance(
        "canal.instance.get.hold",
        &InstanceConfig::get_hold_ms,
        "2",
        "Milliseconds that a get without timeout waits for something, while batches follow each "
        "other within ten times as long. 0: as the reference, it is answered at once."
    )
        .in(0, 100)
        .as_own(),
    Instance(
        "canal.instance.retry.min",
        &InstanceConfig::retry_min_ms,
        "1000",
        "Milliseconds before the first new attempt to reach the source; doubles from there on."
    )
        .in(1, kMaxPeriodMs)
        .as_own(),
    Instance(
        "canal.instance.retry.max",
        &InstanceConfig::retry_max_ms,
        "60000",
        "Milliseconds between attempts to reach the source, at most."
    )
        .in(1, kMaxPeriodMs)
        .as_own(),
    Instance("canal.instance.parser.parallel", NoMember{}, "true", "Parses with several threads.")
        .no_effect(kParallel, "false")
        .on(kParallelTopic),
    Instance("canal.instance.parser.parallelThreadSize", NoMember{}, "", "Threads that parse.")
        .no_effect(kParallel)
        .on(kParallelTopic),
    Instance(
        "canal.instance.parser.parallelBufferSize", NoMember{}, "256", "Events between the threads."
    )
        .no_effect(kParallel)
        .on(kParallelTopic),
});

}  // namespace

std::span<const Key<InstanceConfig>> per_destination_keys() { return kPerDestinationKeys; }

std::span<const Key<InstanceConfig>> instance_keys() { return kInstanceKeys; }

}  // namespace obcanal::config
