/* What the benchmark programs share. Each of them computes something that a compiler cannot
 * foresee, prints its checksum, and takes 1 to 3 seconds under QEMU 10's tcg. */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Marsaglia's xorshift: the same numbers everywhere. */
static inline uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

static inline void result(uint64_t checksum)
{
    printf("checksum %016llx\n", (unsigned long long)checksum);
}

/* The value's first decimals: enough to notice a wrong operation, and equal whether or not a
 * compiler fuses a multiplication with an addition. */
static inline void result_real(double value)
{
    printf("checksum %.9g\n", value);
}

#endif
