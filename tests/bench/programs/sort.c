/* Sorting: quicksort, heap sort and the C library's, of the same numbers. */
#include "bench.h"

#define COUNT 100000

static uint32_t numbers[COUNT], work[COUNT];

static void quick(uint32_t *v, long n)
{
    while (n > 16) {
        uint32_t pivot = v[n / 2];
        long i = 0, j = n - 1;
        while (i <= j) {
            while (v[i] < pivot)
                i++;
            while (v[j] > pivot)
                j--;
            if (i <= j) {
                uint32_t t = v[i];
                v[i++] = v[j];
                v[j--] = t;
            }
        }
        quick(v, j + 1);
        v += i;
        n -= i;
    }
    for (long i = 1; i < n; i++) {
        uint32_t x = v[i];
        long j = i;
        for (; j > 0 && v[j - 1] > x; j--)
            v[j] = v[j - 1];
        v[j] = x;
    }
}

static void sift(uint32_t *v, long at, long n)
{
    uint32_t x = v[at];
    for (long child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && v[child + 1] > v[child])
            child++;
        if (v[child] <= x)
            break;
        v[at] = v[child];
    }
    v[at] = x;
}

static void heap(uint32_t *v, long n)
{
    for (long i = n / 2; i-- > 0;)
        sift(v, i, n);
    while (n-- > 1) {
        uint32_t t = v[0];
        v[0] = v[n];
        v[n] = t;
        sift(v, 0, n);
    }
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint64_t digest(void)
{
    uint64_t sum = 0;
    for (long i = 0; i < COUNT; i++)
        sum = sum * 1000003 + work[i];
    return sum;
}

int main(void)
{
    uint64_t seed = 7, sum = 0;
    for (int round = 0; round < 12; round++) {
        for (long i = 0; i < COUNT; i++)
            numbers[i] = next_random(&seed);
        memcpy(work, numbers, sizeof work);
        quick(work, COUNT);
        sum += digest();
        memcpy(work, numbers, sizeof work);
        heap(work, COUNT);
        sum -= 3 * digest();
        memcpy(work, numbers, sizeof work);
        qsort(work, COUNT, sizeof *work, compare);
        sum += digest();
    }
    result(sum);
}
