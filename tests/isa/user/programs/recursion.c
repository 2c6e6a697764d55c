#include "program.h"

static NOINLINE u32 ackermann(u32 m, u32 n)
{
	if (m == 0)
		return n + 1;
	if (n == 0)
		return ackermann(m - 1, 1);
	return ackermann(m - 1, ackermann(m, n - 1));
}

static NOINLINE u64 fibonacci(u64 n)
{
	return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static NOINLINE u64 hanoi(int n, int from, int to, u64 hash)
{
	if (n == 0)
		return hash;
	int over = 3 - from - to;
	hash = hanoi(n - 1, from, over, hash);
	hash = mix(hash, n * 9 + from * 3 + to);
	return hanoi(n - 1, over, to, hash);
}

static int queens(int row, u32 columns, u32 up, u32 down)
{
	if (row == 7)
		return 1;
	int n = 0;
	for (u32 free = ~(columns | up | down) & 0x7f; free; free &= free - 1) {
		u32 bit = free & -free;
		n += queens(row + 1, columns | bit, (up | bit) << 1, (down | bit) >> 1);
	}
	return n;
}

static NOINLINE u64 many(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f, u64 g, u64 h, u64 i, u64 j)
{
	return a + 2 * b + 3 * c + 5 * d + 7 * e + 11 * f + 13 * g + 17 * h + 19 * i + 23 * j;
}

typedef u64 operation(u64, u64);
static NOINLINE u64 plus(u64 a, u64 b) { return a + b; }
static NOINLINE u64 minus(u64 a, u64 b) { return a - b; }
static NOINLINE u64 times(u64 a, u64 b) { return a * b; }
static operation *const operations[] = { plus, minus, times };

void recursion(void)
{
	print("ackermann", ackermann(2, 9));
	print("fibonacci", fibonacci(14));
	print("hanoi", hanoi(6, 0, 2, SEED));
	print("queens", queens(0, 0, 0, 0));
	u64 v = 1;
	for (int i = 0; i < 40; i++) {
		operation *f = operations[next() % 3];
		v = f(v, next()) + many(v, i, 1, 2, 3, 4, 5, 6, v, 7);
	}
	print("pointers", v);
}
