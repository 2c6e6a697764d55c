#include "program.h"

static NOINLINE u64 gcd(u64 a, u64 b)
{
	while (b) {
		u64 t = a % b;
		a = b;
		b = t;
	}
	return a;
}

static NOINLINE u64 power(u64 base, u64 exponent, u64 modulus)
{
	unsigned __int128 result = 1, square = base % modulus;
	for (; exponent; exponent >>= 1) {
		if (exponent & 1)
			result = result * square % modulus;
		square = square * square % modulus;
	}
	return result;
}

void divisions(void)
{
	u64 hash = SEED;
	for (int i = 0; i < 60; i++) {
		u64 a = next() >> (i & 31), b = (next() >> (2 * i & 63)) | 1;
		s64 x = next(), y = (s64)next() >> (i & 63) | 1;
		hash = mix(mix(hash, a / b), a % b);
		if (y != -1)
			hash = mix(mix(hash, x / y), x % y);
		hash = mix(mix(hash, (u32)a / (u32)b), (s32)x % ((s32)y | 3));
		hash = mix(mix(hash, (u16)a / (u16)b), (u8)a % (u8)b);
		hash = mix(mix(hash, (s16)x / ((s16)y | 5)), (s8)x % ((s8)y | 7));
		/* By constants: multiplication and shifts. */
		hash = mix(mix(hash, a / 10), x / 7);
		hash = mix(mix(hash, (u32)a % 1000), (s32)x / -13);
		hash = mix(hash, gcd(a, b));
	}
	print("quotients", hash);
	u64 base = next(), exponent = next();
	print("power", power(base, exponent, 0xffffffffffffffc5ull));
}
