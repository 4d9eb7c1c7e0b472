#include "adapter/core/writer.h"

namespace obcanal::adapter::core {

Awaitable<Result<FullLoadOutcome>> Writer::full_load(FullLoadRequest /*request*/) {
    co_return Error{Errc::Unsupported, Retry::Never, "this kind of target has no full load"};
}

Awaitable<Result<TaskCount>> Writer::count(std::string /*task*/) {
    co_return Error{Errc::Unsupported, Retry::Never, "this kind of target counts no rows"};
}

}  // namespace obcanal::adapter::core
