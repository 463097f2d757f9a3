// The mathematics of poisson.h. Called inside hooks, on the way of a sampled allocation: no memory, no calls.
#include "poisson.h"

#include <string.h>

uint64_t ht_poisson_next(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

// x = 2^exponent * m with m in [sqrt(1/2), sqrt(2)); log m = 2 atanh((m - 1) / (m + 1)), whose argument is below 0.172,
// so that the eleventh term of the series is below 1e-17.
double ht_poisson_log(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int exponent = (int)(bits >> 52) - 1023;
    bits = (bits & 0x000fffffffffffffull) | 0x3ff0000000000000ull;
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m > 1.4142135623730951) {
        m /= 2;
        exponent++;
    }
    double z = (m - 1) / (m + 1), square = z * z, sum = 0;
    for (int odd = 23; odd >= 1; odd -= 2) sum = sum * square + 1.0 / odd;
    return exponent * 0.6931471805599453 + 2 * z * sum;
}

int64_t ht_poisson_distance(uint64_t *state, uint64_t mean) {
    // Uniform in (0, 1], a multiple of 2^-53.
    double uniform = (double)((ht_poisson_next(state) >> 11) + 1) * 0x1p-53;
    double distance = -ht_poisson_log(uniform) * (double)mean;
    if (distance >= 0x1p62) return INT64_MAX / 2;
    int64_t whole = (int64_t)distance;
    if ((double)whole < distance) whole++;
    return whole < 1 ? 1 : whole;
}

// 1 - exp(-x) by its series where x is small; larger x is halved until it is, and 1 - exp(-2y) = q (2 - q) with
// q = 1 - exp(-y) doubles it again without cancellation.
double ht_poisson_weight(uint64_t size, uint64_t mean) {
    double x = (double)(size == 0 ? 1 : size) / (double)mean;
    if (x > 40) return 1;  // exp(-40) is below the resolution of 1
    int halvings = 0;
    for (; x > 0.125; x /= 2) halvings++;
    double q = 0;
    for (int term = 10; term >= 1; term--) q = x / term * (1 - q);
    for (; halvings > 0; halvings--) q = q * (2 - q);
    return 1 / q;
}
