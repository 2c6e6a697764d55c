/* Loops that compilers turn into vector instructions: bytes, integers and numbers. */
#include "bench.h"

#define LENGTH 4096

static uint8_t bytes[LENGTH], mask[LENGTH];
static uint32_t words[LENGTH], others[LENGTH];
static float numbers[LENGTH], weights[LENGTH];

static __attribute__((noinline)) void blend(void)
{
    for (int i = 0; i < LENGTH; i++)
        bytes[i] = mask[i] > 127 ? bytes[i] + mask[i] : bytes[i] ^ mask[i];
}

static __attribute__((noinline)) uint32_t mix(uint32_t by)
{
    uint32_t sum = 0;
    for (int i = 0; i < LENGTH; i++) {
        words[i] = (words[i] << 5 | words[i] >> 27) ^ (others[i] + by);
        sum += words[i];
    }
    return sum;
}

static __attribute__((noinline)) void scale(float by)
{
    for (int i = 0; i < LENGTH; i++)
        numbers[i] = numbers[i] * by + weights[i];
}

int main(void)
{
    uint64_t seed = 61, sum = 0;
    for (int i = 0; i < LENGTH; i++) {
        uint64_t random = next_random(&seed);
        bytes[i] = random, mask[i] = random >> 8, words[i] = random >> 16, others[i] = random >> 24;
        numbers[i] = random % 1000, weights[i] = random % 77;
    }
    for (int round = 0; round < 12000; round++) {
        blend();
        sum = sum * 31 + mix(round) + bytes[round % LENGTH];
        scale(round % 2 ? 0.5f : 0.25f);
    }
    for (int i = 0; i < LENGTH; i++)
        sum = sum * 3 + (uint64_t)numbers[i];
    result(sum);
}
