#include "program.h"

static NOINLINE int population(u64 v)
{
	v -= v >> 1 & 0x5555555555555555;
	v = (v & 0x3333333333333333) + (v >> 2 & 0x3333333333333333);
	return ((v + (v >> 4)) & 0x0f0f0f0f0f0f0f0f) * 0x0101010101010101 >> 56;
}

static NOINLINE u64 reverse(u64 v)
{
	u64 r = 0;
	for (int i = 0; i < 64; i++)
		r = r << 1 | (v >> i & 1);
	return r;
}

static NOINLINE u64 spread(u32 v)
{
	u64 x = v;
	x = (x | x << 16) & 0x0000ffff0000ffff;
	x = (x | x << 8) & 0x00ff00ff00ff00ff;
	x = (x | x << 4) & 0x0f0f0f0f0f0f0f0f;
	x = (x | x << 2) & 0x3333333333333333;
	return (x | x << 1) & 0x5555555555555555;
}

struct fields {
	u32 a : 3, b : 7, c : 12, d : 10;
	s64 e : 20, f : 33, g : 11;
};

static NOINLINE u64 through(struct fields *p, u64 v)
{
	p->a = v, p->b += v >> 5, p->c ^= v >> 9, p->d = p->b - p->c;
	p->e = v >> 3, p->f -= p->e * 7, p->g = p->f >> 4;
	return p->a + p->b + p->c * 3 + p->d + p->e - p->f + p->g;
}

static NOINLINE u64 shifts(u64 v, int by)
{
	u64 hash = SEED;
	hash = mix(hash, v << (by & 63));
	hash = mix(hash, v >> (by & 63));
	hash = mix(hash, (s64)v >> (by & 63));
	hash = mix(hash, (u32)v << (by & 31));
	hash = mix(hash, (s32)v >> (by & 31));
	hash = mix(hash, v << (by & 63) | v >> (-by & 63));
	hash = mix(hash, (u32)v >> (by & 31) | (u32)v << (-by & 31));
	hash = mix(hash, (u16)((u16)v << (by & 15) | (u16)v >> (-by & 15)));
	return hash;
}

void bits(void)
{
	static struct fields fields;
	u64 hash = SEED;
	for (int i = 0; i < 60; i++) {
		u64 v = next() >> (i & 63);
		hash = mix(hash, population(v));
		hash = mix(hash, reverse(v));
		hash = mix(hash, spread(v));
		hash = mix(hash, through(&fields, v));
		hash = mix(hash, shifts(v, i * 7));
		hash = mix(hash, __builtin_popcountll(v));
		if (v)
			hash = mix(hash, __builtin_clzll(v) * 64 + __builtin_ctzll(v));
		if ((u32)v)
			hash = mix(hash, __builtin_clz(v) * 64 + __builtin_ctz(v));
		hash = mix(hash, __builtin_ffsll(v));
		hash = mix(hash, __builtin_parityll(v));
		hash = mix(hash, __builtin_clrsbll(v));
		hash = mix(hash, __builtin_bswap64(v) + __builtin_bswap32(v) + __builtin_bswap16(v));
		hash = mix(hash, v & -v);
		hash = mix(hash, v & (v - 1));
		hash = mix(hash, v ^ (v - 1));
		hash = mix(hash, ~v & hash);
		hash = mix(hash, (v >> (i & 63) & 1) ? i : -i);
		hash = mix(hash, v | 1ull << (i & 63));
		hash = mix(hash, v & ~(1ull << (v & 63)));
		hash = mix(hash, v ^ 1u << (v & 31));
	}
	print("bits", hash);
}
