/* Indirect jumps: calls through function pointers, as virtual methods are made. */
#include "bench.h"

struct shape;
struct methods {
    uint64_t (*area)(const struct shape *);
    void (*grow)(struct shape *, uint32_t);
};
struct shape {
    const struct methods *methods;
    uint32_t a, b;
};

static uint64_t square_area(const struct shape *s) { return (uint64_t)s->a * s->a; }
static uint64_t box_area(const struct shape *s) { return (uint64_t)s->a * s->b; }
static uint64_t edge_area(const struct shape *s) { return s->a + s->b; }
static uint64_t half_area(const struct shape *s) { return (uint64_t)s->a * s->b / 2; }
static void grow_a(struct shape *s, uint32_t by) { s->a += by; }
static void grow_b(struct shape *s, uint32_t by) { s->b ^= by; }
static void grow_both(struct shape *s, uint32_t by) { s->a ^= by, s->b += s->a; }

static const struct methods kinds[] = {
    {square_area, grow_a}, {box_area, grow_b},  {edge_area, grow_both},
    {half_area, grow_a},   {box_area, grow_both}, {square_area, grow_b},
};

#define COUNT 512

int main(void)
{
    static struct shape shapes[COUNT];
    uint64_t seed = 19, sum = 0;
    for (int i = 0; i < COUNT; i++) {
        uint64_t r = next_random(&seed);
        shapes[i] = (struct shape){&kinds[r % 6], r >> 20 & 255, r >> 40 & 255};
    }
    for (int round = 0; round < 26000; round++)
        for (int i = 0; i < COUNT; i++) {
            struct shape *s = &shapes[(i * 7 + round) % COUNT];
            sum += s->methods->area(s);
            s->methods->grow(s, sum & 15);
        }
    result(sum);
}
