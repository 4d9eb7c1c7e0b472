#define PCRE2_CODE_UNIT_WIDTH 8
#include "server/filter/oro_regex.h"

#include "protocol/base/assert.h"
#include "server/filter/oro_syntax.h"

#include <pcre2.h>

#include <array>
#include <string>

namespace obcanal::filter {
namespace {

// An honest expression needs some thousands of steps for a name of 64 + 64 characters; these are
// a few milliseconds. Depth follows from the memory.
constexpr uint32_t kMostSteps = 200'000;
constexpr uint32_t kMostKibibytes = 8 * 1024;

// Stateless after it is made, so all threads share one.
pcre2_match_context* limits() {
    static pcre2_match_context* const context = [] {
        pcre2_match_context* made = pcre2_match_context_create(nullptr);
        OBC_ASSERT(made != nullptr);
        pcre2_set_match_limit(made, kMostSteps);
        pcre2_set_depth_limit(made, kMostSteps);
        pcre2_set_heap_limit(made, kMostKibibytes);
        return made;
    }();
    return context;
}

}  // namespace

void OroRegex::Free::operator()(pcre2_real_code_8* code) const { pcre2_code_free(code); }

Result<OroRegex> OroRegex::compile(std::string_view item) {
    Result<std::string> expression = oro_item_to_pcre2(item);
    if (!expression) return std::move(expression).error();
    int error = 0;
    PCRE2_SIZE offset = 0;
    Code code(pcre2_compile(
        reinterpret_cast<PCRE2_SPTR>(expression->data()),
        expression->size(),
        PCRE2_UTF | PCRE2_UCP | PCRE2_CASELESS | PCRE2_DOTALL | PCRE2_ANCHORED,
        &error,
        &offset,
        nullptr
    ));
    if (!code) {
        // Only what is too large for PCRE2 comes here: the syntax was looked at before.
        std::array<PCRE2_UCHAR, 256> message{};
        pcre2_get_error_message(error, message.data(), message.size());
        return Error{Errc::BadConfig, Retry::Never, reinterpret_cast<const char*>(message.data())};
    }
    return OroRegex(std::move(code));
}

OroRegex::Match OroRegex::match(std::string_view name) const {
    const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data(
        pcre2_match_data_create(1, nullptr), pcre2_match_data_free
    );
    OBC_ASSERT(data != nullptr);
    // PCRE2_NO_UTF_CHECK is safe: the caller has checked.
    const int found = pcre2_match(
        code_.get(),
        reinterpret_cast<PCRE2_SPTR>(name.data()),
        name.size(),
        0,
        PCRE2_NO_UTF_CHECK,
        data.get(),
        limits()
    );
    if (found >= 0) return {pcre2_get_ovector_pointer(data.get())[1], false};
    return {std::nullopt, found != PCRE2_ERROR_NOMATCH};
}

}  // namespace obcanal::filter
