/* Memory bound: following pointers through 16 MiB in random order. */
#include "bench.h"

#define COUNT (16 * 1024 * 1024 / sizeof(void *))

int main(void)
{
    void **cells = malloc(COUNT * sizeof *cells);
    uint32_t *order = malloc(COUNT * sizeof *order);
    uint64_t seed = 29;
    for (size_t i = 0; i < COUNT; i++)
        order[i] = i;
    for (size_t i = COUNT - 1; i > 0; i--) {
        size_t j = next_random(&seed) % i;
        uint32_t t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
    for (size_t i = 0; i < COUNT; i++)
        cells[order[i]] = &cells[order[(i + 1) % COUNT]];
    void **at = cells;
    for (long i = 0; i < 4000000; i++)
        at = *at;
    result(at - cells);
}
