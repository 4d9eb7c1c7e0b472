// CRC-32 (the polynomial of zlib and Ethernet) by carry-less multiplication where the processor has
// it: four 16-byte lanes are folded at once, then one, then a part of one, then reduced (Gopal and
// others, "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel 2009).
// zlib does what is shorter than a lane.
#include "protocol/base/crypto.h"

#include <zlib.h>

#include <array>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace obcanal {
namespace {

uint32_t crc_of_zlib(uint32_t crc, const std::byte* data, size_t size) {
    return static_cast<uint32_t>(crc32_z(crc, reinterpret_cast<const unsigned char*>(data), size));
}

#if defined(__x86_64__)

constexpr size_t kLane = 16;
constexpr size_t kFoldAtOnce = 4 * kLane;

// Powers of x modulo the polynomial, bit-reversed, for a fold over 64 and over 16 bytes, and for
// the reduction to 64 and to 32 bits (Barrett's constant and the polynomial).
constexpr int64_t kFold64Low = 0x154442bd4, kFold64High = 0x1c6e41596;
constexpr int64_t kFold16Low = 0x1751997d0, kFold16High = 0x0ccaa009e;
constexpr int64_t kReduce64 = 0x163cd6124;
constexpr int64_t kPolynomial = 0x1db710641, kBarrett = 0x1f7011641;

__attribute__((target("pclmul,sse4.1"))) __m128i load(const std::byte* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}

__attribute__((target("pclmul,sse4.1"))) __m128i fold(__m128i lane, __m128i next, __m128i powers) {
    const __m128i low = _mm_clmulepi64_si128(lane, powers, 0x00);
    const __m128i high = _mm_clmulepi64_si128(lane, powers, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

constexpr char kZero = -128;  // what a shuffle makes 0

// Sixteen bytes from `count` on move a lane to the back by 16 - count bytes, those behind them to
// the front by `count`.
constexpr std::array<char, 3 * kLane> kShuffles = [] {
    std::array<char, 3 * kLane> shuffles{};
    shuffles.fill(kZero);
    for (size_t i = 0; i < kLane; ++i) shuffles[kLane + i] = static_cast<char>(i);
    return shuffles;
}();

// `lane` with the last `count` < 16 bytes of the message behind it, which end at `end`; there are
// at least 16. The lane's first bytes go into a lane of their own, the others move to the front and
// make room.
__attribute__((target("pclmul,sse4.1"))) __m128i
fold_rest(__m128i lane, const std::byte* end, size_t count, __m128i powers) {
    const auto* const shuffle = reinterpret_cast<const std::byte*>(kShuffles.data()) + count;
    const __m128i to_back = load(shuffle);
    const __m128i to_front = load(shuffle + kLane);
    const __m128i not_rest = _mm_cmplt_epi8(to_back, _mm_setzero_si128());
    const __m128i rest = _mm_andnot_si128(not_rest, load(end - kLane));
    const __m128i next = _mm_or_si128(_mm_shuffle_epi8(lane, to_front), rest);
    return fold(_mm_shuffle_epi8(lane, to_back), next, powers);
}

// REQUIRES: size >= 16. `crc` and the result are inverted.
__attribute__((target("pclmul,sse4.1"))) uint32_t
crc_folded(uint32_t crc, const std::byte* data, size_t size) {
    const std::byte* const end = data + size;
    const __m128i over16 = _mm_set_epi64x(kFold16High, kFold16Low);
    __m128i a = _mm_xor_si128(load(data), _mm_cvtsi32_si128(static_cast<int>(crc)));
    if (size < kFoldAtOnce) {
        data += kLane;
    } else {
        __m128i b = load(data + kLane);
        __m128i c = load(data + 2 * kLane);
        __m128i d = load(data + 3 * kLane);
        data += kFoldAtOnce;
        const __m128i over64 = _mm_set_epi64x(kFold64High, kFold64Low);
        for (; data + kFoldAtOnce <= end; data += kFoldAtOnce) {
            a = fold(a, load(data), over64);
            b = fold(b, load(data + kLane), over64);
            c = fold(c, load(data + 2 * kLane), over64);
            d = fold(d, load(data + 3 * kLane), over64);
        }
        a = fold(a, b, over16);
        a = fold(a, c, over16);
        a = fold(a, d, over16);
    }
    for (; data + kLane <= end; data += kLane) a = fold(a, load(data), over16);
    if (data < end) a = fold_rest(a, end, static_cast<size_t>(end - data), over16);

    // 128 bits to 64.
    const __m128i low_half = _mm_setr_epi32(~0, 0, ~0, 0);
    __m128i x = _mm_xor_si128(_mm_clmulepi64_si128(a, over16, 0x10), _mm_srli_si128(a, 8));
    const __m128i reduce = _mm_set_epi64x(0, kReduce64);
    x = _mm_xor_si128(
        _mm_clmulepi64_si128(_mm_and_si128(x, low_half), reduce, 0x00), _mm_srli_si128(x, 4)
    );
    // 64 to 32.
    const __m128i barrett = _mm_set_epi64x(kBarrett, kPolynomial);
    __m128i quotient = _mm_clmulepi64_si128(_mm_and_si128(x, low_half), barrett, 0x10);
    quotient = _mm_clmulepi64_si128(_mm_and_si128(quotient, low_half), barrett, 0x00);
    return static_cast<uint32_t>(_mm_extract_epi32(_mm_xor_si128(x, quotient), 1));
}

bool has_carryless() {
    static const bool has =
        __builtin_cpu_supports("pclmul") != 0 && __builtin_cpu_supports("sse4.1") != 0;
    return has;
}

#endif

}  // namespace

uint32_t crc32(Bytes bytes) {
#if defined(__x86_64__)
    if (bytes.size() >= kLane && has_carryless())
        return ~crc_folded(~uint32_t{0}, bytes.data(), bytes.size());
#endif
    return crc_of_zlib(0, bytes.data(), bytes.size());
}

}  // namespace obcanal
