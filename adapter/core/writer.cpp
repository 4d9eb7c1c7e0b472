#include "adapter/core/writer.h"

namespace obcanal::adapter::core {

Awaitable<Result<FullLoadOutcome>> Writer::full_load(FullLoadRequest /*request*/) {
    co_return Error{Errc::Unsupported, Retry::Never, "this kind of target has no full load"};
}

Awaitable<Result<TaskCount>> Writer::count(std::string /*task*/) {
    co_return Error{Errc::Unsupported, Retry::Never, "this kind of target counts no rows"};
}

Awaitable<void> Writer::drop_ahead() { co_return; }

Awaitable<Result<void>> Writer::stop_counting() { co_return Result<void>{}; }

void log_findings(const Logger& log, const std::vector<Finding>& findings) {
    for (const Finding& finding : findings) {
        if (finding.severity == Finding::Severity::Error) {
            log.error(finding_text(finding));
        } else {
            log.warn(finding_text(finding));
        }
    }
}

}  // namespace obcanal::adapter::core
