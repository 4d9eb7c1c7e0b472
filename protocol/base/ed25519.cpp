#include "protocol/base/ed25519.h"

#include "protocol/base/assert.h"
#include "protocol/base/crypto.h"

#include <openssl/bn.h>

#include <algorithm>
#include <memory>
#include <string>

namespace obcanal {
namespace {

constexpr size_t kScalarSize = 32;

struct FreeNumber {
    void operator()(BIGNUM* number) const { BN_clear_free(number); }
};

struct FreeContext {
    void operator()(BN_CTX* context) const { BN_CTX_free(context); }
};

using Number = std::unique_ptr<BIGNUM, FreeNumber>;
using Context = std::unique_ptr<BN_CTX, FreeContext>;

Number make() {
    Number number(BN_new());
    OBC_ASSERT(number != nullptr);
    return number;
}

Number from_decimal(const char* digits) {
    BIGNUM* number = nullptr;
    OBC_ASSERT(BN_dec2bn(&number, digits) > 0);
    return Number(number);
}

Number from_little(Bytes bytes) {
    Number number = make();
    const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
    OBC_ASSERT(BN_lebin2bn(data, static_cast<int>(bytes.size()), number.get()) != nullptr);
    return number;
}

std::array<std::byte, kScalarSize> to_little(const BIGNUM* number) {
    std::array<std::byte, kScalarSize> bytes;
    auto* data = reinterpret_cast<unsigned char*>(bytes.data());
    OBC_ASSERT(BN_bn2lebinpad(number, data, static_cast<int>(bytes.size())) > 0);
    return bytes;
}

// x/z, y/z and x*y/z: the point in extended coordinates.
struct Point {
    Number x = make();
    Number y = make();
    Number z = make();
    Number t = make();
};

// The twisted Edwards curve -x^2 + y^2 = 1 + d x^2 y^2 over the prime 2^255 - 19.
class Curve {
 public:
    Curve() : context_(BN_CTX_new()) { OBC_ASSERT(context_ != nullptr); }

    // The complete addition of Hisil, Wong, Carter and Dawson; adds a point to itself too.
    Point add(const Point& p, const Point& q) {
        const Number a = mul(sub(p.y, p.x), sub(q.y, q.x));
        const Number b = mul(sum(p.y, p.x), sum(q.y, q.x));
        const Number c = mul(mul(p.t, q.t), twice_d_);
        const Number zz = mul(p.z, q.z);
        const Number d = sum(zz, zz);
        const Number e = sub(b, a);
        const Number f = sub(d, c);
        const Number g = sum(d, c);
        const Number h = sum(b, a);
        return {mul(e, f), mul(g, h), mul(f, g), mul(e, h)};
    }

    // number * base point, in the encoding of signatures.
    std::array<std::byte, kScalarSize> times_base(const BIGNUM* number) {
        Point result = neutral();
        Point power = base();
        for (int bit = 0; bit < BN_num_bits(number); ++bit) {
            if (BN_is_bit_set(number, bit) != 0) result = add(result, power);
            power = add(power, power);
        }
        const Number inverse = make();
        OBC_ASSERT(
            BN_mod_inverse(inverse.get(), result.z.get(), prime_.get(), context_.get()) != nullptr
        );
        auto bytes = to_little(mul(result.y, inverse).get());
        if (BN_is_odd(mul(result.x, inverse).get()) != 0) bytes.back() |= std::byte{0x80};
        return bytes;
    }

    // a*b + c modulo the base point's order.
    Number mul_add(const Number& a, const Number& b, const Number& c) {
        Number result = make();
        OBC_ASSERT(BN_mod_mul(result.get(), a.get(), b.get(), order_.get(), context_.get()) == 1);
        OBC_ASSERT(
            BN_mod_add(result.get(), result.get(), c.get(), order_.get(), context_.get()) == 1
        );
        return result;
    }

    Number reduce(Bytes little) {
        const Number number = from_little(little);
        Number result = make();
        OBC_ASSERT(BN_nnmod(result.get(), number.get(), order_.get(), context_.get()) == 1);
        return result;
    }

 private:
    Number mul(const Number& a, const Number& b) {
        Number result = make();
        OBC_ASSERT(BN_mod_mul(result.get(), a.get(), b.get(), prime_.get(), context_.get()) == 1);
        return result;
    }

    Number sum(const Number& a, const Number& b) {
        Number result = make();
        OBC_ASSERT(BN_mod_add(result.get(), a.get(), b.get(), prime_.get(), context_.get()) == 1);
        return result;
    }

    Number sub(const Number& a, const Number& b) {
        Number result = make();
        OBC_ASSERT(BN_mod_sub(result.get(), a.get(), b.get(), prime_.get(), context_.get()) == 1);
        return result;
    }

    static Point neutral() {
        Point point;
        BN_zero(point.x.get());
        OBC_ASSERT(BN_one(point.y.get()) == 1 && BN_one(point.z.get()) == 1);
        BN_zero(point.t.get());
        return point;
    }

    Point base() {
        Point point;
        point.x = from_decimal(
            "15112221349535400772501151409588531511454012693041857206046113283949847762202"
        );
        point.y = from_decimal(
            "46316835694926478169428394003475163141307993866256225615783033603165251855960"
        );
        OBC_ASSERT(BN_one(point.z.get()) == 1);
        point.t = mul(point.x, point.y);
        return point;
    }

    Context context_;
    Number prime_ =
        from_decimal("57896044618658097711785492504343953926634992332820282019728792003956564819949"
        );
    Number order_ =
        from_decimal("7237005577332262213973186563042994240857116359379907606001950938285454250989"
        );
    Number twice_d_ =
        from_decimal("16295367250680780974490674513165176452449235426866156013048779062215315747161"
        );
};

}  // namespace

Ed25519Signature ed25519_sign(Bytes secret, Bytes message) {
    Sha512 expanded = sha512(secret);
    expanded[0] &= std::byte{0xF8};
    expanded[31] &= std::byte{0x7F};
    expanded[31] |= std::byte{0x40};
    Curve curve;
    const Number key = from_little(Bytes(expanded).first(kScalarSize));
    const auto public_key = curve.times_base(key.get());

    std::string hashed(as_text(Bytes(expanded).subspan(kScalarSize)));
    hashed += as_text(message);
    const Number r = curve.reduce(sha512(as_bytes(hashed)));
    const auto r_point = curve.times_base(r.get());

    hashed = as_text(r_point);
    hashed += as_text(public_key);
    hashed += as_text(message);
    const Number k = curve.reduce(sha512(as_bytes(hashed)));
    const auto s = to_little(curve.mul_add(k, key, r).get());

    Ed25519Signature signature;
    std::copy(r_point.begin(), r_point.end(), signature.begin());
    std::copy(s.begin(), s.end(), signature.begin() + kScalarSize);
    return signature;
}

}  // namespace obcanal
