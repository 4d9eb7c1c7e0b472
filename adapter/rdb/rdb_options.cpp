#include "adapter/rdb/rdb_writer.h"
#include "protocol/base/text.h"

namespace obcanal::adapter::rdb {

namespace {

constexpr uint64_t kThreadsLimit = 64;

Error bad(const config::OuterAdapterConfig& adapter, std::string_view key, std::string what) {
    const std::string where = adapter.place + ": rdb " + adapter.key + ": " + std::string(key);
    return {Errc::BadConfig, Retry::Never, where + ": " + std::move(what)};
}

Result<bool> read_flag(
    const config::OuterAdapterConfig& adapter, std::string_view key, bool otherwise
) {
    const std::string_view text = trim(config::property(adapter.properties, key));
    if (text.empty()) {
        return otherwise;
    }
    if (!equals_ignore_case(text, "true") && !equals_ignore_case(text, "false")) {
        return bad(adapter, key, "\"" + std::string(text) + "\" is neither true nor false");
    }
    return equals_ignore_case(text, "true");
}

}  // namespace

Result<RdbOptions> read_rdb_options(const config::OuterAdapterConfig& adapter) {
    const auto value = [&adapter](std::string_view key) {
        return std::string(config::property(adapter.properties, key));
    };
    RdbOptions options;
    auto url = config::parse_jdbc_url(value("jdbc.url"));
    if (!url) {
        return bad(adapter, "jdbc.url", url.error().detail);
    }
    options.url = std::move(*url);
    options.user = value("jdbc.username");
    options.password = value("jdbc.password");

    const std::string threads = value("threads");
    if (!threads.empty()) {
        const auto number = parse_uint(trim(threads));
        if (!number || *number == 0 || *number > kThreadsLimit) {
            return bad(adapter, "threads", "\"" + threads + "\" is no number from 1 to 64");
        }
        options.threads = *number;
    }
    auto skip = read_flag(adapter, "skipDupException", true);
    auto reinsert = read_flag(adapter, "canal.adapter.reinsert", false);
    if (!skip || !reinsert) {
        return skip ? reinsert.error() : skip.error();
    }
    options.skip_duplicates = *skip;
    options.reinsert = *reinsert;

    const std::string position = value("canal.adapter.position");
    if (!position.empty() && position != "target" && position != "server") {
        return bad(adapter, "canal.adapter.position", "target and server are known");
    }
    options.target_position = position == "target";
    if (options.target_position && options.url.database.empty()) {
        return bad(adapter, "jdbc.url", "names no database, in which the position could be kept");
    }

    const std::string zero = value("canal.adapter.zeroDate");
    if (zero == "epoch") {
        options.zero_date = ZeroDate::Epoch;
    } else if (zero == "refuse") {
        options.zero_date = ZeroDate::Refuse;
    } else if (!zero.empty() && zero != "null") {
        return bad(adapter, "canal.adapter.zeroDate", "null, epoch and refuse are known");
    }
    return options;
}

Result<std::unique_ptr<core::Writer>> make_rdb_writer(const core::WriterContext& context) {
    auto options = read_rdb_options(context.adapter);
    if (!options) {
        return options.error();
    }
    std::unique_ptr<core::Writer> writer =
        std::make_unique<RdbWriter>(context, std::move(*options));
    return writer;
}

}  // namespace obcanal::adapter::rdb
