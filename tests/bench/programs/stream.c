/* Memory bound: copying, adding and summing arrays of 8 MiB. */
#include "bench.h"

#define COUNT (1 << 20)

static uint64_t a[COUNT], b[COUNT], c[COUNT];

int main(void)
{
    uint64_t seed = 31, sum = 0;
    for (int i = 0; i < COUNT; i++) {
        a[i] = next_random(&seed);
        b[i] = i;
    }
    for (int round = 0; round < 20; round++) {
        memcpy(c, a, sizeof c);
        for (int i = 0; i < COUNT; i++)
            a[i] = b[i] + 3 * c[i];
        for (int i = 0; i < COUNT; i++)
            sum += a[i];
        memset(b, round, sizeof b);
    }
    result(sum);
}
