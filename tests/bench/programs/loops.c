/* Integer loops: a sieve, a matrix product and a population count. */
#include "bench.h"

#define LIMIT 400000
#define SIDE 96

static uint8_t composite[LIMIT];
static uint32_t a[SIDE][SIDE], b[SIDE][SIDE], c[SIDE][SIDE];

static uint64_t sieve(void)
{
    uint64_t count = 0;
    memset(composite, 0, sizeof composite);
    for (uint32_t i = 2; i < LIMIT; i++) {
        if (composite[i])
            continue;
        count++;
        for (uint32_t j = 2 * i; j < LIMIT; j += i)
            composite[j] = 1;
    }
    return count;
}

static uint64_t product(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            uint32_t cell = 0;
            for (int k = 0; k < SIDE; k++)
                cell += a[i][k] * b[k][j];
            c[i][j] = cell;
            sum += cell;
        }
    return sum;
}

static uint64_t bits(uint64_t seed)
{
    uint64_t sum = 0;
    for (int i = 0; i < 300000; i++) {
        uint64_t x = next_random(&seed);
        x -= x >> 1 & 0x5555555555555555;
        x = (x & 0x3333333333333333) + (x >> 2 & 0x3333333333333333);
        x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f;
        sum += x * 0x0101010101010101 >> 56;
    }
    return sum;
}

int main(void)
{
    uint64_t seed = 1, sum = 0;
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            a[i][j] = next_random(&seed);
            b[i][j] = next_random(&seed);
        }
    for (int round = 0; round < 240; round++) {
        sum = sum * 31 + sieve() + product() + bits(seed + round);
        a[round % SIDE][0] += sum;
    }
    result(sum);
}
