// The mathematics of sampling by bytes: distances to the next sample, and what a sample stands for. Plain functions of
// their arguments, without libm (the preload needs libc alone); they run once a sample, not once an event.
#pragma once

#include <stdint.h>

// The next number of a generator whose state is one word (splitmix64: any state is good, streams of different states
// are unrelated).
uint64_t ht_poisson_next(uint64_t *state);

// A natural logarithm for 0 < x < infinity, within two units of the last place of the result or 1e-16.
double ht_poisson_log(double x);

// Bytes to the next point of a Poisson process with `mean` bytes between points, rounded up, at least 1: a block of n
// bytes holds the point when n >= the distance, which has the probability 1 - exp(-n / mean).
int64_t ht_poisson_distance(uint64_t *state, uint64_t mean);

// What an allocation of `size` bytes that was sampled stands for: 1 / (1 - exp(-size / mean)). A size of 0 counts as 1.
double ht_poisson_weight(uint64_t size, uint64_t mean);
