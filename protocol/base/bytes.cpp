#include "protocol/base/bytes.h"

#include <algorithm>

namespace obcanal {

void ReverseWriter::grow(size_t count) {
    const size_t used = size();
    const size_t capacity = std::max(capacity_ * 2, used + count);
    std::unique_ptr<std::byte[]> larger(new std::byte[capacity]);
    std::memcpy(larger.get() + capacity - used, buffer_.get() + front_, used);
    buffer_ = std::move(larger);
    capacity_ = capacity;
    front_ = capacity - used;
}

void ReverseWriter::shrink(size_t capacity) {
    if (capacity_ <= capacity) return;
    buffer_.reset(new std::byte[capacity]);
    capacity_ = capacity;
    front_ = capacity;
}

}  // namespace obcanal
