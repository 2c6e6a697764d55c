/* Rounds in the manner of SHA-256, SHA-512 and ChaCha, with constants of their own. */
#include "program.h"

static u32 rotate32(u32 v, int by)
{
	return v >> by | v << (32 - by);
}

static u64 rotate64(u64 v, int by)
{
	return v >> by | v << (64 - by);
}

static u32 w32[64];

static NOINLINE void rounds32(u32 *h, const u32 *block)
{
	for (int i = 0; i < 16; i++)
		w32[i] = __builtin_bswap32(block[i]);
	for (int i = 16; i < 64; i++) {
		u32 s0 = rotate32(w32[i - 15], 7) ^ rotate32(w32[i - 15], 18) ^ w32[i - 15] >> 3;
		u32 s1 = rotate32(w32[i - 2], 17) ^ rotate32(w32[i - 2], 19) ^ w32[i - 2] >> 10;
		w32[i] = w32[i - 16] + s0 + w32[i - 7] + s1;
	}
	u32 a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], x = h[7];
	for (int i = 0; i < 64; i++) {
		u32 s1 = rotate32(e, 6) ^ rotate32(e, 11) ^ rotate32(e, 25);
		u32 t1 = x + s1 + ((e & f) ^ (~e & g)) + 0x9e3779b9u * (i + 1) + w32[i];
		u32 s0 = rotate32(a, 2) ^ rotate32(a, 13) ^ rotate32(a, 22);
		u32 t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
		x = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
	}
	h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e, h[5] += f, h[6] += g, h[7] += x;
}

static NOINLINE u64 rounds64(u64 a, u64 b, u64 c, u64 d)
{
	for (u64 i = 0; i < 100; i++) {
		u64 s = rotate64(a, 28) ^ rotate64(b, 34) ^ rotate64(c, 39);
		u64 t = (a & b) ^ (a & c) ^ (b & ~d);
		d = c, c = b, b = a ^ s, a = rotate64(s + t, i & 63) + 0x428a2f98d728ae22ull * i;
	}
	return a ^ b ^ c ^ d;
}

static NOINLINE void quarters(u32 *x)
{
#define STEP(a, b, c, by) x[a] += x[b], x[c] = rotate32(x[c] ^ x[a], 32 - by)
#define QUARTER(a, b, c, d) \
	STEP(a, b, d, 16), STEP(c, d, b, 12), STEP(a, b, d, 8), STEP(c, d, b, 7)
	for (int i = 0; i < 10; i++) {
		QUARTER(0, 4, 8, 12);
		QUARTER(1, 5, 9, 13);
		QUARTER(2, 6, 10, 14);
		QUARTER(3, 7, 11, 15);
		QUARTER(0, 5, 10, 15);
		QUARTER(1, 6, 11, 12);
		QUARTER(2, 7, 8, 13);
		QUARTER(3, 4, 9, 14);
	}
}

void digests(void)
{
	static u32 h[8], block[16];
	u64 hash = SEED;
	for (int n = 0; n < 8; n++) {
		for (int i = 0; i < 16; i++)
			block[i] = next();
		rounds32(h, block);
		quarters(block);
		for (int i = 0; i < 16; i++)
			hash = mix(hash, block[i]);
	}
	for (int i = 0; i < 8; i++)
		hash = mix(hash, h[i]);
	print("digest", hash);
	u64 a = next(), b = next(), c = next(), d = next();
	print("digest 64", rounds64(a, b, c, d));
}
