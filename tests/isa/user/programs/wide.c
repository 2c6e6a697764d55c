/* Numbers of several words: carries, borrows, and products of 128 bits. */
#include "program.h"

enum { WORDS = 8 };

static NOINLINE int add(u64 *to, const u64 *a, const u64 *b)
{
	unsigned char carry = 0;
	for (int i = 0; i < WORDS; i++) {
		u64 sum;
		unsigned char first = __builtin_add_overflow(a[i], b[i], &sum);
		unsigned char second = __builtin_add_overflow(sum, (u64)carry, &to[i]);
		carry = first | second;
	}
	return carry;
}

static NOINLINE int subtract(u64 *to, const u64 *a, const u64 *b)
{
	unsigned char borrow = 0;
	for (int i = 0; i < WORDS; i++) {
		u64 difference;
		unsigned char first = __builtin_sub_overflow(a[i], b[i], &difference);
		unsigned char second = __builtin_sub_overflow(difference, (u64)borrow, &to[i]);
		borrow = first | second;
	}
	return borrow;
}

static NOINLINE void multiply(u64 *to, const u64 *a, const u64 *b)
{
	u64 product[WORDS] = { 0 };
	for (int i = 0; i < WORDS; i++) {
		u64 carry = 0;
		for (int j = 0; i + j < WORDS; j++) {
			unsigned __int128 t = (unsigned __int128)a[i] * b[j] + product[i + j] + carry;
			product[i + j] = t;
			carry = t >> 64;
		}
	}
	for (int i = 0; i < WORDS; i++)
		to[i] = product[i];
}

static NOINLINE __int128 both(__int128 a, __int128 b, u32 by)
{
	__int128 c = (a + b) ^ (a - b) ^ -a;
	c = c << (by & 127) ^ c >> (by & 63) ^ (unsigned __int128)c >> (by & 31);
	return a < b ? c * (a | 1) : c * (b | 3);
}

static NOINLINE u64 overflows(s64 a, s64 b)
{
	s64 r64;
	s32 r32;
	s16 r16;
	s8 r8;
	u64 flags = __builtin_add_overflow(a, b, &r64);
	flags = flags << 1 | __builtin_sub_overflow(a, b, &r64);
	flags = flags << 1 | __builtin_mul_overflow(a, b, &r64);
	flags = flags << 1 | __builtin_add_overflow((s32)a, (s32)b, &r32);
	flags = flags << 1 | __builtin_mul_overflow((s32)a, (s32)b, &r32);
	flags = flags << 1 | __builtin_sub_overflow((s16)a, (s16)b, &r16);
	flags = flags << 1 | __builtin_mul_overflow((s16)a, (s16)b, &r16);
	flags = flags << 1 | __builtin_add_overflow((s8)a, (s8)b, &r8);
	return flags << 40 ^ r64 ^ (s64)r32 << 8 ^ (s64)r16 << 16 ^ (s64)r8 << 24;
}

void wide(void)
{
	static u64 a[WORDS], b[WORDS];
	u64 hash = SEED;
	for (int i = 0; i < WORDS; i++)
		a[i] = next(), b[i] = next();
	for (int i = 0; i < 10; i++) {
		hash = mix(hash, add(a, a, b));
		multiply(b, a, b);
		hash = mix(hash, subtract(b, b, a));
	}
	for (int i = 0; i < WORDS; i++)
		hash = mix(mix(hash, a[i]), b[i]);
	print("words", hash);
	__int128 x = (s64)next(), y = (__int128)next() << 64;
	y |= next();
	for (u32 i = 0; i < 30; i++)
		x = both(x, y, i), y = both(y, x, i * 5);
	print("two words", mix(mix(SEED, x), x >> 64) ^ mix(mix(SEED, y), y >> 64));
	hash = SEED;
	for (int i = 0; i < 60; i++) {
		s64 v = (s64)next() >> (i & 63);
		hash = mix(hash, overflows(v, (s64)next() >> (3 * i & 63)));
	}
	print("overflows", hash);
}
